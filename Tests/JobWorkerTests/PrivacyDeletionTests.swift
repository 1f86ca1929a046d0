import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import Synchronization
import Testing

@testable import HostStorage
@testable import JobWorker

/// The steps of erasing a user, on a real database and a real Redis, with an enclave that does as it is told.
@Suite(.serialized, .freshDatabase) struct PrivacyDeletionTests {
    private struct Erasure {
        let world: WorkerWorld
        let user: UUID
        let connector: UUID
        let request: UUID
        let lines = LineBox()

        init() async throws {
            world = try await WorkerWorld(ScriptedEnclave(events: []))
            (user, connector) = try await world.connectedUser()
            request = try await PrivacyRequestRepository(world.database.pool).open(for: user)
        }

        /// One round of a worker; true when a request was taken up.
        func round(_ enclave: ScriptedPrivacyEnclave, redis: String? = nil) async throws -> Bool {
            var reader = ConfigurationReader(
                EnvironmentSource.load(
                    process: .worker, environment: ["WORKER_PRIVACY_DELETE_REVOKE_MAX_ATTEMPTS": "2"], directory: "/"))
            let lines = lines
            let deletion = PrivacyDeletion(
                PrivacyDeletion.Parts(
                    configuration: WorkerConfiguration(reading: &reader), pool: world.database.pool,
                    keys: UserKeys(try await Self.connect(redis), buckets: ["read", "privacy_delete_all"]),
                    enclave: enclave,
                    listener: Listener(
                        PostgresConfiguration(url: world.database.url, listenURL: "off"), channels: [.privacy]),
                    log: HostLog(process: .worker, sink: LogSink { lines.add($0) }), metrics: world.metrics))
            try await world.database.sql("update alfred.privacy_delete_requests set next_attempt_at = now()")
            return try await deletion.round() == 1
        }

        static func connect(_ url: String? = nil) async throws -> RedisConnection {
            let own = try #require(ProcessInfo.processInfo.environment["TEST_REDIS_URL"])
            return try RedisConnection(RedisOptions(url: url ?? own, timeout: .seconds(5)))
        }

        func column(_ name: String) async throws -> String? {
            try await world.database.text("select \(name)::text from alfred.privacy_delete_requests")
        }

        var isDeleted: Bool {
            get async throws { try await world.database.count("alfred.users where status = 'DELETED'") == 1 }
        }
    }

    @Test func isCompletedOnlyWhenTheEnclaveHasForgottenTheUser() async throws {
        let erasure = try await Erasure()
        let enclave = ScriptedPrivacyEnclave(failures: [.unreachable, .timedOut])
        for reason in ["forget_unreachable", "forget_timeout"] {
            #expect(try await erasure.round(enclave))
            #expect(try await erasure.isDeleted, "nothing of the user is left already")
            #expect(try await erasure.column("status") == "QUEUED")
            #expect(try await erasure.column("failure_reason") == reason)
        }
        #expect(try await erasure.round(enclave))
        #expect(try await erasure.column("status") == "COMPLETED")
        #expect(try await erasure.column("revoked_connectors") == "1")
        #expect(enclave.calls == ["revoke", "forget", "forget", "forget"], "revoked once, completed last")
        #expect(try await !erasure.round(enclave))
    }

    @Test func nothingWaitsInTheQueuesOfAUserWhoseGrantCannotBeRevokedYet() async throws {
        let erasure = try await Erasure()
        try await erasure.world.database.sql(
            """
            insert into alfred.jobs (user_id, type, due_at, idempotency_key)
            select $1, 'TEST_NOTIFICATION', now(), n::text from generate_series(1, 1200) n
            """, [.uuid(erasure.user)])
        #expect(try await erasure.round(ScriptedPrivacyEnclave { _ in .failure(.unreachable) }))
        #expect(try await erasure.world.database.count("alfred.users where frozen_at is not null") == 1)
        #expect(try await erasure.world.database.count("alfred.jobs") == 0)
        #expect(try await erasure.world.database.count("alfred.connectors where status = 'ACTIVE'") == 1)
    }

    @Test func isCompletedOnlyWhenTheKeysInRedisAreDeleted() async throws {
        let erasure = try await Erasure()
        let redis = try await Erasure.connect()
        let other = UUID()
        let keys = UserKeys(redis, buckets: ["read", "privacy_delete_all"])
        for key in keys.keys(of: erasure.user) + keys.keys(of: other) {
            _ = try await redis.set(key, [1], expiresIn: .seconds(60))
        }
        let enclave = ScriptedPrivacyEnclave()
        #expect(try await erasure.round(enclave, redis: "redis://127.0.0.1:1/0"))
        #expect(try await erasure.column("status") == "QUEUED")
        #expect(try await erasure.column("failure_reason") == "redis_unavailable")
        #expect(try await erasure.round(enclave))
        #expect(try await erasure.column("status") == "COMPLETED")
        #expect(keys.keys(of: erasure.user).count == 3)
        for key in keys.keys(of: erasure.user) { #expect(try await redis.get(key) == nil, "\(key)") }
        for key in keys.keys(of: other) { #expect(try await redis.get(key) == [1], "another user's") }
    }

    /// A connect that completes between the revocation and the purge brings a grant that nobody revoked.
    @Test func aGrantThatCameMeanwhileIsRevokedToo() async throws {
        let erasure = try await Erasure()
        let (database, connector) = (erasure.world.database, erasure.connector)
        let enclave = ScriptedPrivacyEnclave { time in
            if time == 1 {
                let change = "update alfred.connectors set record_version = 7 where id = '\(connector)'"
                do { try await database.sql(change) } catch { return .failure(.unreachable) }
                return .success(2)
            }
            do { try await database.sql("update alfred.connectors set record_version = 8") } catch {
                return .failure(.unreachable)
            }
            return .success(8)
        }
        #expect(try await erasure.round(enclave))
        #expect(enclave.calls == ["revoke", "revoke", "forget"])
        #expect(try await erasure.column("status") == "COMPLETED")
        #expect(try await erasure.column("unrevoked_connectors") == "0")
        #expect(try await database.count("alfred.pending_revocations") == 0)
    }

    @Test(arguments: [EnclaveErrorCode.sealedDataRejected, .recordMissing])
    func whatIsRefusedForGoodDoesNotHoldUpTheRest(_ code: EnclaveErrorCode) async throws {
        let erasure = try await Erasure()
        let enclave = ScriptedPrivacyEnclave { _ in .failure(.failed(EnclaveFailure(code))) }
        #expect(try await erasure.round(enclave))
        #expect(enclave.calls == ["revoke", "forget"])
        #expect(try await erasure.column("status") == "COMPLETED")
        #expect(try await erasure.column("unrevoked_connectors") == "1")
        #expect(try await erasure.column("unrevoked_reason") == code.name)
    }

    /// Anything else may be over tomorrow: tried again as often as is allowed, and told only then.
    @Test(arguments: [EnclaveErrorCode.keyPolicyMismatch, .providerFailed, .recordRolledBack, .recordConflict])
    func whatMayPassIsTriedAgain(_ code: EnclaveErrorCode) async throws {
        let erasure = try await Erasure()
        let enclave = ScriptedPrivacyEnclave { _ in .failure(.failed(EnclaveFailure(code))) }
        #expect(try await erasure.round(enclave))
        #expect(try await erasure.column("status") == "QUEUED")
        #expect(try await erasure.column("failure_reason") == "revoke_\(code.name)")
        #expect(try await !erasure.isDeleted)
        #expect(try await erasure.round(enclave))
        #expect(try await erasure.column("status") == "COMPLETED")
        #expect(try await erasure.column("unrevoked_connectors") == "1")
    }

    /// Daily for thirty days, and then it is dropped and said so; the user's number stays what it is.
    @Test func aGrantThatNobodyRevokesIsTriedDailyAndDroppedInTheEnd() async throws {
        let erasure = try await Erasure()
        let database = erasure.world.database
        let enclave = ScriptedPrivacyEnclave { _ in .failure(.failed(EnclaveFailure(.providerUnavailable))) }
        #expect(try await erasure.round(enclave))
        #expect(try await erasure.round(enclave))
        #expect(try await erasure.column("unrevoked_connectors") == "1")

        let lines = erasure.lines
        let keeper = GrantKeeper(
            pool: database.pool, enclave: enclave, log: HostLog(process: .worker, sink: LogSink { lines.add($0) }))
        let before = enclave.calls.count
        await keeper.round()
        #expect(enclave.calls.count == before, "the first try is a day later")
        for day in 1...29 {
            try await database.sql(
                """
                update alfred.pending_revocations set next_attempt_at = next_attempt_at - interval '1 day',
                    delete_after = delete_after - interval '1 day'
                """)
            await keeper.round()
            await keeper.round()
            #expect(enclave.calls.count == before + day, "once a day")
        }
        #expect(lines.count(of: "pending_revocation_failed") == 29)
        #expect(lines.count(of: "pending_revocations_expired") == 0)
        try await database.sql("update alfred.pending_revocations set delete_after = now()")
        await keeper.round()
        #expect(enclave.calls.count == before + 29)
        #expect(try await database.count("alfred.pending_revocations") == 0)
        #expect(lines.count(of: "pending_revocations_expired") == 1)
        #expect(try await erasure.column("unrevoked_connectors") == "1", "it never was revoked")
    }

    /// An enclave that cannot be reached is no try.
    @Test func aDayWithoutTheEnclaveCostsNoTry() async throws {
        let erasure = try await Erasure()
        let enclave = ScriptedPrivacyEnclave { time in
            time <= 2 ? .failure(.failed(EnclaveFailure(.providerUnavailable))) : .failure(.unreachable)
        }
        #expect(try await erasure.round(enclave))
        #expect(try await erasure.round(enclave))
        let database = erasure.world.database
        let keeper = GrantKeeper(pool: database.pool, enclave: enclave, log: erasure.world.silentLog)
        try await database.sql("update alfred.pending_revocations set next_attempt_at = now()")
        await keeper.round()
        #expect(enclave.calls.filter { $0 == "revoke" }.count == 3)
        let row = "alfred.pending_revocations where attempts = 0 and next_attempt_at < now() + interval '2 hours'"
        #expect(try await database.count(row) == 1)
    }
}

/// Lines of a log.
final class LineBox: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }
    func count(of event: String) -> Int { lines.withLock { $0.count { $0.contains("\"\(event)\"") } } }
}
