import AttestationVerifier
import EnclaveProtocol
import SimulatedNitro
import Testing

/// Documents that stand alone, as the operator's command judges and shows them.
@Suite struct NitroReportTests {
    private func report(
        _ document: [UInt8], _ images: NitroExpectations.Images = .releases([.init(NitroStage.measurement)]),
        nonce: [UInt8]? = nil, age: UInt64? = nil, time: NitroTime = .at(NitroStage.now)
    ) throws -> NitroReport {
        let expectations = NitroExpectations(images: images, nonce: nonce, maximumAgeSeconds: age)
        return NitroReport(
            judging: document, by: expectations, NitroChainVerifier(root: try NitroStage.root()), time: time)
    }

    private func reason(_ report: NitroReport) -> AttestationReason? {
        guard case .refused(let refusal) = report.outcome else { return nil }
        return refusal.reason
    }

    @Test func namesTheRelease() throws {
        let releases = [
            AcceptedMeasurement(
                name: "old", NitroStage.measurement.replacing("pcr0=", with: "pcr0=ffff").dropLast(4) + ""),
            AcceptedMeasurement(name: "new", NitroStage.measurement),
        ]
        #expect(try report(NitroStage.document(), .releases(releases)).outcome == .accepted(identity: "new"))
    }

    @Test func authenticIsAnotherWordThanAccepted() throws {
        #expect(try report(NitroStage.document(), .notJudged).outcome == .authentic)
        let debug = NitroStage.document { $0.registers[0].value = Registers.zero }
        #expect(try reason(report(debug, .notJudged)) == .debugEnclaveRefused)
        #expect(try reason(report(debug)) == .debugEnclaveRefused)
    }

    @Test func anEmptyPolicyAcceptsNothing() throws {
        #expect(try reason(report(NitroStage.document(), .releases([]))) == .measurementNotAllowed)
    }

    @Test func anAbsentNonceIsNotTheExpectedOne() throws {
        #expect(try reason(report(NitroStage.document(), nonce: [1])) == .evidenceKeyMismatch)
        #expect(try reason(report(NitroStage.document(), nonce: [])) == .evidenceKeyMismatch)
        #expect(try reason(report(NitroStage.document(nonce: [1]), nonce: [1])) == nil)
    }

    @Test func judgesAgeOnlyWhereItIsAskedTo() throws {
        let later = NitroTime.at(NitroStage.now + 3600)
        #expect(try reason(report(NitroStage.document(), time: later)) == nil)
        #expect(try reason(report(NitroStage.document(), age: 300, time: later)) == .staleAttestation)
        #expect(try reason(report(NitroStage.document(), age: 300, time: .itsOwn)) == nil)
    }

    @Test func listsEveryCheckInOrder() throws {
        let expired = try report(NitroStage.document(), time: .at(NitroStage.now + 86_400))
        #expect(expired.checks.map(\.check) == NitroCheck.allCases)
        #expect(expired.checks[0].verdict == .passed)
        #expect(expired.checks[2].verdict == .notReached)
    }

    // MARK: Inspection

    private func value(_ name: String, _ inspection: NitroInspection) -> String? {
        inspection.lines.first { $0.name == name }?.value
    }

    @Test func showsWhatADocumentStates() {
        let inspection = NitroInspection(of: NitroStage.document(nonce: Array("hello".utf8)))
        #expect(inspection.problem == nil)
        #expect(value("module_id", inspection) == NitroStage.moduleID)
        #expect(value("nonce", inspection) == "5 bytes: \"hello\"")
        #expect(value("public_key", inspection) == "null")
        #expect(value("PCR5", inspection) == "zero (48 bytes)")
        #expect(value("certificate", inspection)?.hasPrefix("\(NitroStage.moduleID).eu-central-1.aws, leaf, ") == true)
        #expect(value("form", inspection) == "as the verifier demands")
    }

    @Test func showsDocumentsThatItRefuses() {
        let tpm = NitroInspection(of: NitroStage.document { $0.alterFields = { $0[3].key = .text("nitrotpm_pcrs") } })
        #expect(tpm.problem == nil)
        #expect(value("NitroTPM PCR5", tpm) == "zero (48 bytes)")
        #expect(value("form", tpm)?.hasPrefix("OtherKindOfDocument") == true)
        let unknown = NitroInspection(
            of: NitroStage.document { $0.alterFields = { $0.append(.init(.text("x"), .bool(true))) } })
        #expect(value("x", unknown) == "1 bytes of another type")
    }

    @Test func saysWhereABrokenDocumentEnds() {
        let whole = NitroStage.document()
        let cut = NitroInspection(of: Array(whole.prefix(1000)))
        #expect(cut.problem != nil)
        #expect(NitroInspection(of: whole + [0]).problem == "1 bytes after the document")
        for count in stride(from: 0, to: whole.count, by: 37) {
            #expect(NitroInspection(of: Array(whole.prefix(count))).problem != nil)
        }
    }

    @Test func survivesAnyBytes() async {
        var generator = SystemRandomNumberGenerator()
        let whole = NitroStage.document()
        for _ in 0..<500 {
            // Other tests of the process wait for their turn.
            await Task.yield()
            var bytes = whole
            for _ in 0..<4 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            #expect(NitroInspection(of: bytes).lines.first?.name == "size")
        }
    }
}
