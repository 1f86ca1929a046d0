internal import AttestedSession
internal import EnclaveProtocol
internal import EnclaveVault
internal import Synchronization

/// The open sessions over which the enclave can ask hosts for records.
final class CallbackSessions: Sendable {
    /// Sessions of one host key that are asked in turn: one host with many silent sessions must not hold a thread long.
    private static let maximumPerHost = 3

    /// A struct around the closure: a closure that is itself the value of a `Mutex` is wrapped once more each time it is
    /// read, and the chain that calls it grows until the stack is used up.
    private struct Source: Sendable {
        var sessions: @Sendable () -> [Session]
    }

    private let source = Mutex(Source { [] })

    /// Says where the sessions are, once there is a listener.
    func use(_ source: @escaping @Sendable () -> [Session]) { self.source.withLock { $0.sessions = source } }

    /// Sessions that answer callbacks, `first` in front, then the youngest of each host.
    func candidates(first: Session) -> [Session] {
        var asked: [[UInt8]: Int] = [:]
        let others = source.withLock { $0.sessions }()
            .filter { $0.id != first.id && $0.role != .operation && $0.acceptsCalls }
            .sorted { $0.id > $1.id }
            .filter { session in
                asked[session.peerStaticKey, default: 0] += 1
                return asked[session.peerStaticKey, default: 0] <= Self.maximumPerHost
            }
        return (first.isOpen ? [first] : []) + others
    }

    func port(for ticket: CallTicket) -> SessionPort {
        SessionPort(
            sessions: self, session: ticket.session, requestID: ticket.call.requestID,
            traceparent: ticket.call.traceparent, deadline: ticket.call.deadline)
    }
}

/// The host's records, asked for by callbacks; nothing that comes back is trusted before the vault has opened it.
struct SessionPort: RecordPort {
    /// Longest wait for one callback, in milliseconds.
    private static let timeoutMilliseconds = 5000

    let sessions: CallbackSessions
    let session: Session
    let requestID: String
    let traceparent: String?
    /// Nil for work that outlives its call; it may use any open session.
    let deadline: MonotonicInstant?

    /// The same records for work that belongs to the enclave.
    var lasting: SessionPort {
        SessionPort(
            sessions: sessions, session: session, requestID: requestID, traceparent: traceparent, deadline: nil)
    }

    func record(user: UserID, connector: ConnectorID) throws(VaultError) -> StoredRecord? {
        let request = ConnectorReference(user: user, connector: connector)
        let answer: RecordGetAnswer = try call(.recordGet, request)
        return answer.record
    }

    func put(
        user: UserID, connector: ConnectorID, expectedVersion: UInt64, record: StoredRecord
    ) throws(VaultError) -> PutOutcome {
        let request = RecordPut(
            reference: ConnectorReference(user: user, connector: connector), provider: "google",
            expectedVersion: expectedVersion, record: record)
        let answer: RecordPutAnswer = try call(.recordPut, request)
        return answer.outcome
    }

    func wrappedKey(keyID: String, version: UInt32) throws(VaultError) -> WrappedKey? {
        let answer: WrappedKeyGetAnswer = try call(
            .wrappedKeyGet, WrappedKeyReference(keyID: keyID, keyVersion: version))
        return answer.key
    }

    func putWrappedKey(_ key: WrappedKey, keyID: String, version: UInt32) throws(VaultError) -> Bool {
        let answer: WrappedKeyPutAnswer = try call(
            .wrappedKeyPut,
            WrappedKeyPut(reference: WrappedKeyReference(keyID: keyID, keyVersion: version), key: key))
        return answer.inserted
    }

    private func call<Answer: WireMessage>(_ method: Method, _ request: some WireMessage) throws(VaultError) -> Answer {
        let body = request.encoded()
        for session in deadline == nil ? sessions.candidates(first: session) : [session] {
            let latest = MonotonicInstant.now.advanced(byMilliseconds: Self.timeoutMilliseconds)
            let call = OutgoingCall(
                method: method, body: body, deadline: min(latest, deadline ?? latest), requestID: requestID,
                traceparent: traceparent)
            // An answer that cannot be read is none: another host may have a better one.
            guard let bytes = try? session.callAndWait(call), let answer = try? Answer(decoding: bytes) else {
                continue
            }
            return answer
        }
        if let deadline, deadline <= .now { throw .timedOut }
        throw .recordPortFailed
    }
}
