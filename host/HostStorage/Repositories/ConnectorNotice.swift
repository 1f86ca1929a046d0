public import FoundationEssentials

/// What a CONNECTOR_NOTICE says; its key holds it, so that it needs no payload.
public enum ConnectorNotice: String, Sendable {
    /// The provider takes the stored grant no more.
    case reconnect = ""
    /// Another account was connected.
    case accountChanged = "account_changed:"

    private static let prefix = "\(JobType.connectorNotice.rawValue):"

    func key(connector: UUID, version: Int64) -> String {
        "\(Self.prefix)\(rawValue)\(connector.uuidString.lowercased()):\(version)"
    }

    /// What the key of a job says; nil when it is none of these.
    public static func parse(_ key: String) -> (notice: ConnectorNotice, connector: UUID)? {
        guard key.hasPrefix(prefix) else { return nil }
        var parts = key.dropFirst(prefix.count).split(separator: ":")
        var notice = ConnectorNotice.reconnect
        if parts.first == "account_changed" {
            notice = .accountChanged
            parts.removeFirst()
        }
        guard parts.count == 2, let connector = UUID(uuidString: String(parts[0])) else { return nil }
        return (notice, connector)
    }
}

extension NewJob {
    /// How long a notice may wait, in seconds.
    static let noticeLife = 86_400.0

    static func notice(_ notice: ConnectorNotice, connector: UUID, version: Int64, user: UUID) -> NewJob {
        NewJob(
            id: .timeOrdered(), user: user, type: .connectorNotice,
            idempotencyKey: notice.key(connector: connector, version: version),
            expiresAt: Date().addingTimeInterval(noticeLife), requestID: UUID().uuidString.lowercased())
    }
}
