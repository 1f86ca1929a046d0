import ArgumentParser
import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage

/// Which key versions exist, which the enclave uses, and what is sealed under each.
struct KeysStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Rows per key version and table, wrapped keys and their states.")

    @Flag(help: "Print one JSON object.") var json = false

    private struct Result: Encodable {
        struct Key: Encodable {
            let key_id: String
            let version: Int
            let state: String
            let has_lineage: Bool
        }
        struct Use: Encodable {
            let table: String
            let version: Int
            let rows: Int
        }
        struct Enclave: Encodable {
            let key_id: String
            let active_version: Int
            let decrypt_versions: [Int]
            let loaded_versions: [Int]
        }

        let enclave: Enclave?
        let keys: [Key]
        let rows: [Use]
    }

    mutating func run() async throws {
        let place = try KeyWorkplace()
        let result = try await place.use { () throws(CommandFailure) in try await Self.read(place) }
        if json { Output.json(result) } else { Self.show(result) }
    }

    private static func read(_ place: KeyWorkplace) async throws(CommandFailure) -> Result {
        let keys: [WrappedKeyState]
        let uses: [KeyUse]
        do throws(StorageError) {
            keys = try await place.rows.wrappedKeys()
            uses = try await place.rows.uses()
        } catch {
            throw .failed("keys status: " + error.explanation)
        }
        // What is stored is worth knowing also while the enclave is away.
        let status = try? await place.enclave.keysStatus(context: CallContext(requestID: "keys-status"))
        return Result(
            enclave: status.map {
                Result.Enclave(
                    key_id: $0.keyID, active_version: Int($0.activeVersion),
                    decrypt_versions: $0.decryptVersions.map(Int.init), loaded_versions: $0.loadedVersions.map(Int.init)
                )
            },
            keys: keys.map {
                Result.Key(key_id: $0.keyID, version: $0.version, state: $0.state, has_lineage: $0.hasLineage)
            },
            rows: uses.map { Result.Use(table: $0.table.rawValue, version: $0.keyVersion, rows: $0.rows) })
    }

    private static func show(_ result: Result) {
        if let enclave = result.enclave {
            let others = enclave.decrypt_versions.map(String.init).joined(separator: ", ")
            Output.line(
                "enclave  active \(enclave.active_version), opens also \(others.isEmpty ? "none" : others), key "
                    + visible(enclave.key_id))
        } else {
            Output.line("enclave  no answer")
        }
        for key in result.keys {
            Output.line(
                "key      version \(key.version) \(key.state)\(key.has_lineage ? "" : " (first, or without lineage)"), "
                    + visible(key.key_id))
        }
        let versions = Set(result.rows.map(\.version)).sorted()
        for version in versions {
            for use in result.rows where use.version == version {
                Output.line("rows     version \(version)  \(use.table)  \(use.rows)")
            }
        }
        if versions.isEmpty { Output.line("rows     nothing is sealed yet") }
    }
}

/// Marks a key version as no longer in use.
struct RetireCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Marks a key version as retired; refused while anything needs it.")

    @Argument(help: "The version.") var version: Int
    @Flag(help: "Print one JSON object.") var json = false

    private struct Result: Encodable {
        let retired: Int
        let keys: Int
    }

    mutating func run() async throws {
        guard version >= 1 else { throw CommandFailure.unusable("keys retire: a version is 1 or more") }
        let place = try KeyWorkplace()
        let version = version
        let count = try await place.use { () throws(CommandFailure) in try await Self.retire(version, place) }
        place.logChange("key_retired", [LogField(.keyVersion, version)])
        if json {
            Output.json(Result(retired: version, keys: count))
        } else {
            Output.line("version \(version) is retired")
        }
    }

    private static func retire(_ version: Int, _ place: KeyWorkplace) async throws(CommandFailure) -> Int {
        let left = try await stored { () throws(StorageError) in try await place.rows.uses() }
            .filter { $0.keyVersion == version }
        guard left.isEmpty else {
            let tables = left.map { "\($0.table.rawValue) \($0.rows)" }.joined(separator: ", ")
            throw .failed("keys retire: rows are still under version \(version): \(tables)")
        }
        try await refuseWhileInUse(version, place)
        let count = try await stored { () throws(StorageError) in try await place.rows.retire(version: version) }
        guard count > 0 else { throw .failed("keys retire: there is no key of version \(version)") }
        return count
    }

    private static func refuseWhileInUse(_ version: Int, _ place: KeyWorkplace) async throws(CommandFailure) {
        let status: KeysStatus
        do throws(EnclaveCallError) {
            status = try await place.enclave.keysStatus(context: CallContext(requestID: "keys-retire"))
        } catch {
            throw .failed("keys retire: " + error.explanation)
        }
        if Int(status.activeVersion) == version {
            throw .failed("keys retire: version \(version) is the enclave's active one")
        }
        if status.decryptVersions.contains(where: { Int($0) == version }) {
            throw .failed(
                "keys retire: the enclave may still open version \(version): deploy the release without it first")
        }
    }

    private static func stored<Answer>(
        _ body: () async throws(StorageError) -> Answer
    ) async throws(CommandFailure) -> Answer {
        do throws(StorageError) {
            return try await body()
        } catch {
            throw .failed("keys retire: " + error.explanation)
        }
    }
}
