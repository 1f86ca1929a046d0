import Crypto
import Foundation

/// The keys of the simulated KMS, kept in a file of the state folder so that a restart opens what was sealed before.
struct KMSKeyBook {
    static let file = "kms-keys.json"

    private struct Entry: Codable {
        var description: KMSKeyDescription
        var material: [UInt8]
    }

    /// A permission that a holder of `kms:CreateGrant` gave away; policies no longer matter to it.
    struct Grant {
        var keyARN: String
        var principal: String
        var operations: Set<String>
    }

    private let url: URL
    private var entries: [String: Entry] = [:]
    var grants: [Grant] = []

    init(in folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        url = folder.appending(path: Self.file)
        if let data = try? Data(contentsOf: url) {
            entries = try JSONDecoder().decode([String: Entry].self, from: data)
        }
    }

    var descriptions: [KMSKeyDescription] { entries.values.map(\.description).sorted { $0.arn < $1.arn } }

    func key(_ arn: String) -> KMSKeyDescription? { entries[arn]?.description }

    func material(_ arn: String) -> [UInt8]? { entries[arn]?.material }

    /// Adds a key, or replaces everything of it but its material.
    mutating func put(_ key: KMSKeyDescription) throws {
        let material = entries[key.arn]?.material ?? SymmetricKey(size: .bits256).withUnsafeBytes(Array.init)
        entries[key.arn] = Entry(description: key, material: material)
        let text = String(decoding: try JSONEncoder().encode(entries), as: UTF8.self)
        try ThrowawayAuthority.write(text, to: url, mode: 0o600)
    }

    /// The key that a request names by ARN, id or alias.
    func resolve(_ name: String, account: String) -> KMSKeyDescription? {
        if let key = key(name) { return key }
        let alias = name.split(separator: ":", maxSplits: 5).last.map(String.init) ?? name
        return descriptions.first {
            ($0.alias == alias || $0.arn.hasSuffix(":key/" + name)) && accountOfARN($0.arn) == account
        }
    }
}
