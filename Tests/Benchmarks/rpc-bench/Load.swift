import AttestedSession
import EnclaveProtocol
import Glibc
import Synchronization

/// One measurement: a number of calls kept in flight for some seconds, after a warm-up.
final class Load: Sendable {
    private struct State {
        var samples: [UInt32] = []
        var firstAt: UInt64 = 0
        var lastAt: UInt64 = 0
        var running = 0
        var failures = 0
    }

    private static let warmUpMilliseconds = 300
    private let name: String
    private let sessions: [Session]
    private let inFlight: Int
    private let warmAt: UInt64
    private let endAt: UInt64
    private let body = [UInt8](repeating: 1, count: 1024)
    private let state = Mutex(State())

    init(name: String, sessions: [Session], inFlight: Int, seconds: Int) {
        self.name = name
        self.sessions = sessions
        self.inFlight = inFlight
        let warm = MonotonicInstant.now.advanced(byMilliseconds: Load.warmUpMilliseconds)
        warmAt = warm.nanoseconds
        endAt = warm.advanced(bySeconds: seconds).nanoseconds
        state.withLock { $0.samples.reserveCapacity(1_000_000) }
    }

    /// Keeps the calls in flight from their completions, as an asynchronous host does.
    func run() {
        state.withLock { $0.running = inFlight }
        for index in 0..<inFlight { next(sessions[index % sessions.count]) }
        while state.withLock({ $0.running }) > 0 { usleep(10_000) }
        finish()
    }

    /// One call after the other from a thread that waits for each.
    func runBlocking() {
        while true {
            let started = MonotonicInstant.now
            let succeeded = (try? sessions[0].callAndWait(call(started))) != nil
            guard record(started, succeeded) else { break }
        }
        finish()
    }

    private func next(_ session: Session) {
        let started = MonotonicInstant.now
        session.start(call(started)) { [self] result in
            let succeeded = if case .success = result { true } else { false }
            if record(started, succeeded) {
                next(session)
            } else {
                state.withLock { $0.running -= 1 }
            }
        }
    }

    private func call(_ now: MonotonicInstant) -> OutgoingCall {
        OutgoingCall(
            method: .googleGet, body: body, deadline: now.advanced(bySeconds: 20), requestID: "0a1b2c3d4e5f6071")
    }

    /// Notes one call; false when the time is over.
    private func record(_ started: MonotonicInstant, _ succeeded: Bool) -> Bool {
        let now = MonotonicInstant.now.nanoseconds
        return state.withLock { state in
            if !succeeded { state.failures += 1 }
            guard succeeded, now < endAt else { return false }
            if now >= warmAt {
                if state.firstAt == 0 { state.firstAt = now }
                state.lastAt = now
                state.samples.append(UInt32(now - started.nanoseconds))
            }
            return true
        }
    }

    private func finish() {
        for session in sessions { session.close() }
        let result = state.withLock { $0 }
        guard result.failures == 0, result.samples.count > 1 else {
            RPCBench.fail("\(result.failures) calls failed, \(result.samples.count) succeeded")
        }
        let sorted = result.samples.sorted()
        let seconds = Double(result.lastAt - result.firstAt) / 1e9
        let rate = Int(Double(sorted.count - 1) / seconds)
        let p50 = Double(sorted[sorted.count / 2] / 100) / 10
        let p99 = Double(sorted[sorted.count * 99 / 100] / 100) / 10
        print("\(name) \(inFlight) \(rate) \(p50) \(p99)")
        fflush(nil)
    }
}
