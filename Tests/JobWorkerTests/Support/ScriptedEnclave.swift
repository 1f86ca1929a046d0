import EnclaveClient
import EnclaveProtocol
import Foundation
import JobWorker
import Sodium
import Synchronization

/// An enclave with a test key: what it seals it opens for the same purpose, owner and record only.
final class ScriptedEnclave: WorkerEnclave {
    typealias Script = @Sendable (GoogleResource) async throws(EnclaveCallError) -> GoogleGetAnswer

    private struct State {
        var script: Script
        var isAvailable = true
        var reads = 0
        var revocations = 0
        var revoke: Result<GoogleRevokeAnswer, EnclaveCallError> = .success(
            GoogleRevokeAnswer(outcome: .revoked, recordVersion: 2))
    }

    private let key = Random.bytes(32)
    private let state: Mutex<State>

    init(_ script: @escaping Script) { state = Mutex(State(script: script)) }

    /// An enclave whose user has these events.
    convenience init(events: [String]) {
        self.init { _ throws(EnclaveCallError) in Self.page(events) }
    }

    static func page(_ events: [String]) -> GoogleGetAnswer {
        let json = #"{"items":[\#(events.joined(separator: ","))]}"#
        return GoogleGetAnswer(status: 200, body: Array(json.utf8), retryAfterSeconds: nil)
    }

    static func event(_ id: String, _ title: String, start: Date) -> String {
        #"{"id":"\#(id)","summary":"\#(title)","start":{"dateTime":"\#(start.formatted(.iso8601))"}}"#
    }

    var attestedMeasurement: String { "test" }
    var isAvailable: Bool { state.withLock { $0.isAvailable } }
    /// How often Google was read.
    var reads: Int { state.withLock { $0.reads } }

    /// How often a grant was revoked.
    var revocations: Int { state.withLock { $0.revocations } }

    func answerRevocations(_ answer: Result<GoogleRevokeAnswer, EnclaveCallError>) {
        state.withLock { $0.revoke = answer }
    }

    func setAvailable(_ isAvailable: Bool) { state.withLock { $0.isAvailable = isAvailable } }
    func follow(_ script: @escaping Script) { state.withLock { $0.script = script } }

    func getGoogle(
        user: UserID, connector: ConnectorID, resource: GoogleResource, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleGetAnswer {
        let script = state.withLock { state in
            state.reads += 1
            return state.script
        }
        return try await script(resource)
    }

    func revokeGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRevokeAnswer {
        try state.withLock { state -> Result<GoogleRevokeAnswer, EnclaveCallError> in
            state.revocations += 1
            return state.revoke
        }.get()
    }

    func seal(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults {
        let results = items.map { item in
            let nonce = Random.bytes(XChaCha20Poly1305.nonceBytes)
            let sealed = item.content.withUnsafeBytes { content in
                key.withUnsafeBytes { key in
                    XChaCha20Poly1305.seal(plaintext: content, key: key, nonce: nonce, ad: Self.context(item))
                }
            }
            return Result<[UInt8], EnclaveErrorCode>.success(nonce + sealed)
        }
        return DataResults(results, keyVersion: 1)
    }

    func open(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults {
        let results = items.map { item -> Result<[UInt8], EnclaveErrorCode> in
            guard item.content.count > XChaCha20Poly1305.nonceBytes else { return .failure(.sealedDataRejected) }
            let nonce = Array(item.content.prefix(XChaCha20Poly1305.nonceBytes))
            let sealed = Array(item.content.dropFirst(XChaCha20Poly1305.nonceBytes))
            let opened = sealed.withUnsafeBytes { sealed in
                key.withUnsafeBytes { key in
                    XChaCha20Poly1305.openPublic(ciphertext: sealed, key: key, nonce: nonce, ad: Self.context(item))
                }
            }
            return opened.map { .success($0) } ?? .failure(.sealedDataRejected)
        }
        return DataResults(results, keyVersion: 1)
    }

    func metrics(context: CallContext) async throws(EnclaveCallError) -> EnclaveMetrics {
        EnclaveMetrics([
            .init(name: "enclave_refresh_total", resource: "", result: "ok", count: 7),
            .init(name: "enclave_calls_served_total", resource: "google.get", result: "ok", count: 9),
        ])
    }

    private static func context(_ item: DataItem) -> [UInt8] {
        Array("\(item.purpose.rawValue)|\(item.user.uuid)|\(item.recordID)".utf8)
    }
}
