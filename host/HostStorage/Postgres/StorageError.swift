/// Why a storage call failed; the cases say what a caller can do about it.
public enum StorageError: Error, Equatable, Sendable {
    /// Postgres cannot be reached, went away during the call, or the waiting queue is full. Whether a write that was
    /// under way happened is unknown.
    case unavailable
    /// The statement or the wait for a connection took longer than its deadline.
    case timeout
    /// The calling task was cancelled. A transaction it had open is rolled back.
    case cancelled
    /// A unique constraint or index refused the write.
    case unique(constraint: String)
    /// Another transaction was in the way (deadlock, serialization, lock not available): repeating may succeed.
    case conflict
    /// The row's user is deleted or does not exist; nothing may be written for that user any more.
    case userDeleted
    /// The database lacks a migration that this program needs.
    case schemaOutdated
    /// Anything else, by SQLSTATE; never a text of the server, which may quote values.
    case unexpected(sqlstate: String)
}

extension StorageError {
    /// SQLSTATE raised by the trigger that guards deleted users.
    static let userDeletedState = "AD001"
    /// Not a server's code: the answer had another shape than the statement promises.
    static let unreadableAnswer = StorageError.unexpected(sqlstate: "decode")

    /// The class of a server error.
    init(sqlstate: String, constraint: String) {
        self =
            switch sqlstate {
            case Self.userDeletedState: .userDeleted
            case "23505": .unique(constraint: constraint)
            case "40001", "40P01", "55P03": .conflict
            case "57014": .timeout
            case "57P01", "57P02", "57P03", "57P05", "53300", "25006", "25P03": .unavailable
            case _ where sqlstate.hasPrefix("08"): .unavailable
            default: .unexpected(sqlstate: sqlstate)
            }
    }

    /// The connection is no longer worth keeping after this error.
    static func endsConnection(sqlstate: String) -> Bool {
        sqlstate.hasPrefix("57P") || sqlstate.hasPrefix("08") || sqlstate == "25006" || sqlstate == "25P03"
    }
}
