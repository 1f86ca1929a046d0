import AttestationCases
import AttestationVerifier
import Foundation
import Testing

/// Recorded evidence, judged again by the production verifier. Adding a case adds a folder, not code.
@Suite struct ReplayTests {
    @Test(arguments: CaseFolder.all()) func judgesTheFolderAsItExpects(_ folder: CaseFolder) throws {
        let contradiction = try GeneratedCase.contradiction(in: try folder.files())
        #expect(contradiction == nil)
    }

    @Test func everyReasonAndEveryFaultHasAFolder() throws {
        let folders = CaseFolder.all()
        #expect(folders.count >= 60)
        let reasons = try folders.map { try $0.reason() }
        #expect(reasons.contains(nil))
        #expect(Set(reasons.compactMap(\.self)) == Set(AttestationReason.allCases.map(\.rawValue)))
        let text = try folders.map { String(decoding: try $0.files()["expected.json"] ?? [], as: UTF8.self) }.joined()
        for fault in NitroFault.allCases { #expect(text.contains("\"\(fault.rawValue)\""), "\(fault)") }
    }

    @Test func aFolderWithoutVerdictFails() throws {
        var files = try #require(CaseFolder.all().first).files()
        files["expected.json"] = nil
        #expect(throws: (any Error).self) { try GeneratedCase.contradiction(in: files) }
        files["expected.json"] = Array("{\"verdict\":\"perhaps\"}".utf8)
        #expect(throws: (any Error).self) { try GeneratedCase.contradiction(in: files) }
    }

    @Test func theGeneratorMakesExactlyTheCommittedFiles() throws {
        let generated = try GeneratedCase.all()
        for made in generated {
            let folder = CaseFolder(url: CaseFolder.root.appending(path: made.name))
            let committed = (try? folder.files()) ?? [:]
            #expect(Set(committed.keys) == Set(made.files.keys), "\(made.name)")
            for (name, bytes) in made.files { #expect(committed[name] == bytes, "\(made.name)/\(name)") }
        }
        #expect(Set(generated.map(\.name)).count == generated.count)
    }

    @Test func readsTheSameCaseFromOneFile() throws {
        let made = try #require(try GeneratedCase.all().first)
        let parts = ["challenge", "answer", "policy"].map { name in
            "\"\(name)\":" + String(decoding: made.files["\(name).json"] ?? [], as: UTF8.self)
        }
        let file = try RecordedEvidence(json: Array("{\(parts.joined(separator: ","))}".utf8))
        let expected = try ExpectedVerdict(json: made.files["expected.json"] ?? [])
        #expect(try expected.matches(file.report()))
        #expect(file.statement()?.contains { $0 == ("measurement", "dev-local-enclave") } == true)
    }

    @Test(arguments: ["", "{}", "[]", "{\"challenge\":1}"]) func refusesWhatIsNoRecord(_ text: String) {
        #expect(throws: RecordedEvidence.ReadError.malformed(part: "file")) {
            try RecordedEvidence(json: Array(text.utf8))
        }
    }

    @Test func refusesAFileThatIsTooLarge() {
        let bytes = [UInt8](repeating: 0x20, count: RecordedEvidence.maximumFileBytes + 1)
        #expect(throws: RecordedEvidence.ReadError.tooLarge) { try RecordedEvidence(json: bytes) }
    }
}
