import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import Synchronization
import Testing

@testable import HostProcess

/// Every step of start-up fails with its own name and a reason that a person can act on.
@Suite struct ProcessStartUpTests {
    @Test func saysThatRedisIsAway() async throws {
        #expect(
            await failure(try startUp(["REDIS_URL": "redis://127.0.0.1:1"]))
                == StartUpFailure(step: .redis, reason: "unavailable"))
    }

    @Test func saysWhyThereIsNoDatabase() async throws {
        let missing = try TestServer.address(of: "no_such_database")
        #expect(
            await failure(try startUp(["DATABASE_URL": missing]))
                == StartUpFailure(step: .database, reason: "no_such_database"))
    }

    @Test func saysThatTheSchemaIsNotThisReleases() async throws {
        let bare = try TestServer.address(of: "postgres")
        #expect(
            await failure(try startUp(["DATABASE_URL": bare]))
                == StartUpFailure(step: .schema, reason: "schema_outdated"))
    }

    @Test func saysThatTheHostKeyOrTheEnclaveIsAway() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "alfred-start-up-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let key = folder.appending(path: "host.key").path
        let contents = Data(Data(repeating: 7, count: 32).base64EncodedString().utf8)
        #expect(FileManager.default.createFile(atPath: key, contents: contents, attributes: [.posixPermissions: 0o600]))
        let startUp = try await startUp([
            "DATABASE_URL": TestServer.migrated(), "ENCLAVE_RUNTIME_MODE": "dev-shim",
            "ENCLAVE_RPC_CLIENT_KEY_PATH": key, "ENCLAVE_RUNTIME_BASE_URL": "unix://\(folder.path)/none",
            "ENCLAVE_RUNTIME_PROBE_ATTEMPTS": "1", "TEE_ALLOW_INSECURE_DEV_ATTESTATION": "true",
        ])
        #expect(await failure(startUp) == StartUpFailure(step: .enclave, reason: "health unreachable"))
        try FileManager.default.removeItem(atPath: key)
        #expect(await failure(startUp) == StartUpFailure(step: .enclaveKey, reason: "unreadable"))
    }

    @Test func givesTheRecordPortItsOwnPoolAndAsksEveryPart() async throws {
        let metrics = MetricsRegistry()
        let parts = try await startUp(["DATABASE_URL": TestServer.migrated()], metrics).run()
        #expect(parts.records.configuration.maximumConnections == 2)
        #expect(parts.pool.configuration.maximumConnections > 2)
        let readiness = Readiness(parts.readinessChecks(metrics))
        await readiness.refresh()
        #expect(readiness.report.map(\.name) == [.database, .migrations, .redis, .enclave])
        #expect(readiness.report.prefix(3).allSatisfy { $0.verdict == .ok })
        #expect(metrics.exposition().contains("alfred_redis_degraded 0"))
        parts.shutdown()
        await readiness.refresh()
        #expect(readiness.refusal == .databaseUnavailable)
        #expect(metrics.exposition().contains("alfred_redis_degraded 1"))
    }

    @Test func reportsAFailureOnceAndEndsWithOne() {
        let lines = Mutex<[String]>([])
        let sink = LogSink { line in lines.withLock { $0.append(line) } }
        let failure = StartUpFailure(step: .enclaveKey, reason: "unreadable")
        #expect(failure.report(to: HostLog(process: .api, threshold: .debug, sink: sink)) == 1)
        let written = lines.withLock { $0 }
        #expect(written.count == 1)
        for part in [#""event":"startup_failed""#, #""step":"enclave_key""#, #""reason":"unreadable""#] {
            #expect(written.first?.contains(part) == true, "\(written)")
        }
    }

    private func failure(_ startUp: ProcessStartUp) async -> StartUpFailure? {
        do throws(StartUpFailure) {
            try await startUp.run().shutdown()
            return nil
        } catch {
            return error
        }
    }

    /// The steps in local with mode `disabled` and the run's Redis, unless `changes` say otherwise.
    private func startUp(
        _ changes: [String: String], _ metrics: MetricsRegistry = MetricsRegistry()
    ) throws -> ProcessStartUp {
        let standard = [
            "DATABASE_URL": "postgres://u@127.0.0.1:1/x", "REDIS_URL": try TestServer.redis(),
            "ENCLAVE_RUNTIME_MODE": "disabled", "ENCLAVE_RUNTIME_BASE_URL": "unix:///none",
            "TEE_EXPECTED_RUNTIME": "alfred", "OPENROUTER_API_KEY": "none",
        ]
        let loaded = EnvironmentSource.load(
            process: .api, environment: standard.merging(changes) { $1 }, directory: NSTemporaryDirectory())
        var reader = ConfigurationReader(loaded)
        let startUp = ProcessStartUp(
            general: GeneralConfiguration(reading: &reader), storage: StorageConfiguration(reading: &reader),
            enclave: EnclaveConnectionConfiguration(reading: &reader),
            attestation: AttestationConfiguration(reading: &reader),
            keyAccess: KeyAccessConfiguration(reading: &reader), llm: LLMConfiguration(reading: &reader),
            reliability: LLMReliabilityConfiguration(reading: &reader), role: .api,
            log: HostLog(process: .api, threshold: .error, sink: LogSink { _ in }), metrics: metrics)
        try reader.finish()
        return startUp
    }
}
