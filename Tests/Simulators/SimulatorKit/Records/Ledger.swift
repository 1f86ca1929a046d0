import Foundation

/// What kind of secret a value is.
public enum SecretKind: String, Codable, Sendable, Hashable, CaseIterable {
    case refreshToken, accessToken, clientSecret, codeVerifier, authorizationCode, pushBearer, awsSecret
}

/// A secret that a provider issued or was called with.
public struct SecretRecord: Codable, Sendable, Hashable {
    public var kind: SecretKind
    public var value: String
    /// Whether the provider itself made it.
    public var issued: Bool
    /// How often a caller presented it.
    public var seen: Int
}

/// Remembers every call and every secret, for the tests to ask.
actor Ledger {
    /// Most secrets remembered; the ones after that are counted only.
    static let maximumSecrets = 200_000

    private struct Key: Hashable {
        var kind: SecretKind
        var value: String
    }

    private var calls: [ProviderCall: CallCount] = [:]
    private var open: [ProviderCall: Int] = [:]
    private var secrets: [Key: SecretRecord] = [:]
    private var order: [Key] = []

    func arrived(_ call: ProviderCall) {
        calls[call, default: CallCount(call: call, arrived: 0, statuses: [:])].arrived += 1
        open[call, default: 0] += 1
        let most = calls[call]?.mostAtOnce ?? 0
        calls[call]?.mostAtOnce = max(most, open[call] ?? 0)
    }

    func answered(_ call: ProviderCall, status: Int) {
        calls[call]?.statuses[status, default: 0] += 1
        ended(call)
    }

    /// Answered, or given up without an answer.
    func ended(_ call: ProviderCall) {
        open[call, default: 0] -= 1
    }

    func issued(_ kind: SecretKind, _ value: String) {
        change(kind, value) { $0.issued = true }
    }

    func seen(_ kind: SecretKind, _ value: String?) {
        guard let value else { return }
        change(kind, value) { $0.seen += 1 }
    }

    /// A token whose kind the caller did not say: a refresh token if it was issued as one.
    func seenToken(_ value: String) {
        let isRefreshToken = secrets[Key(kind: .refreshToken, value: value)] != nil
        seen(isRefreshToken ? .refreshToken : .accessToken, value)
    }

    func callCounts() -> [CallCount] {
        ProviderCall.allCases.map { calls[$0] ?? CallCount(call: $0, arrived: 0, statuses: [:]) }
    }

    func resetCalls() {
        calls = [:]
    }

    func records() -> [SecretRecord] {
        order.compactMap { secrets[$0] }
    }

    private func change(_ kind: SecretKind, _ value: String, _ change: (inout SecretRecord) -> Void) {
        let key = Key(kind: kind, value: value)
        if secrets[key] == nil {
            guard order.count < Self.maximumSecrets else { return }
            secrets[key] = SecretRecord(kind: kind, value: value, issued: false, seen: 0)
            order.append(key)
        }
        if var record = secrets[key] {
            change(&record)
            secrets[key] = record
        }
    }
}
