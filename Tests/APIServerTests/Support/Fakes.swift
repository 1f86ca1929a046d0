import Foundation
import HostRuntime
import Synchronization

@testable import APIServer

/// A provider that answers what it is told and counts.
final class ScriptedKeySource: KeySetSource {
    private let state = Mutex((answer: Result<FetchedKeySet, KeySetFetchFailure>.failure(.unreachable), fetches: 0))

    init(_ answer: Result<FetchedKeySet, KeySetFetchFailure>) { state.withLock { $0.answer = answer } }

    var fetches: Int { state.withLock { $0.fetches } }
    func answer(_ answer: Result<FetchedKeySet, KeySetFetchFailure>) { state.withLock { $0.answer = answer } }

    func fetch() async throws(KeySetFetchFailure) -> FetchedKeySet {
        try state.withLock { state in
            state.fetches += 1
            return state.answer
        }.get()
    }
}

/// What a fleet shares, in memory; or a Redis that is away.
final class MemorySharing: KeySetSharing {
    private let state = Mutex((set: SharedKeySet?.none, isAway: false, isClaimed: false))

    init(isAway: Bool = false) { state.withLock { $0.isAway = isAway } }

    /// Another process holds the right to fetch.
    func claimElsewhere() { state.withLock { $0.isClaimed = true } }

    func load() async -> SharedKeySet? { state.withLock { $0.isAway ? nil : $0.set } }
    func save(_ set: SharedKeySet, forSeconds seconds: Int) async { state.withLock { if !$0.isAway { $0.set = set } } }

    func claimRefresh(forSeconds seconds: Int) async -> Bool? {
        state.withLock { state in
            guard !state.isAway else { return nil }
            defer { state.isClaimed = true }
            return !state.isClaimed
        }
    }

    /// The interval is over.
    func expireClaim() { state.withLock { $0.isClaimed = false } }
}

/// Unix seconds that the test moves.
final class TestClock: Sendable {
    private let seconds: Mutex<Int>
    init(_ seconds: Int = 1_800_000_000) { self.seconds = Mutex(seconds) }
    var now: Int { seconds.withLock { $0 } }
    func advance(_ by: Int) { seconds.withLock { $0 += by } }
}

/// Log lines, kept.
final class LineBuffer: Sendable {
    private let buffer = Mutex<[String]>([])
    var lines: [String] { buffer.withLock { $0 } }
    func log(_ threshold: HostLogLevel = .debug) -> HostLog {
        HostLog(
            process: .api, threshold: threshold,
            sink: LogSink { [self] line in buffer.withLock { $0.append(line) } })
    }
}

/// A free port of the loopback address.
let anyPort = HostRuntime.BindAddress("127.0.0.1:0")
