import HostProcess
import Testing

@Suite struct ReadinessTests {
    @Test func reportsInTheOrderOfTheContract() async {
        let readiness = Readiness([
            ReadinessCheck(.jwks) { .degraded },
            .succeeding(.migrations) { throw CancellationError() },
            .succeeding(.database) {},
        ])
        #expect(readiness.report.map(\.verdict) == [.degraded, .degraded, .degraded], "nothing was asked yet")
        #expect(readiness.refusal == nil)
        await readiness.refresh()
        #expect(readiness.report.map(\.name) == [.database, .migrations, .jwks])
        #expect(readiness.report.map(\.verdict) == [.ok, .degraded, .degraded])
    }

    @Test func saysWhatTheDatabaseLacksUnlessItDrains() async {
        let away = Readiness([ReadinessCheck(.database) { .degraded }, ReadinessCheck(.migrations) { .degraded }])
        await away.refresh()
        #expect(away.refusal == .databaseUnavailable)
        let old = Readiness([ReadinessCheck(.database) { .ok }, ReadinessCheck(.migrations) { .degraded }])
        await old.refresh()
        #expect(old.refusal == .schemaOutdated)
        old.beginDraining()
        #expect(old.refusal == .draining)
    }
}
