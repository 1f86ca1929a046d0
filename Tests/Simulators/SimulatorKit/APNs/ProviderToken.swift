import Crypto
import Foundation

/// APNs' check of the token in `authorization: bearer …`.
struct ProviderToken {
    /// The reason APNs gives; nil when the token is fine.
    ///
    /// Without a `key` the signature's shape is checked, with one the signature itself.
    static func refusal(_ token: String?, key: P256.Signing.PublicKey?, at now: Date) -> String? {
        guard let token else { return "MissingProviderToken" }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3,
            let header = Base64URL.decode(parts[0]).flatMap(JSONValue.init(parsing:)),
            let claims = Base64URL.decode(parts[1]).flatMap(JSONValue.init(parsing:)),
            let signature = Base64URL.decode(parts[2]).flatMap({
                try? P256.Signing.ECDSASignature(rawRepresentation: $0)
            }),
            header["alg"]?.text == "ES256", header["kid"]?.text?.utf8.count == 10,
            claims["iss"]?.text?.utf8.count == 10, let issued = claims["iat"]?.integer
        else { return "InvalidProviderToken" }
        if let key, !key.isValidSignature(signature, for: Data("\(parts[0]).\(parts[1])".utf8)) {
            return "InvalidProviderToken"
        }
        let age = now.timeIntervalSince1970 - Double(issued)
        return (-60...3600).contains(age) ? nil : "ExpiredProviderToken"
    }
}
