import Synchronization

/// How many values did not fit their field since the process began; each is a defect of whoever made the event.
public enum AuditRedactions {
    private static let counter = Atomic(0)

    public static var total: Int { counter.load(ordering: .relaxed) }

    static func count(_ fields: [(String, AuditValue)]) {
        let redacted = fields.count { $0.1.stored == AuditValue.redacted }
        if redacted > 0 { counter.add(redacted, ordering: .relaxed) }
    }
}
