import Crypto
import Foundation

/// APNs' check of the token in `authorization: bearer …`.
struct ProviderToken {
    /// The reason APNs gives; nil when the token is fine.
    ///
    /// Without a `key` the signature's shape is checked, with one the signature itself.
    static func refusal(
        _ token: String?, key: P256.Signing.PublicKey?, provider: PushProvider, at now: Date
    ) -> String? {
        guard let token else { return "MissingProviderToken" }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3,
            let header = Base64URL.decode(parts[0]).flatMap(JSONValue.init(parsing:)),
            let claims = Base64URL.decode(parts[1]).flatMap(JSONValue.init(parsing:)),
            let signature = Base64URL.decode(parts[2]).flatMap({
                try? P256.Signing.ECDSASignature(rawRepresentation: $0)
            }),
            header["alg"]?.text == "ES256", let keyID = header["kid"]?.text, keyID.utf8.count == 10,
            let teamID = claims["iss"]?.text, teamID.utf8.count == 10, let issued = claims["iat"]?.integer,
            provider.keyID.map({ $0 == keyID }) ?? true, provider.teamID.map({ $0 == teamID }) ?? true
        else { return "InvalidProviderToken" }
        if let key, !key.isValidSignature(signature, for: Data("\(parts[0]).\(parts[1])".utf8)) {
            return "InvalidProviderToken"
        }
        let age = now.timeIntervalSince1970 - Double(issued)
        return (-60...3600).contains(age) ? nil : "ExpiredProviderToken"
    }
}

/// Sees to it that a connection changes its provider token no more than once in 20 minutes.
///
/// The first change of a connection is free: a token of another connection's making may have been renewed just now.
struct ProviderTokenUpdates {
    static let shortest: TimeInterval = 20 * 60
    /// Connections remembered; beyond it the count begins anew.
    static let maximum = 10_000

    private struct Use {
        var token: String
        var since: Date
        var changes = 0
    }

    private var connections: [String: Use] = [:]

    /// Whether the connection changed its token too soon after the last change.
    mutating func isTooMany(_ token: String, on connection: String, at now: Date) -> Bool {
        guard var use = connections[connection] else {
            if connections.count >= Self.maximum { connections = [:] }
            connections[connection] = Use(token: token, since: now)
            return false
        }
        guard use.token != token else { return false }
        guard use.changes == 0 || now.timeIntervalSince(use.since) >= Self.shortest else { return true }
        use = Use(token: token, since: now, changes: use.changes + 1)
        connections[connection] = use
        return false
    }
}
