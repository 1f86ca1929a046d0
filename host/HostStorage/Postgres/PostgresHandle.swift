internal import CLinux
internal import COpenSSL
internal import CPostgres
import Glibc

/// Owner of one libpq connection; closed when the owner goes.
///
/// Sendable because it is used by one thread at a time: made on a connecting thread, then handed to the loop.
@safe final class PostgresHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    private init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe PQfinish(pointer) }

    var socket: Int32 { unsafe PQsocket(pointer) }

    /// Connects, waiting at most until the deadline. Blocks: for helper threads only.
    static func connect(_ url: String, timeout: Duration) throws(StorageError) -> PostgresHandle {
        let deadline = Instant.now.advanced(by: timeout)
        let handle = try start(url)
        try handle.finishConnecting(deadline)
        return handle
    }

    func finishConnecting(_ deadline: Instant) throws(StorageError) {
        var waitFor = PGRES_POLLING_WRITING
        while true {
            let state = unsafe PQstatus(pointer)
            guard state != CONNECTION_BAD else { throw .unavailable }
            if waitFor == PGRES_POLLING_OK { return }
            if waitFor == PGRES_POLLING_FAILED { throw .unavailable }
            let events = waitFor == PGRES_POLLING_READING ? POLLIN : POLLOUT
            guard try wait(for: Int16(events), until: deadline) else { throw .timeout }
            waitFor = unsafe PQconnectPoll(pointer)
        }
    }

    static func start(_ url: String) throws(StorageError) -> PostgresHandle {
        leaveOpenSSLAtExit
        // Kerberos is not used, and its library cleans up at exit while a thread may still connect; the URL may say
        // otherwise.
        let pairs: [(String, String)] = [
            ("gssencmode", "disable"), ("dbname", url), ("client_encoding", "UTF8"),
            ("fallback_application_name", "alfred"),
            ("tcp_user_timeout", "15000"), ("keepalives_idle", "30"),
        ]
        let pointer = unsafe withCStrings(pairs.map(\.0)) { keywords in
            unsafe withCStrings(pairs.map(\.1)) { values in
                unsafe PQconnectStartParams(keywords, values, 1)
            }
        }
        guard let pointer = unsafe pointer else { throw .unavailable }
        let handle = unsafe PostgresHandle(pointer)
        unsafe PQsetNoticeProcessor(pointer, ignoreNotice, nil)
        return handle
    }

    /// `true` when the socket is ready, `false` at the deadline.
    func wait(for events: Int16, until deadline: Instant) throws(StorageError) -> Bool {
        while true {
            var descriptor = pollfd(fd: socket, events: events, revents: 0)
            let left = deadline.milliseconds(since: .now)
            guard left > 0 else { return false }
            let ready = unsafe poll(&descriptor, 1, left)
            if ready > 0 { return true }
            if ready < 0, errno != EINTR { throw .unavailable }
        }
    }

    /// Runs one or more statements by the simple protocol and drops their rows. Blocks: for helper threads only.
    func execute(_ sql: String) throws(StorageError) {
        let result = unsafe PQexec(pointer, sql)
        defer { unsafe PQclear(result) }
        if let error = unsafe PostgresFailure(result) { throw error.storageError }
    }
}

/// Keeps OpenSSL from freeing its locks at exit under the feet of a thread that connects; done once, before libpq asks
/// for TLS.
private let leaveOpenSSLAtExit: Void = {
    _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
}()

private nonisolated func ignoreNotice(_: UnsafeMutableRawPointer?, _: UnsafePointer<CChar>?) {}

/// The parts of a server error that are looked at; its message may quote values and is never kept.
struct PostgresFailure: Sendable {
    let sqlstate: String
    let constraint: String

    var storageError: StorageError { StorageError(sqlstate: sqlstate, constraint: constraint) }

    /// `nil` when the result is not an error.
    init?(_ result: OpaquePointer?) {
        switch unsafe PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE, PGRES_PIPELINE_SYNC: return nil
        default: break
        }
        unsafe sqlstate = Self.field(result, 67)  // PG_DIAG_SQLSTATE, 'C'
        unsafe constraint = Self.field(result, 110)  // PG_DIAG_CONSTRAINT_NAME, 'n'
    }

    private static func field(_ result: OpaquePointer?, _ code: Int32) -> String {
        guard let text = unsafe PQresultErrorField(result, code) else { return "" }
        return unsafe String(cString: text)
    }
}

/// Lends a NULL-terminated array of C strings.
func withCStrings<Value>(_ strings: [String], _ use: (UnsafePointer<UnsafePointer<CChar>?>) -> Value) -> Value {
    let copies = unsafe strings.map { unsafe strdup($0) }
    defer { unsafe copies.forEach { unsafe free($0) } }
    let pointers = unsafe copies.map { unsafe UnsafePointer<CChar>($0) } + [nil]
    return unsafe pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("never empty") }
        return unsafe use(base)
    }
}
