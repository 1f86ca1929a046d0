/// A key set as the provider answered it.
struct FetchedKeySet: Sendable {
    let json: String
    /// `max-age` of `Cache-Control`, if there was one.
    let maximumAge: Int?
}

/// Why a key set was not fetched; also the `outcome` label of `jwks_fetch_total`.
enum KeySetFetchFailure: String, Error, Sendable {
    case unreachable, timeout, status, oversize, unusable
}

/// Where the provider's key set comes from.
protocol KeySetSource: Sendable {
    func fetch() async throws(KeySetFetchFailure) -> FetchedKeySet
}

/// What the processes of a fleet share about the key set; every answer is nil while Redis is away.
protocol KeySetSharing: Sendable {
    func load() async -> SharedKeySet?
    func save(_ set: SharedKeySet, forSeconds seconds: Int) async
    /// Whether this process may fetch now; `nil` when nobody can say.
    func claimRefresh(forSeconds seconds: Int) async -> Bool?
}
