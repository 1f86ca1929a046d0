internal import AttestedSession
internal import EnclaveProtocol
internal import Sodium

/// The Nitro secure module behind `/dev/nsm`, or behind a Unix socket in its place.
///
/// The driver serves one call at a time and may hold it for two minutes. So one thread of this client calls it, and
/// whoever asks waits for that thread no longer than the deadline. While a call is overdue every other one fails at once:
/// a module that is stuck costs nobody else's time, the listener's least of all.
public final class NSMClient: SecureModule {
    /// Longest wait for one answer, in milliseconds: as long as a host waits for evidence by default.
    public static let standardMilliseconds = 2000
    /// Requests that wait behind one another; beyond, the module counts as stuck.
    private static let maximumWaiting = 16

    typealias Transport =
        @Sendable (_ request: [UInt8], _ deadline: MonotonicInstant) throws(SecureModuleError) -> [UInt8]

    private final class Request: Sendable {
        let bytes: [UInt8]
        let deadline: MonotonicInstant
        let answer = Monitor<Result<[UInt8], SecureModuleError>?>(nil)

        init(_ bytes: [UInt8], _ deadline: MonotonicInstant) {
            self.bytes = bytes
            self.deadline = deadline
        }
    }

    private struct State {
        var waiting: [Request] = []
        /// Deadline of the request that is with the module.
        var underWay: MonotonicInstant?
        var isEnded = false
    }

    private let queue: Monitor<State>
    private let milliseconds: Int

    /// A client of what is at `path`.
    ///
    /// - Throws: `.unavailable` when there is neither a character device nor a socket.
    public convenience init(
        path: String, milliseconds: Int = NSMClient.standardMilliseconds
    ) throws(SecureModuleError) {
        let transport = try NSMTransport(path: path)
        try self.init(milliseconds: milliseconds) { request, deadline throws(SecureModuleError) in
            try transport.exchange(request, deadline: deadline)
        }
    }

    /// A client that calls `transport` with each request and its deadline, on its own thread.
    init(milliseconds: Int, transport: @escaping Transport) throws(SecureModuleError) {
        let queue = Monitor(State())
        self.queue = queue
        self.milliseconds = milliseconds
        // The thread holds the queue, not the client, and ends with it.
        guard Threads.start({ Self.serve(queue, transport) }) else { throw .unavailable }
    }

    /// Requests that wait for the thread.
    var waitingCount: Int { queue.withLock { $0.waiting.count } }

    deinit { queue.withLock(wake: true) { $0.isEnded = true } }

    public func attest(
        userData: [UInt8]?, nonce: [UInt8]?, publicKey: [UInt8]?
    ) throws(SecureModuleError) -> [UInt8] {
        let request = try NSMMessages.attestation(userData: userData, nonce: nonce, publicKey: publicKey)
        let answer = try exchange(request)
        let document = try NSMMessages.answer(
            answer, "Attestation", "document", atMost: Limits.maximumNSMDocumentBytes)
        // A document about something else would only be refused later and elsewhere.
        let own = try OwnDocument(document)
        guard own.userData == userData, own.nonce == nonce, own.publicKey == publicKey else { throw .malformed }
        return document
    }

    public func random() throws(SecureModuleError) -> [UInt8] {
        try NSMMessages.answer(
            try exchange(NSMMessages.getRandom()), "GetRandom", "random", atMost: NSMMessages.maximumRandomBytes)
    }

    private func exchange(_ bytes: [UInt8]) throws(SecureModuleError) -> [UInt8] {
        let request = Request(bytes, MonotonicInstant.now.advanced(byMilliseconds: milliseconds))
        let isQueued = queue.withLock(wake: true) { state in
            if let underWay = state.underWay, underWay <= .now { return false }
            guard state.waiting.count < Self.maximumWaiting else { return false }
            state.waiting.append(request)
            return true
        }
        guard isQueued, let answer = request.answer.wait(until: request.deadline, { $0 }) else { throw .timedOut }
        return try answer.get()
    }

    private static func serve(_ queue: Monitor<State>, _ transport: Transport) {
        while true {
            let next = queue.wait(until: .distantFuture) { state -> Request?? in
                state.underWay = state.waiting.first?.deadline
                guard state.waiting.isEmpty else { return .some(state.waiting.removeFirst()) }
                return state.isEnded ? .some(.none) : .none
            }
            guard let request = next ?? nil else { return }
            // Nobody waits any more for one that has stood in the queue too long.
            guard request.deadline > .now else { continue }
            let result: Result<[UInt8], SecureModuleError>
            do throws(SecureModuleError) {
                result = .success(try transport(request.bytes, request.deadline))
            } catch {
                result = .failure(error)
            }
            request.answer.withLock(wake: true) { $0 = result }
        }
    }
}
