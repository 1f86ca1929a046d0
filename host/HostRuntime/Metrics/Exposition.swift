/// The Prometheus text format, version 0.0.4.
enum Exposition {
    static func render(
        numbers: [Metric: [[String]: Double]], histograms: [Metric: [[String]: MetricsRegistry.Histogram]]
    ) -> String {
        var lines: [String] = []
        for metric in Metric.allCases {
            let series = numbers[metric] ?? [:]
            let distributions = histograms[metric] ?? [:]
            if series.isEmpty && distributions.isEmpty { continue }
            lines.append("# TYPE \(metric.name) \(metric.kind.rawValue)")
            for (values, number) in series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                lines.append("\(metric.name)\(labels(metric, values)) \(text(number))")
            }
            for (values, histogram) in distributions.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                lines += render(metric, values, histogram)
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func render(
        _ metric: Metric, _ values: [String], _ histogram: MetricsRegistry.Histogram
    ) -> [String] {
        var lines: [String] = []
        var sum: UInt64 = 0
        for (bound, count) in zip(metric.buckets, histogram.buckets) {
            sum += count
            lines.append("\(metric.name)_bucket\(labels(metric, values, bound: text(bound))) \(sum)")
        }
        lines.append("\(metric.name)_bucket\(labels(metric, values, bound: "+Inf")) \(histogram.count)")
        lines.append("\(metric.name)_sum\(labels(metric, values)) \(text(histogram.sum))")
        lines.append("\(metric.name)_count\(labels(metric, values)) \(histogram.count)")
        return lines
    }

    private static func labels(_ metric: Metric, _ values: [String], bound: String? = nil) -> String {
        var pairs = zip(metric.labels, values).map { "\($0.rawValue)=\"\(escaped($1))\"" }
        if let bound { pairs.append("le=\"\(bound)\"") }
        return pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
    }

    private static func escaped(_ value: String) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func text(_ number: Double) -> String {
        number == number.rounded() && abs(number) < 1e15 ? String(Int(number)) : String(number)
    }
}
