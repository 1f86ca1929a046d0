import AttestedSession
import Testing

@testable import EnclaveRuntime

@Suite struct WorkerPoolTests {
    @Test func googleNeverTakesTheWholePool() {
        let pool = WorkerPool(size: 8)
        let isHeld = Monitor(true)
        let running = Monitor((now: 0, most: 0, done: 0))
        for _ in 0..<20 {
            pool.submit(waitsForGoogle: true) {
                running.withLock(wake: true) { counts in
                    counts.now += 1
                    counts.most = max(counts.most, counts.now)
                }
                _ = isHeld.wait(until: .now.advanced(bySeconds: 10)) { $0 ? nil : true }
                running.withLock(wake: true) { counts in
                    counts.now -= 1
                    counts.done += 1
                }
            }
        }
        #expect(running.wait(until: .now.advanced(bySeconds: 5)) { $0.now == 6 ? true : nil } == true)
        let local = Monitor(0)
        for _ in 0..<5 { pool.submit(waitsForGoogle: false) { local.withLock(wake: true) { $0 += 1 } } }
        #expect(local.wait(until: .now.advanced(bySeconds: 5)) { $0 == 5 ? true : nil } == true)
        isHeld.withLock(wake: true) { $0 = false }
        #expect(running.wait(until: .now.advanced(bySeconds: 5)) { $0.done == 20 ? true : nil } == true)
        #expect(running.withLock { $0.most } == 6)
        pool.stop()
    }

    @Test func aBurstDoesNotQueueBehindTheOneThreadThatIsIdle() {
        let pool = WorkerPool(size: 8)
        let started = Monitor(0)
        let isHeld = Monitor(true)
        pool.submit(waitsForGoogle: false) { started.withLock(wake: true) { $0 += 1 } }
        #expect(started.wait(until: .now.advanced(bySeconds: 5)) { $0 == 1 ? true : nil } == true)
        // It has gone to sleep by now; none of these may wait for another.
        Threads.sleep(milliseconds: 20)
        for _ in 0..<4 {
            pool.submit(waitsForGoogle: false) {
                started.withLock(wake: true) { $0 += 1 }
                _ = isHeld.wait(until: .now.advanced(bySeconds: 10)) { $0 ? nil : true }
            }
        }
        #expect(started.wait(until: .now.advanced(bySeconds: 5)) { $0 == 5 ? true : nil } == true)
        isHeld.withLock(wake: true) { $0 = false }
        pool.stop()
    }

    @Test func waitsEndWithTheirDeadline() {
        let monitor = Monitor(0)
        let start = MonotonicInstant.now
        #expect(monitor.wait(until: start.advanced(byMilliseconds: 30)) { $0 > 0 ? true : nil } == nil)
        #expect(MonotonicInstant.now >= start.advanced(byMilliseconds: 30))
    }
}
