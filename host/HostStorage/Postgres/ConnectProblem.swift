internal import CPostgres

/// Why no connection can be made, in words for the person who starts a program; nothing of the server's text.
public enum ConnectProblem: String, Sendable, CaseIterable {
    case authenticationFailed = "authentication_failed"
    case noSuchDatabase = "no_such_database"
    case tooManyConnections = "too_many_connections"
    case startingOrStopping = "starting_or_stopping"
    case connectionRefused = "connection_refused"
    case nameNotResolved = "name_not_resolved"
    case tlsFailed = "tls_failed"
    case timeout
    case unavailable

    /// Reads libpq's message, in which a server's error is its SQLSTATE alone.
    init(message: String) {
        let known: [(String, ConnectProblem)] = [
            ("28P01", .authenticationFailed), ("28000", .authenticationFailed), ("no password", .authenticationFailed),
            ("3D000", .noSuchDatabase), ("53300", .tooManyConnections), ("57P03", .startingOrStopping),
            ("could not translate host name", .nameNotResolved), ("SSL", .tlsFailed), ("certificate", .tlsFailed),
            ("Connection refused", .connectionRefused), ("No such file or directory", .connectionRefused),
        ]
        self = known.first { message.contains($0.0) }?.1 ?? .unavailable
    }

    /// Tries once more, on a connection of its own; `nil` when that works.
    public static func find(_ configuration: PostgresConfiguration) async -> ConnectProblem? {
        do throws(StorageError) {
            return try await HelperThread.run { () -> Result<ConnectProblem?, StorageError> in
                .success(now(configuration))
            }
        } catch {
            return .unavailable
        }
    }

    /// Blocks: for helper threads only.
    private static func now(_ configuration: PostgresConfiguration) -> ConnectProblem? {
        let deadline = Instant.now.advanced(by: configuration.connectTimeout)
        guard let handle = try? PostgresHandle.start(configuration.url) else { return .unavailable }
        unsafe PQsetErrorVerbosity(handle.pointer, PQERRORS_SQLSTATE)
        do throws(StorageError) {
            try handle.finishConnecting(deadline)
            return nil
        } catch {
            guard error != .timeout, let text = unsafe PQerrorMessage(handle.pointer) else { return .timeout }
            return unsafe ConnectProblem(message: String(cString: text))
        }
    }
}
