import AttestationVerifier
import Foundation
import Testing

/// One folder of `attestation-fixtures`.
struct CaseFolder: CustomTestStringConvertible, Sendable {
    let url: URL

    var testDescription: String { url.lastPathComponent }

    /// The repository's `attestation-fixtures`.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "attestation-fixtures", directoryHint: .isDirectory)

    /// Every folder, by name.
    static func all() -> [CaseFolder] {
        let entries = try? FileManager.default.contentsOfDirectory(
            at: root, includingPropertiesForKeys: [.isDirectoryKey])
        return (entries ?? []).filter { entry in
            (try? entry.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) == true
        }.sorted { $0.lastPathComponent < $1.lastPathComponent }.map(CaseFolder.init)
    }

    func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: url.appending(path: name))) }

    func evidence() throws -> RecordedEvidence {
        try RecordedEvidence(
            challenge: bytes("challenge.json"), answer: bytes("answer.json"), policy: bytes("policy.json"))
    }

    func expected() throws -> ExpectedVerdict { try ExpectedVerdict(json: bytes("expected.json")) }
}
