import AttestationVerifier
import Foundation
import Testing

/// Recorded evidence, judged again. Adding a case adds a folder, not code.
@Suite struct ReplayTests {
    @Test(arguments: CaseFolder.all()) func judgesTheFolderAsItExpects(_ folder: CaseFolder) throws {
        let report = try folder.evidence().report()
        let expected = try folder.expected()
        #expect(expected.matches(report), "\(report.checks.map { "\($0.check): \($0.verdict)" })")
    }

    @Test func thereAreAcceptedAndRefusedFolders() throws {
        let verdicts = try CaseFolder.all().map { try $0.expected() }
        #expect(verdicts.count >= 12)
        #expect(verdicts.contains { $0.reason == nil })
        #expect(Set(verdicts.compactMap(\.reason)) == Set(AttestationReason.allCases))
    }

    @Test func theGeneratorMakesExactlyTheCommittedFiles() throws {
        for made in try GeneratedCase.all() {
            let folder = CaseFolder(url: CaseFolder.root.appending(path: made.name))
            for (name, bytes) in made.files {
                let committed = try? folder.bytes(name)
                #expect(committed == bytes, "\(made.name)/\(name)")
            }
        }
    }

    /// `ALFRED_WRITE_FIXTURES=1` writes the generated folders anew; others stay as they are.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["ALFRED_WRITE_FIXTURES"] == "1"))
    func writesTheGeneratedFolders() throws {
        for made in try GeneratedCase.all() {
            let folder = CaseFolder.root.appending(path: made.name, directoryHint: .isDirectory)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, bytes) in made.files { try Data(bytes).write(to: folder.appending(path: name)) }
        }
    }

    @Test func readsTheSameCaseFromOneFile() throws {
        let made = try #require(try GeneratedCase.all().first)
        let parts = ["challenge", "answer", "policy"].map { name in
            "\"\(name)\":" + String(decoding: made.files["\(name).json"] ?? [], as: UTF8.self)
        }
        let file = try RecordedEvidence(json: Array("{\(parts.joined(separator: ","))}".utf8))
        #expect(try made.expected.matches(file.report()))
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
