import HTTPTypes

/// The limits of the API: one row per bucket.
enum RateBucket: String, CaseIterable, Sendable {
    case googleConnectStart = "google_connect_start"
    case googleConnectCallback = "google_connect_callback"
    case revokeConnector = "revoke_connector"
    case privacyDeleteAll = "privacy_delete_all"
    case assistantQuery = "assistant_query"
    case deviceRegister = "device_register"
    case testPush = "test_push"
    case preferencesWrite = "preferences_write"
    case read
    case oauthBridge = "oauth_bridge"
    case attestation
    case docs
    case authFailure = "auth_failure"

    /// Calls per window.
    var limit: Int {
        switch self {
        case .googleConnectStart, .googleConnectCallback, .deviceRegister: 20
        case .revokeConnector, .testPush: 10
        case .privacyDeleteAll: 3
        case .read: 120
        case .oauthBridge, .docs, .authFailure: 60
        case .attestation, .preferencesWrite, .assistantQuery: 30
        }
    }

    /// Length of the window.
    var windowSeconds: Int { self == .privacyDeleteAll ? 3600 : 60 }
}

/// The names of the API's buckets, for whoever erases a user's entries.
public enum RateBuckets {
    public static let names = RateBucket.allCases.map(\.rawValue)
}

/// What the limiter says about one call.
struct RateDecision: Sendable, Equatable {
    let isAllowed: Bool
    /// Calls left in the window after this one.
    let remaining: Int
    /// Until the oldest call leaves the window, rounded up; 0 when nothing is counted.
    let resetSeconds: Int

    /// `RateLimit-Policy` and `RateLimit` of an answer.
    func headers(of bucket: RateBucket) -> HTTPFields {
        [
            .rateLimitPolicy: "\"\(bucket.rawValue)\";q=\(bucket.limit);w=\(bucket.windowSeconds)",
            .rateLimit: "\"\(bucket.rawValue)\";r=\(remaining);t=\(resetSeconds)",
        ]
    }
}

/// Counts calls; shared by all replicas, degraded to this process while Redis is away, never unlimited.
protocol RateLimiting: Sendable {
    /// Counts a call if there is room.
    func admit(_ bucket: RateBucket, subject: String) async -> RateDecision
    /// Whether there is room, without counting.
    func hasRoom(_ bucket: RateBucket, subject: String) async -> Bool
}
