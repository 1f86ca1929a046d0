import Foundation

/// What models cost, by the beginning of their names.
public struct PriceTable: Sendable {
    /// Micro-dollars per million tokens.
    struct Price: Sendable, Decodable, Equatable {
        var input: Int
        var output: Int

        enum CodingKeys: String, CodingKey {
            case input = "in"
            case output = "out"
        }
    }

    /// Why a table cannot be used.
    public enum Failure: Error, Equatable, Sendable { case unreadable, malformed }

    private struct File: Decodable {
        var version: Int
        var currency: String
        var models: [String: Price]
        var other: Price
    }

    /// Largest file that is read.
    static let maximumBytes = 1 << 20
    /// Dearest price that a table may hold: no sum of a request overflows.
    static let maximumPrice = 1_000_000_000_000

    public let version: Int
    private let models: [String: Price]
    private let other: Price

    /// The table at `path`, or the built-in one.
    public init(path: String?) throws(Failure) {
        guard let path else {
            try self.init(json: PackageResources.prices_json)
            return
        }
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.read(upToCount: Self.maximumBytes)
        else { throw .unreadable }
        try self.init(json: Array(data))
    }

    init(json: [UInt8]) throws(Failure) {
        guard let file = try? JSONDecoder().decode(File.self, from: Data(json)), file.version >= 1,
            file.currency == "micro-USD per million tokens",
            (Array(file.models.values) + [file.other]).allSatisfy({
                (0...Self.maximumPrice).contains($0.input) && (0...Self.maximumPrice).contains($0.output)
            })
        else { throw .malformed }
        version = file.version
        models = Dictionary(file.models.map { ($0.key.lowercased(), $0.value) }) { first, _ in first }
        other = file.other
    }

    /// Whether the table names the model; else it costs what any other one costs.
    public func knows(_ model: String) -> Bool { entry(model) != nil }

    func price(of model: String) -> Price { entry(model) ?? other }

    private func entry(_ model: String) -> Price? {
        let name = model.lowercased()
        return models.filter { name.hasPrefix($0.key) }.max { $0.key.utf8.count < $1.key.utf8.count }?.value
    }

    /// Micro-dollars, rounded up.
    func cost(_ usage: TokenUsage, of model: String) -> Int {
        let price = price(of: model)
        return Self.roundedUp(Int(usage.input), price.input, Int(usage.output), price.output)
    }

    /// The most that one try can cost: no token is shorter than a byte.
    func ceiling(of model: String, messageBytes: Int, maximumOutputTokens: Int) -> Int {
        let price = price(of: model)
        return Self.roundedUp(messageBytes + 64, price.input, maximumOutputTokens, price.output)
    }

    private static func roundedUp(_ inputs: Int, _ input: Int, _ outputs: Int, _ output: Int) -> Int {
        let (first, firstOverflows) = inputs.multipliedReportingOverflow(by: input)
        let (second, secondOverflows) = outputs.multipliedReportingOverflow(by: output)
        let (sum, overflows) = first.addingReportingOverflow(second)
        guard !firstOverflows, !secondOverflows, !overflows else { return 1 << 50 }
        return min(1 << 50, sum / 1_000_000 + (sum % 1_000_000 == 0 ? 0 : 1))
    }
}
