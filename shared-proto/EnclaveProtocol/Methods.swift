/// The closed list of operations; numbers are never reused (WIRE.md, "Methods").
public enum Method: UInt16, CaseIterable, Sendable {
    case googleConnectBegin = 16
    case googleConnectComplete = 17
    case googleRefresh = 18
    case googleGet = 19
    case googleRevoke = 20
    case dataSeal = 32
    case dataOpen = 33
    case dataRewrap = 34
    case connectorRewrap = 35
    case keysStatus = 36
    case vaultForget = 37
    case metrics = 38
    case kmsCredentials = 39

    case recordGet = 64
    case recordPut = 65
    case wrappedKeyGet = 66
    case wrappedKeyPut = 67

    /// The name in logs, metrics and documents.
    public var name: String {
        switch self {
        case .googleConnectBegin: "google.connect.begin"
        case .googleConnectComplete: "google.connect.complete"
        case .googleRefresh: "google.refresh"
        case .googleGet: "google.get"
        case .googleRevoke: "google.revoke"
        case .dataSeal: "data.seal"
        case .dataOpen: "data.open"
        case .dataRewrap: "data.rewrap"
        case .connectorRewrap: "connector.rewrap"
        case .keysStatus: "keys.status"
        case .vaultForget: "vault.forget"
        case .metrics: "metrics"
        case .kmsCredentials: "kms.credentials"
        case .recordGet: "record.get"
        case .recordPut: "record.put"
        case .wrappedKeyGet: "wrapped_key.get"
        case .wrappedKeyPut: "wrapped_key.put"
        }
    }

    /// Whether the enclave calls the host with it, over the session that the host opened.
    public var isCallback: Bool { rawValue >= 64 }

    /// Roles that may call it; empty for callbacks.
    public var roles: Set<Role> {
        switch self {
        case .googleConnectBegin, .googleConnectComplete: [.api]
        case .googleRefresh, .googleGet, .googleRevoke, .dataSeal, .dataOpen: [.api, .worker]
        case .dataRewrap, .connectorRewrap, .keysStatus: [.operation]
        case .vaultForget: [.worker]
        case .metrics: [.worker, .operation]
        case .kmsCredentials: [.api, .worker, .operation]
        case .recordGet, .recordPut, .wrappedKeyGet, .wrappedKeyPut: []
        }
    }

    /// Whether it reaches a Google host; at most three quarters of the enclave's pool serve these.
    public var callsGoogle: Bool {
        switch self {
        case .googleConnectComplete, .googleRefresh, .googleGet, .googleRevoke: true
        default: false
        }
    }
}
