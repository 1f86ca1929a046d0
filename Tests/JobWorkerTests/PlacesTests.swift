import Testing

@testable import JobWorker

@Suite struct PlacesTests {
    @Test func keepAQuarterForPromptJobs() {
        let places = Places(maximum: 8)
        #expect(places.free == (8, 6))
        for _ in 0..<6 { places.take(isPrompt: false) }
        #expect(places.free == (2, 0))
        places.take(isPrompt: true)
        #expect(places.free == (1, 0))
        places.giveBack(isPrompt: false)
        #expect(places.free == (2, 1))
    }

    @Test func leaveRoomForBackgroundJobsInASmallWorker() {
        #expect(Places(maximum: 1).free == (1, 1))
        #expect(Places(maximum: 2).free == (2, 1))
    }

    @Test func promptJobsMayTakeEveryPlace() {
        let places = Places(maximum: 4)
        for _ in 0..<4 { places.take(isPrompt: true) }
        #expect(places.free == (0, 0))
    }
}

@Suite struct PushRetryTests {
    @Test(arguments: [(1, 1.0), (2, 2.0), (5, 16.0), (7, 60.0), (8, 60.0)])
    func waitsBetweenHalfAndFull(attempt: Int, full: Double) {
        for _ in 0..<50 {
            let wait = PushRetry.wait(after: attempt) / .seconds(1)
            #expect((full / 2...full).contains(wait))
        }
    }

    @Test func waitsAtLeastAsLongAsTheProviderAsks() {
        #expect(PushRetry.wait(after: 1, atLeast: .seconds(90)) == .seconds(90))
        #expect(PushRetry.wait(after: 7, atLeast: .milliseconds(1)) >= .seconds(30))
    }
}

@Suite struct MomentTests {
    @Test func letsEveryWaiterGoOnce() async {
        let moment = Moment()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { await moment.wait() } }
            moment.happen()
        }
        await moment.wait()
        #expect(moment.hasHappened)
    }

    @Test func keepsASignalForTheNextSleep() async {
        let wakeUp = WakeUp()
        wakeUp.signal()
        wakeUp.signal()
        #expect(await wakeUp.wait(atMost: .seconds(10)))
        #expect(await !wakeUp.wait(atMost: .milliseconds(1)))
    }
}
