/// A secret text that does not print, encode or compare; lent to the code that needs it.
public struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    public init(_ value: String) {
        self.value = value
    }

    /// Lends the value to `use`; what `use` returns must not contain it.
    public func withValue<R, E: Error>(_ use: (String) throws(E) -> R) throws(E) -> R {
        try use(value)
    }

    public var description: String { "<secret>" }
    public var debugDescription: String { "<secret>" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
