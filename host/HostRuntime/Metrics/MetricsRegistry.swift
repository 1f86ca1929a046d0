internal import Synchronization

/// The metrics of one process, read as Prometheus text.
public final class MetricsRegistry: Sendable {
    /// The values of a metric's labels; a label the metric has not is ignored, one not given is empty.
    public typealias Labels = [MetricLabel: String]

    /// Different values a label may have; further ones count as `other`.
    public static let maximumLabelValues = 64
    /// Content type of `exposition`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    struct Histogram {
        var buckets: [UInt64]
        var count: UInt64 = 0
        var sum = 0.0

        mutating func add(_ value: Double, bucket: Int?) {
            if let bucket { buckets[bucket] += 1 }
            count += 1
            sum += value
        }
    }

    struct State {
        var numbers: [Metric: [[String]: Double]] = [:]
        var histograms: [Metric: [[String]: Histogram]] = [:]
        var labelValues: [LabelKey: Set<String>] = [:]
    }

    struct LabelKey: Hashable {
        let metric: Metric
        let label: MetricLabel
    }

    private let state = Mutex(State())

    public init() {}

    /// Adds to a counter; a negative amount and a metric of another kind are ignored.
    public func increment(_ metric: Metric, _ labels: Labels = [:], by amount: Double = 1) {
        guard metric.kind == .counter, amount.isFinite, amount >= 0 else { return }
        state.withLock { state in
            let key = state.key(metric, labels)
            state.numbers[metric, default: [:]][key, default: 0] += amount
        }
    }

    /// Sets a counter to a total that is counted elsewhere, such as in the enclave.
    public func setTotal(_ metric: Metric, _ labels: Labels = [:], to total: Double) {
        guard metric.kind == .counter, total.isFinite, total >= 0 else { return }
        state.withLock { state in
            let key = state.key(metric, labels)
            state.numbers[metric, default: [:]][key] = total
        }
    }

    /// Sets a gauge.
    public func set(_ metric: Metric, _ labels: Labels = [:], to value: Double) {
        guard metric.kind == .gauge, value.isFinite else { return }
        state.withLock { state in
            let key = state.key(metric, labels)
            state.numbers[metric, default: [:]][key] = value
        }
    }

    /// Changes a gauge by `difference`.
    public func adjust(_ metric: Metric, _ labels: Labels = [:], by difference: Double) {
        guard metric.kind == .gauge, difference.isFinite else { return }
        state.withLock { state in
            let key = state.key(metric, labels)
            state.numbers[metric, default: [:]][key, default: 0] += difference
        }
    }

    /// Adds seconds to a histogram.
    public func observe(_ metric: Metric, _ labels: Labels = [:], seconds: Double) {
        guard metric.kind == .histogram, seconds.isFinite else { return }
        let bounds = metric.buckets
        state.withLock { state in
            let key = state.key(metric, labels)
            let index = bounds.firstIndex { seconds <= $0 }
            state.histograms[metric, default: [:]][key, default: Histogram(buckets: bounds.map { _ in 0 })]
                .add(seconds, bucket: index)
        }
    }

    /// Adds a duration to a histogram.
    public func observe(_ metric: Metric, _ labels: Labels = [:], _ duration: Duration) {
        observe(metric, labels, seconds: duration.inSeconds)
    }

    /// The current value of a counter or gauge; nil when it was never touched.
    public func value(of metric: Metric, _ labels: Labels = [:]) -> Double? {
        state.withLock { $0.numbers[metric]?[metric.labels.map { label in labels[label] ?? "" }] }
    }

    /// All metrics as Prometheus text.
    public func exposition() -> String {
        let snapshot = state.withLock { ($0.numbers, $0.histograms) }
        return Exposition.render(numbers: snapshot.0, histograms: snapshot.1)
    }
}

extension MetricsRegistry.State {
    /// The label values in the metric's order, each short, and none beyond the greatest number of them.
    mutating func key(_ metric: Metric, _ labels: MetricsRegistry.Labels) -> [String] {
        metric.labels.map { label in
            let given = labels[label] ?? ""
            let value = given.utf8.count <= 128 ? given : String(given.prefix(128))
            let place = MetricsRegistry.LabelKey(metric: metric, label: label)
            if labelValues[place]?.contains(value) == true { return value }
            // The last place is kept for "other".
            guard labelValues[place]?.count ?? 0 < MetricsRegistry.maximumLabelValues - 1 else { return "other" }
            labelValues[place, default: []].insert(value)
            return value
        }
    }
}
