import AttestationVerifier
import Foundation
import SimulatedNitro
import Sodium
import Testing

/// `alfredctl attest verify` and `attest inspect`, the built executable.
@Suite struct AttestCommandTests {
    private struct Outcome {
        let status: Int32
        let text: String
    }

    private static let time = "\(NitroStage.now)"
    private static let release = "v7@" + NitroStage.measurement

    /// Runs the command on `input`, given on standard input, with the test root.
    private func run(
        _ arguments: [String], on input: [UInt8], source: String = "-", hasRoot: Bool = true
    ) throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let root = folder.appending(path: "root.pem")
        let pem = Data(NitroStage.pki.root).base64EncodedString(options: .lineLength64Characters)
        try Data("-----BEGIN CERTIFICATE-----\n\(pem)\n-----END CERTIFICATE-----\n".utf8).write(to: root)
        let file = folder.appending(path: "input")
        try Data(input).write(to: file)
        let process = Process()
        process.executableURL = Self.executable
        process.arguments = ["attest"] + arguments + [source] + (hasRoot ? ["--root", root.path] : [])
        process.currentDirectoryURL = folder
        process.environment = [:]
        process.standardInput = try FileHandle(forReadingFrom: file)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, text: text)
    }

    static var executable: URL {
        let beside = URL(filePath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
            .appending(path: "alfredctl")
        if FileManager.default.fileExists(atPath: beside.path) { return beside }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: ".build/debug/alfredctl")
    }

    @Test func acceptsARelease() throws {
        let outcome = try run(
            ["verify", "--time", Self.time, "--measurement", Self.release], on: NitroStage.document())
        #expect(outcome.status == 0, "\(outcome.text)")
        #expect(outcome.text.contains("9 ✓"))
        #expect(outcome.text.contains("TEST ROOT"))
        #expect(outcome.text.hasSuffix("accepted as v7\n"))
    }

    @Test func readsHexAndBothKindsOfBase64() throws {
        let document = NitroStage.document()
        let base64 = Base64.encode(document)
        for text in ["0x" + Hex.encode(document) + "\n", base64, "\"\(base64)\"\n", Base64.encodeURL(document)] {
            let outcome = try run(["verify", "--own-time", "--measurement", Self.release], on: Array(text.utf8))
            #expect(outcome.status == 0, "\(outcome.text)")
        }
    }

    @Test func refusesWithOneAndSaysWhatAndWhere() throws {
        let old = try run(["verify", "--measurement", Self.release, "--time", "2027-01-16"], on: NitroStage.document())
        #expect(old.status == 2)
        let other = try run(
            ["verify", "--own-time", "--measurement", Self.release],
            on: NitroStage.document { $0.registers[1].value = [UInt8](repeating: 3, count: 48) })
        #expect(other.status == 1)
        #expect(other.text.contains("9 ✗") && other.text.contains("PCR1"))
        #expect(other.text.contains("found    " + String(repeating: "03", count: 48)))
        let debug = try run(
            ["verify", "--own-time", "--measurement", Self.release],
            on: NitroStage.document { $0.registers[0].value = Registers.zero })
        #expect(debug.status == 1)
        #expect(debug.text.contains("DebugEnclaveRefused at PCR0") && debug.text.contains("DEBUG MODE"))
        let nonce = try run(
            ["verify", "--own-time", "--measurement", Self.release, "--nonce", "00ff"], on: NitroStage.document())
        #expect(nonce.status == 1)
        #expect(nonce.text.contains("EvidenceKeyMismatch at nonce"))
    }

    /// What can match no image is a slip of whoever wrote it, and no verdict on the image.
    @Test func namesAMeasurementThatIsNone() throws {
        let good = NitroStage.measurement
        let zero = "pcr0=" + String(repeating: "0", count: 96)
        for bad in [
            "pcr0=zz", "junk", "", "v8@", good.uppercased(), good.replacing("pcr0=", with: "PCR0="),
            zero + good.dropFirst(zero.count), String(good.dropLast(102)), good + "+pcr3=zz",
        ] {
            for entries in [[bad], [Self.release, bad], ["\(Self.release),\(bad)"]] where entries.last != "" {
                let options = entries.map { "--measurement=\($0)" }
                let outcome = try run(["verify", "--own-time"] + options, on: NitroStage.document())
                #expect(outcome.status == 2, "\(entries): \(outcome.text)")
                #expect(outcome.text.contains("--measurement must be"), "\(outcome.text)")
                #expect(outcome.text.contains("has \"\(bad.prefix(20))"), "\(outcome.text)")
            }
        }
    }

    @Test func theRootIsThatOfAWSUnlessAnotherIsGiven() throws {
        let outcome = try run(
            ["verify", "--own-time", "--measurement", Self.release], on: NitroStage.document(), hasRoot: false)
        #expect(outcome.status == 1)
        #expect(outcome.text.contains("RootNotPinned"))
        #expect(outcome.text.contains(NitroRoot.awsFingerprint))
    }

    @Test func wantsAPolicyOrTheWordThatThereIsNone() throws {
        let none = try run(["verify", "--own-time"], on: NitroStage.document())
        #expect(none.status == 2)
        #expect(none.text.contains("--authenticity-only"))
        let both = try run(
            ["verify", "--own-time", "--authenticity-only", "--measurement", Self.release], on: NitroStage.document())
        #expect(both.status == 2)
    }

    @Test func whatIsOnlyAuthenticHasAStatusOfItsOwn() throws {
        let authentic = try run(["verify", "--own-time", "--authenticity-only"], on: NitroStage.document())
        #expect(authentic.status == 3)
        #expect(authentic.text.hasSuffix("so nothing is accepted\n"))
        let debug = try run(
            ["verify", "--own-time", "--authenticity-only"],
            on: NitroStage.document { $0.registers[2].value = Registers.zero })
        #expect(debug.status == 1)
        #expect(debug.text.contains("DebugEnclaveRefused at PCR2"))
    }

    @Test func aDocumentOfNowMayBeFiveMinutesOld() throws {
        let now = UInt64(Date().timeIntervalSince1970)
        for (age, status) in [(10, 0), (400, 1)] as [(UInt64, Int32)] {
            let document = NitroStage.document(at: now - age)
            #expect(try run(["verify", "--measurement", Self.release], on: document).status == status)
        }
    }

    @Test func printsOneJSONObject() throws {
        let outcome = try run(
            ["verify", "--own-time", "--json", "--measurement", Self.release], on: NitroStage.document())
        let object = try JSONSerialization.jsonObject(with: Data(outcome.text.utf8)) as? [String: Any]
        #expect(object?["verdict"] as? String == "accept")
        #expect(object?["identity"] as? String == "v7")
        #expect((object?["checks"] as? [Any])?.count == NitroCheck.allCases.count)
    }

    @Test func inspectsWholeAndBrokenDocuments() throws {
        let whole = try run(["inspect"], on: NitroStage.document(), hasRoot: false)
        #expect(whole.status == 0)
        #expect(whole.text.contains(NitroStage.moduleID))
        let broken = try run(["inspect"], on: Array(NitroStage.document().prefix(900)), hasRoot: false)
        #expect(broken.status == 1)
        #expect(broken.text.contains("unreadable from here: "))
    }
}
