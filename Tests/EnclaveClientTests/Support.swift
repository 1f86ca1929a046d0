import AttestationVerifier
import AttestedSession
import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import Sodium
import Synchronization
import Testing

/// A host with a key of its own, the enclave it talks to, and what it counted.
struct TestHost: Sendable {
    let key = HostKey(X25519.PrivateKey())
    let metrics = MetricsRegistry()
    let records = MemoryRecords()
    var role = Role.api

    func enclave(
        _ identity: FakeEnclave.Identity = .init(), port: UInt16 = 0, sessionSeconds: Int = 3600,
        script: @escaping Script = FakeEnclave.echo
    ) throws -> FakeEnclave {
        try FakeEnclave(
            hosts: [key.publicKey: role], identity: identity, port: port, sessionSeconds: sessionSeconds,
            script: script)
    }

    func policy(_ enclave: FakeEnclave) -> AttestationPolicy {
        AttestationPolicy(
            expectedRuntime: "dev-shim", environment: "local",
            allowedMeasurements: [AcceptedMeasurement(name: "laptop", "dev-local-enclave")],
            publicKeys: [enclave.publicKey], maximumAgeSeconds: 300)
    }

    func client(
        of enclave: FakeEnclave, sessions: Int = 1, credentials: (any CredentialSource)? = nil,
        change: (inout EnclaveClientConfiguration) -> Void = { _ in }
    ) -> EnclaveClient {
        var configuration = EnclaveClientConfiguration(
            mode: .devShim, endpoint: .tcp(host: "127.0.0.1", port: enclave.port), role: role, sessions: sessions,
            callTimeout: .seconds(10), probeAttempts: 1, policy: policy(enclave))
        change(&configuration)
        return EnclaveClient(
            configuration: configuration, hostKey: key, records: records, credentials: credentials, metrics: metrics,
            log: HostLog(process: .tests, threshold: .error))
    }
}

/// Runs a client for as long as `body` takes.
func running(
    _ client: EnclaveClient, _ body: @escaping @Sendable () async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await client.run() }
        defer { group.cancelAll() }
        try await body()
    }
}

/// Waits until `condition` holds; false after 10 seconds.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < deadline {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return condition()
}

extension EnclaveClient {
    /// Seals one byte string; the shortest way to make a call.
    func sealed(_ content: [UInt8] = [1], id: String = "req-1", within limit: Duration? = nil)
        async throws(EnclaveCallError)
        -> [UInt8]
    {
        try await seal(item(content), context: CallContext(requestID: id, deadline: limit)).sealed
    }

    /// Seals `content` with an enclave that echoes, and expects it back.
    func expectEcho(_ content: [UInt8]) async throws(EnclaveCallError) {
        let answer = try await sealed(content)
        #expect(answer == content)
    }

    private func item(_ content: [UInt8]) -> DataItem {
        DataItem(purpose: .apiAnswer, user: UserID(UUID()), recordID: "row", content: content)
    }
}

/// Records and wrapped keys in memory, with the rules of the database.
final class MemoryRecords: RecordStore {
    private struct State {
        var records: [ConnectorReference: SealedRecord] = [:]
        var keys: [String: WrappedKey] = [:]
    }
    private let state = Mutex(State())

    func record(of reference: ConnectorReference) async throws(EnclaveFailure) -> SealedRecord? {
        state.withLock { $0.records[reference] }
    }

    func put(_ put: RecordPut) async throws(EnclaveFailure) -> RecordPutAnswer.Outcome {
        state.withLock { state in
            guard (state.records[put.reference]?.recordVersion ?? 0) == put.expectedVersion else { return .conflict }
            state.records[put.reference] = put.record
            return .stored
        }
    }

    func wrappedKey(_ reference: WrappedKeyReference) async throws(EnclaveFailure) -> WrappedKey? {
        state.withLock { $0.keys["\(reference.keyID)/\(reference.keyVersion)"] }
    }

    func insertWrappedKey(_ put: WrappedKeyPut) async throws(EnclaveFailure) -> Bool {
        state.withLock { state in
            let name = "\(put.reference.keyID)/\(put.reference.keyVersion)"
            guard state.keys[name] == nil else { return false }
            state.keys[name] = put.key
            return true
        }
    }
}
