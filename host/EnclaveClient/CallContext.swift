/// What a call carries besides its request.
public struct CallContext: Sendable {
    /// 1–128 characters of `[A-Za-z0-9._-]`; appears in the logs of both sides.
    public var requestID: String
    /// W3C trace context, version 00, or nil.
    public var traceparent: String?
    /// How long the caller waits, time in the queue included; nil or more than `ENCLAVE_RPC_TIMEOUT_MS` mean that.
    public var deadline: Duration?

    /// A context.
    public init(requestID: String, traceparent: String? = nil, deadline: Duration? = nil) {
        self.requestID = requestID
        self.traceparent = traceparent
        self.deadline = deadline
    }
}
