import FoundationEssentials

/// A fetched JWK set with the times it may be used.
struct KeySet: Sendable {
    static let maximumBytes = 256 * 1024
    static let maximumKeys = 64

    let keys: [String: VerificationKey]
    /// The document, as it is shared with other processes.
    let json: String
    /// Unix seconds.
    let fetchedAt: Int
    let expiresAt: Int
    let staleUntil: Int

    func isFresh(at now: Int) -> Bool { now < expiresAt }
    func isUsable(at now: Int) -> Bool { now < staleUntil }
    /// 80 % of the fresh time is over.
    func isDue(at now: Int) -> Bool { now >= fetchedAt + (expiresAt - fetchedAt) * 4 / 5 }

    private struct Document: Decodable {
        let keys: [Entry]
    }

    /// One key, or whatever stands in its place: one odd key must not spoil the set.
    private struct Entry: Decodable {
        let kid: String?
        let kty: String?
        let use: String?
        let alg: String?
        let n: String?
        let e: String?

        enum Names: String, CodingKey { case kid, kty, use, alg, n, e }

        init(from decoder: any Decoder) throws {
            let container = try? decoder.container(keyedBy: Names.self)
            func text(_ name: Names) -> String? { (try? container?.decodeIfPresent(String.self, forKey: name)) ?? nil }
            kid = text(.kid)
            kty = text(.kty)
            // Present with another type is present: it does not count as absent.
            func optional(_ name: Names) -> String? {
                container?.contains(name) == true ? text(name) ?? "" : nil
            }
            use = optional(.use)
            alg = optional(.alg)
            n = text(.n)
            e = text(.e)
        }
    }

    /// Judges every key by itself; nil when none is left. The other result counts the ones ignored.
    static func parse(
        _ json: String, fetchedAt: Int, expiresAt: Int, staleUntil: Int
    ) -> (set: KeySet?, ignored: Int) {
        guard json.utf8.count <= maximumBytes,
            let document = try? JSONDecoder().decode(Document.self, from: Data(json.utf8)),
            document.keys.count <= maximumKeys
        else { return (nil, 0) }
        var keys: [String: VerificationKey] = [:]
        for entry in document.keys {
            guard let kid = entry.kid, (1...128).contains(kid.unicodeScalars.count), keys[kid] == nil,
                entry.kty == "RSA", entry.use ?? "sig" == "sig", entry.alg ?? "RS256" == "RS256", let n = entry.n,
                let e = entry.e, let key = VerificationKey(modulus: n, exponent: e)
            else { continue }
            keys[kid] = key
        }
        let ignored = document.keys.count - keys.count
        guard !keys.isEmpty else { return (nil, ignored) }
        let set = KeySet(keys: keys, json: json, fetchedAt: fetchedAt, expiresAt: expiresAt, staleUntil: staleUntil)
        return (set, ignored)
    }
}

/// The form of a key set in Redis.
struct SharedKeySet: Codable, Sendable {
    let jwksJSON: String
    let fetchedAt: Int
    let expiresAt: Int
    let staleUntil: Int

    enum CodingKeys: String, CodingKey {
        case jwksJSON = "jwks_json"
        case fetchedAt = "fetched_at"
        case expiresAt = "expires_at"
        case staleUntil = "stale_until"
    }

    init(_ set: KeySet) {
        jwksJSON = set.json
        fetchedAt = set.fetchedAt
        expiresAt = set.expiresAt
        staleUntil = set.staleUntil
    }

    /// Nil when the text is not such a form or its times are not in order.
    static func read(_ text: String) -> SharedKeySet? {
        guard let shared = try? JSONDecoder().decode(SharedKeySet.self, from: Data(text.utf8)),
            shared.fetchedAt <= shared.expiresAt, shared.expiresAt <= shared.staleUntil,
            shared.staleUntil - shared.fetchedAt <= 3600 + 86400
        else { return nil }
        return shared
    }

    func encoded() -> String? {
        (try? JSONEncoder().encode(self)).map { String(decoding: $0, as: UTF8.self) }
    }

    func keySet() -> KeySet? {
        KeySet.parse(jwksJSON, fetchedAt: fetchedAt, expiresAt: expiresAt, staleUntil: staleUntil).set
    }
}
