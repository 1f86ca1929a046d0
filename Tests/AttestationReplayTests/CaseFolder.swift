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

    /// Bytes of each file in it.
    func files() throws -> [String: [UInt8]] {
        let names = try FileManager.default.contentsOfDirectory(atPath: url.path)
        return Dictionary(
            uniqueKeysWithValues: try names.map { ($0, Array(try Data(contentsOf: url.appending(path: $0)))) })
    }

    /// `reason` of `expected.json`; nil where the case is accepted.
    func reason() throws -> String? {
        let json = try JSONSerialization.jsonObject(with: Data(try files()["expected.json"] ?? []))
        let members = try #require(json as? [String: Any])
        return members["reason"] as? String
    }
}
