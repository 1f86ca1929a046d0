import HostRuntime
import Testing

@Suite struct MetricsTests {
    @Test func rendersCountersAndGauges() {
        let metrics = MetricsRegistry()
        metrics.increment(.httpRequests, [.route: "/v1/x", .method: "GET", .status: "200"])
        metrics.increment(.httpRequests, [.route: "/v1/x", .method: "GET", .status: "200"], by: 2)
        metrics.increment(.httpRequests, [.route: "a\"b\\c\nd", .method: "PUT", .status: "500"])
        metrics.set(.jobsRunning, [.type: "X"], to: 3)
        metrics.adjust(.jobsRunning, [.type: "X"], by: -1)
        metrics.set(.redisDegraded, to: 0.5)
        #expect(
            metrics.exposition() == #"""
                # TYPE alfred_http_requests_total counter
                alfred_http_requests_total{route="/v1/x",method="GET",status="200"} 3
                alfred_http_requests_total{route="a\"b\\c\nd",method="PUT",status="500"} 1
                # TYPE alfred_jobs_running gauge
                alfred_jobs_running{type="X"} 2
                # TYPE alfred_redis_degraded gauge
                alfred_redis_degraded 0.5

                """#)
    }

    @Test func rendersHistogramsWithCumulativeBuckets() {
        let metrics = MetricsRegistry()
        for seconds in [0.05, 0.4, 0.5, 1000] { metrics.observe(.jobLagSeconds, [.type: "X"], seconds: seconds) }
        metrics.observe(.jobLagSeconds, [.type: "X"], .milliseconds(50))
        let lines = metrics.exposition().split(separator: "\n").map(String.init)
        #expect(lines.first == "# TYPE alfred_job_lag_seconds histogram")
        #expect(lines.contains(#"alfred_job_lag_seconds_bucket{type="X",le="0.1"} 2"#))
        #expect(lines.contains(#"alfred_job_lag_seconds_bucket{type="X",le="0.5"} 4"#))
        #expect(lines.contains(#"alfred_job_lag_seconds_bucket{type="X",le="900"} 4"#))
        #expect(lines.contains(#"alfred_job_lag_seconds_bucket{type="X",le="+Inf"} 5"#))
        #expect(lines.contains(#"alfred_job_lag_seconds_sum{type="X"} 1001"#))
        #expect(lines.contains(#"alfred_job_lag_seconds_count{type="X"} 5"#))
    }

    @Test func aLabelHasAtMostSixtyFourValues() {
        let metrics = MetricsRegistry()
        for number in 0..<500 { metrics.increment(.authFailures, [.reason: "r\(number)"]) }
        let series = metrics.exposition().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(series.count == MetricsRegistry.maximumLabelValues)
        #expect(metrics.value(of: .authFailures, [.reason: "other"]) == 437)
    }

    @Test func ignoresWhatDoesNotFitTheKind() {
        let metrics = MetricsRegistry()
        metrics.set(.authFailures, to: 1)
        metrics.increment(.redisDegraded)
        metrics.increment(.authFailures, by: -1)
        metrics.increment(.authFailures, by: .infinity)
        metrics.observe(.authFailures, seconds: 1)
        #expect(metrics.exposition().isEmpty)
    }

    @Test func aTotalCountedElsewhereIsTakenOver() {
        let metrics = MetricsRegistry()
        metrics.setTotal(.enclaveRefreshes, [.result: "ok"], to: 41)
        metrics.setTotal(.enclaveRefreshes, [.result: "ok"], to: 42)
        #expect(metrics.exposition().contains(#"alfred_enclave_refresh_total{resource="",result="ok"} 42"#))
    }

    @Test func namesFollowTheRules() {
        for metric in Metric.allCases { #expect(metric.name.wholeMatch(of: /(alfred|gen_ai)_[a-z_]+/) != nil) }
    }
}
