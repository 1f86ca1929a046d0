import HostRuntime
import NIOPosix
import Synchronization
import Testing

@testable import APIServer

@Suite struct RequestDeadlineTests {
    private let executor = LoopExecutor(MultiThreadedEventLoopGroup.singleton.next())

    @Test func anAnswerInTimeIsGivenAsItIs() async throws {
        let deadlines = RequestDeadlines(limit: .seconds(60))
        for number in 0..<100 { #expect(try await deadlines.run(on: executor) { number } == number) }
    }

    @Test func workBeyondItsTimeIsCancelledAndWaitedFor() async throws {
        let deadlines = RequestDeadlines(limit: .milliseconds(50))
        let ended = Atomic(0)
        await #expect(throws: DeadlineExceeded.self) {
            try await deadlines.run(on: executor) {
                try? await Task.sleep(for: .seconds(60))
                ended.add(1, ordering: .relaxed)
            }
        }
        #expect(ended.load(ordering: .relaxed) == 1)
        // And the watch goes on for those that come later.
        await #expect(throws: DeadlineExceeded.self) {
            try await deadlines.run(on: executor) { try? await Task.sleep(for: .seconds(60)) }
        }
    }

    @Test func manyAtOnceEachHaveTheirOwnEnd() async throws {
        let deadlines = RequestDeadlines(limit: .milliseconds(200))
        let late = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask {
                    do throws(DeadlineExceeded) {
                        try await deadlines.run(on: executor) {
                            if number.isMultiple(of: 2) { try? await Task.sleep(for: .seconds(60)) }
                        }
                        return false
                    } catch {
                        return number.isMultiple(of: 2)
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(late == 100)
    }

    @Test func whoeverIsCancelledCancelsItsWork() async throws {
        let deadlines = RequestDeadlines(limit: .seconds(60))
        let task = Task {
            try await deadlines.run(on: executor) {
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                return Task.isCancelled
            }
        }
        task.cancel()
        #expect(try await task.value)
    }
}
