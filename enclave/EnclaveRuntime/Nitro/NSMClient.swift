internal import AttestedSession
internal import EnclaveProtocol
internal import Sodium

/// The Nitro secure module behind `/dev/nsm`, or behind a Unix socket in its place.
///
/// The driver serves one call at a time and may hold it for two minutes. So one thread of this client calls it, and
/// whoever asks waits for that thread no longer than the deadline; a module that is stuck costs no other thread.
public final class NSMClient: SecureModule {
    /// Longest wait for one answer, in milliseconds: as long as a host waits for evidence by default.
    public static let standardMilliseconds = 2000
    /// Requests that wait behind one another; beyond, the module counts as stuck.
    private static let maximumWaiting = 16

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
        var isEnded = false
    }

    private let queue: Monitor<State>
    private let milliseconds: Int

    /// A client of what is at `path`.
    ///
    /// - Throws: `.unavailable` when there is neither a character device nor a socket.
    public init(path: String, milliseconds: Int = NSMClient.standardMilliseconds) throws(SecureModuleError) {
        let transport = try NSMTransport(path: path)
        let queue = Monitor(State())
        self.queue = queue
        self.milliseconds = milliseconds
        // The thread holds the queue, not the client, and ends with it.
        guard Threads.start({ Self.serve(queue, transport) }) else { throw .unavailable }
    }

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
            guard state.waiting.count < Self.maximumWaiting else { return false }
            state.waiting.append(request)
            return true
        }
        guard isQueued, let answer = request.answer.wait(until: request.deadline, { $0 }) else { throw .timedOut }
        return try answer.get()
    }

    private static func serve(_ queue: Monitor<State>, _ transport: NSMTransport) {
        while true {
            let next = queue.wait(until: .distantFuture) { state -> Request?? in
                guard state.waiting.isEmpty else { return .some(state.waiting.removeFirst()) }
                return state.isEnded ? .some(.none) : .none
            }
            guard let request = next ?? nil else { return }
            // Nobody waits any more for one that has stood in the queue too long.
            guard request.deadline > .now else { continue }
            let result: Result<[UInt8], SecureModuleError>
            do throws(SecureModuleError) {
                result = .success(try transport.exchange(request.bytes, deadline: request.deadline))
            } catch {
                result = .failure(error)
            }
            request.answer.withLock(wake: true) { $0 = result }
        }
    }
}
