import Foundation

/// Fields of an `application/x-www-form-urlencoded` body or of a query, in order.
struct FormFields: Sendable, Equatable {
    private let pairs: [(name: String, value: String)]

    /// Nil when a percent escape is broken or there are more than 200 fields.
    init?(_ encoded: some StringProtocol) {
        var pairs: [(name: String, value: String)] = []
        for part in encoded.split(separator: "&", omittingEmptySubsequences: true) {
            guard pairs.count < 200 else { return nil }
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(halves[0]), let value = Self.decode(halves.count > 1 ? halves[1] : "") else {
                return nil
            }
            pairs.append((name, value))
        }
        self.pairs = pairs
    }

    /// The first value of `name`; blank counts as absent.
    subscript(name: String) -> String? {
        pairs.first { $0.name == name && !$0.value.isEmpty }?.value
    }

    /// Every value of `name`, for parameters that may be repeated.
    func all(_ name: String) -> [String] {
        pairs.filter { $0.name == name }.map(\.value)
    }

    /// The first name that occurs more than once.
    var repeatedName: String? {
        var seen: Set<String> = []
        return pairs.first { !seen.insert($0.name).inserted }?.name
    }

    static func == (left: FormFields, right: FormFields) -> Bool {
        left.pairs.elementsEqual(right.pairs, by: ==)
    }

    /// Encodes one value so that nothing but unreserved characters stays as it is.
    static func encode(_ value: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return value.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }

    private static func decode(_ text: some StringProtocol) -> String? {
        text.replacingOccurrences(of: "+", with: " ").removingPercentEncoding
    }
}
