internal import CLinux
public import EnclaveProtocol
internal import Glibc
public import Sodium
internal import Synchronization

/// Answers what may be asked before a session, and decides who gets one; called on the listener's thread.
public protocol PlainHandler: Sendable {
    /// State of the enclave.
    func health() -> HealthAnswer
    /// The attestation document; the handler keeps it for its life.
    func document() throws(EnclaveFailure) -> DocumentAnswer
    /// Evidence for a challenge that is within the rate limit.
    func answer(_ challenge: Challenge) throws(EnclaveFailure) -> ChallengeAnswer
    /// Role of an allow-listed host key; nil refuses the handshake.
    func role(of hostKey: [UInt8]) -> Role?
    /// Whether a session of this role may open now, apart from the listener's own quota.
    func willOpen(role: Role) -> Bool
}

/// Bounds of a listener that configuration sets; the others are in `Limits`.
public struct ListenerLimits: Sendable {
    /// Open sessions; a quarter is kept for each of the roles api and worker.
    public let maximumSessions: Int
    /// Seconds after which a session takes no new call, 1–3600.
    public let sessionSeconds: Int
    /// Connections without a session.
    public let maximumPendingConnections: Int
    /// Seconds from accept to the first valid record.
    public let handshakeSeconds: Int
    /// Challenges answered per second; half of them are kept for purpose `session`.
    public let challengesPerSecond: Int

    /// Bounds; the defaults are those of the protocol.
    public init(
        maximumSessions: Int = 64, sessionSeconds: Int = Limits.maximumSessionSeconds,
        maximumPendingConnections: Int = Limits.maximumPendingConnections,
        handshakeSeconds: Int = Limits.handshakeSeconds, challengesPerSecond: Int = Limits.challengesPerSecond
    ) {
        self.maximumSessions = maximumSessions
        self.sessionSeconds = sessionSeconds
        self.maximumPendingConnections = maximumPendingConnections
        self.handshakeSeconds = handshakeSeconds
        self.challengesPerSecond = challengesPerSecond
    }
}

/// The enclave's door: one thread for all connections until their handshake is done, then a session each.
public final class SessionListener: Sendable {
    private struct State {
        var isStopping = false
        var drainUntil = MonotonicInstant(nanoseconds: 0)
    }

    /// TCP port that is listened on; 0 for other kinds of sockets.
    public let boundPort: UInt16

    let endpoint: Endpoint
    let staticKey: X25519.PrivateKey
    let plain: any PlainHandler
    let calls: any CallHandler
    let limits: ListenerLimits
    let registry: SessionRegistry
    let listening: Int32
    private let event: Int32
    private let state = Mutex(State())

    /// Binds and listens; nothing is accepted before `run`.
    public init(
        bind endpoint: Endpoint, staticKey: consuming X25519.PrivateKey, plain: any PlainHandler,
        calls: any CallHandler, limits: ListenerLimits = ListenerLimits()
    ) throws(SessionError) {
        self.endpoint = endpoint
        self.staticKey = staticKey
        self.plain = plain
        self.calls = calls
        self.limits = limits
        registry = SessionRegistry(maximum: limits.maximumSessions)
        event = try Descriptor.makeEvent()
        do throws(SessionError) {
            listening = try Sockets.listen(on: endpoint)
        } catch {
            close(event)
            throw error
        }
        boundPort = Sockets.boundPort(listening)
    }

    deinit {
        close(event)
        close(listening)
    }

    /// The sessions that are open.
    public var sessions: [Session] { registry.all }

    /// Serves until `stop`; returns when every session has ended. Call once.
    public func run() {
        let lobby = Lobby(self)
        while !state.withLock({ $0.isStopping }) { lobby.turn(wakingOn: event) }
        lobby.close()
        shutdown(listening, Int32(SHUT_RDWR))
        if case .unix(let path) = endpoint { unsafe unlink(path) }
        drain()
    }

    /// Stops accepting; sessions may finish what is under way for `drainSeconds`, then they are closed.
    public func stop(drainSeconds: Int = 0) {
        state.withLock { state in
            state.isStopping = true
            state.drainUntil = MonotonicInstant.now.advanced(bySeconds: drainSeconds)
            Descriptor.signal(event)
        }
    }

    private func drain() {
        let until = state.withLock { $0.drainUntil }
        waitForSessions(until: until) { $0.allSatisfy { $0.callsServed == 0 } }
        for session in sessions { session.close(.draining) }
        waitForSessions(until: MonotonicInstant.now.advanced(bySeconds: 2)) { $0.isEmpty }
    }

    private func waitForSessions(until deadline: MonotonicInstant, _ isDone: ([Session]) -> Bool) {
        while !isDone(sessions), MonotonicInstant.now < deadline {
            var nothing: [pollfd] = []
            Descriptor.wait(&nothing, milliseconds: 10)
        }
    }
}
