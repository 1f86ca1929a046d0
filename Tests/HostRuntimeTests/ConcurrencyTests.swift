import Foundation
import HostRuntime
import Testing

private actor Counter {
    private let thread: BlockingThread
    private var count = 0
    private var threads: Set<ObjectIdentifier> = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(_ thread: BlockingThread) {
        self.thread = thread
    }

    func increment() -> (count: Int, threads: Int) {
        count += 1
        threads.insert(ObjectIdentifier(Thread.current))
        return (count, threads.count)
    }
}

@Suite struct ConcurrencyTests {
    @Test(.timeLimit(.minutes(1))) func anActorRunsOnOneThreadOfItsOwn() async {
        let counter = Counter(BlockingThread(name: "counter"))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<500 { group.addTask { _ = await counter.increment() } }
        }
        let last = await counter.increment()
        #expect(last.count == 501 && last.threads == 1)
    }

    @Test(.timeLimit(.minutes(1))) func aStoppedThreadStartsAgainWithTheNextJob() async {
        let thread = BlockingThread(name: "stopped")
        let counter = Counter(thread)
        for round in 1...20 {
            #expect(await counter.increment().count == round)
            thread.stop()
        }
    }

    @Test(.timeLimit(.minutes(1))) func aDeadlineLetsAQuickOperationThrough() async throws {
        #expect(try await withDeadline(.seconds(30)) { 7 } == 7)
        #expect(try await withDeadline(at: .now + .seconds(30)) { 8 } == 8)
    }

    @Test(.timeLimit(.minutes(1))) func aDeadlineCancelsASlowOperation() async {
        await #expect(throws: DeadlineExceeded.self) {
            try await withDeadline(.milliseconds(20)) { try await Task.sleep(for: .seconds(600)) }
        }
        await #expect(throws: DeadlineExceeded.self) {
            try await withDeadline(at: .now - .seconds(1)) { try await Task.sleep(for: .seconds(600)) }
        }
    }

    @Test(.timeLimit(.minutes(1))) func anErrorOfTheOperationComesThrough() async {
        struct Broken: Error {}
        await #expect(throws: Broken.self) { try await withDeadline(.seconds(30)) { throw Broken() } }
    }

    @Test func waitsDoubleUpToTheCap() {
        var backoff = Backoff(first: .milliseconds(100), cap: .milliseconds(350))
        for full in [100, 200, 350, 350] {
            let wait = backoff.next()
            #expect(wait >= .milliseconds(full) / 2 && wait <= .milliseconds(full))
        }
        backoff.reset()
        #expect(backoff.next() <= .milliseconds(100))
    }
}
