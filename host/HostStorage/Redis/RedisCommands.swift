import Crypto

/// One argument of a command; binary safe.
public struct RedisArgument: Sendable, ExpressibleByStringLiteral {
    let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }
    public init(_ text: String) { bytes = Array(text.utf8) }
    public init(_ number: Int) { self.init(String(number)) }
    public init(stringLiteral text: String) { self.init(text) }
}

/// A Lua script with the hash Redis knows it by.
public struct RedisScript: Sendable {
    public let text: String
    let hash: String

    public init(_ text: String) {
        self.text = text
        hash = Insecure.SHA1.hash(data: Array(text.utf8)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

extension RedisConnection {
    public func ping() async throws(RedisError) { _ = try await command(["PING"]) }

    public func get(_ key: String) async throws(RedisError) -> [UInt8]? {
        switch try await command(["GET", RedisArgument(key)]) {
        case .null: return nil
        case .bytes(let bytes): return bytes
        default: throw .unexpectedAnswer
        }
    }

    /// - Returns: `false` when `onlyIfAbsent` and the key was there.
    @discardableResult
    public func set(
        _ key: String, _ value: [UInt8], expiresIn: Duration, onlyIfAbsent: Bool = false
    ) async throws(RedisError) -> Bool {
        var arguments: [RedisArgument] = [
            "SET", RedisArgument(key), RedisArgument(value), "PX", RedisArgument(max(1, expiresIn.wholeMilliseconds)),
        ]
        if onlyIfAbsent { arguments.append("NX") }
        return try await command(arguments) != .null
    }

    public func delete(_ key: String) async throws(RedisError) { _ = try await command(["DEL", RedisArgument(key)]) }
}
