import EnclaveClient
import EnclaveProtocol
import HostRuntime

extension APIError {
    /// What a failed call of the enclave is answered with, by the one table of `EnclaveClient`.
    init(_ error: EnclaveCallError, during operation: EnclaveOperation) {
        let failure = EnclaveErrorMapping.rest(error, during: operation)
        self.init(
            APIErrorCode(code: failure.code, status: failure.status) ?? .internalError,
            retryAfterSeconds: failure.retryAfterSeconds ?? 1)
    }
}

extension APIErrorCode {
    /// The row with this code and status; nil when the table has none.
    init?(code: String, status: Int) {
        guard let found = Self.allCases.first(where: { $0.code == code && $0.status == status }) else { return nil }
        self = found
    }
}

extension APICall {
    /// The ids that go with a call of the enclave.
    var enclaveContext: CallContext { enclaveContext(within: nil) }

    /// The same for a call that may take so long.
    func enclaveContext(within limit: Duration?) -> CallContext {
        CallContext(requestID: requestID.text, traceparent: trace.child().traceparent, deadline: limit)
    }

    /// Tells that a call of the enclave failed, by the closed name of its error.
    func note(_ error: EnclaveCallError, during operation: StaticString) {
        log.event(
            "enclave_call_failed", .warn, [LogField(.operation, "\(operation)"), LogField(.reason, error.name)])
    }
}
