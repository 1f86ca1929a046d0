internal import CPostgres

/// One connection in pipeline mode on the loop: statements go out at once, answers come back in order.
///
/// Each statement is followed by its own sync, so that an error stays its own.
@safe final class PostgresConnection {
    let handle: PostgresHandle
    let number: Int
    let isShared: Bool
    private let namesStatements: Bool
    private var names: [String: String] = [:]
    private var nextName = 0
    private(set) var sent: FIFO<PostgresCall> = FIFO()
    private(set) var isBroken = false
    var wantsToWrite = false
    /// What the loop was last told of `wantsToWrite`.
    var isWatchedForWriting = false
    /// When the oldest unanswered statement became the oldest.
    private(set) var headSince = Instant.now

    init?(_ handle: PostgresHandle, number: Int, isShared: Bool, namesStatements: Bool) {
        self.handle = handle
        self.number = number
        self.isShared = isShared
        self.namesStatements = namesStatements
        guard unsafe PQsetnonblocking(handle.pointer, 1) == 0, unsafe PQenterPipelineMode(handle.pointer) == 1 else {
            return nil
        }
    }

    /// Puts a statement on the wire; `false` when the connection turned out to be dead.
    func send(_ call: PostgresCall) -> Bool {
        if sent.isEmpty { headSince = .now }
        call.place = .sent
        call.failure = nil
        call.rows = .none
        let isSent = unsafe call.parameters.withPointers(sendWith: { values, lengths, formats, types in
            unsafe dispatch(call, values, lengths, formats, types)
        })
        sent.append(call)
        guard isSent, unsafe PQpipelineSync(handle.pointer) == 1 else { return fail() }
        return flush()
    }

    private func dispatch(
        _ call: PostgresCall, _ values: UnsafePointer<UnsafePointer<CChar>?>, _ lengths: UnsafePointer<Int32>,
        _ formats: UnsafePointer<Int32>, _ types: UnsafePointer<UInt32>
    ) -> Bool {
        let connection = unsafe handle.pointer
        let count = Int32(call.parameters.types.count)
        let sql = call.statement.sql
        call.preparing = false
        call.usesName = false
        guard namesStatements, let (name, isNew) = name(for: sql) else {
            return unsafe PQsendQueryParams(connection, sql, count, types, values, lengths, formats, 1) == 1
        }
        call.usesName = true
        if isNew {
            call.preparing = true
            guard unsafe PQsendPrepare(connection, name, sql, count, types) == 1 else { return false }
        }
        return unsafe PQsendQueryPrepared(connection, name, count, values, lengths, formats, 1) == 1
    }

    private func name(for sql: String) -> (String, isNew: Bool)? {
        if let name = names[sql] { return (name, false) }
        guard names.count < StorageLimits.preparedStatements else { return nil }
        nextName += 1
        let name = "a\(nextName)"
        names[sql] = name
        return (name, true)
    }

    /// Writes what is buffered; asks for a wake-up when the socket is full.
    func flush() -> Bool {
        switch unsafe PQflush(handle.pointer) {
        case 0: wantsToWrite = false
        case 1: wantsToWrite = true
        default: return fail()
        }
        return true
    }

    private func fail() -> Bool {
        isBroken = true
        return false
    }

    /// Reads what has arrived and hands each finished call to `finished`.
    func receive(_ finished: (PostgresCall) -> Void) {
        guard unsafe PQconsumeInput(handle.pointer) == 1 else { return isBroken = true }
        var emptyInARow = 0
        while emptyInARow < 2, unsafe PQisBusy(handle.pointer) == 0 {
            guard let result = unsafe PQgetResult(handle.pointer) else {
                emptyInARow += 1
                continue
            }
            emptyInARow = 0
            unsafe accept(result, finished)
            unsafe PQclear(result)
            if unsafe PQstatus(handle.pointer) == CONNECTION_BAD { isBroken = true }
            if isBroken { return }
        }
        if unsafe PQstatus(handle.pointer) == CONNECTION_BAD { isBroken = true }
    }

    private func accept(_ result: OpaquePointer, _ finished: (PostgresCall) -> Void) {
        guard let call = sent.first else { return isBroken = true }
        switch unsafe PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC:
            _ = sent.popFirst()
            headSince = .now
            finish(call)
            finished(call)
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
            if call.preparing {
                call.preparing = false
            } else if let rows = unsafe Rows(result) {
                call.rows = rows
            } else {
                isBroken = true
            }
        case PGRES_PIPELINE_ABORTED: break
        default:
            guard call.failure == nil else { return }
            call.failure = unsafe PostgresFailure(result)
            if call.preparing { forget(call.statement.sql) }
        }
    }

    /// A plan that no longer fits, or a name the server does not know, is not used again.
    private func finish(_ call: PostgresCall) {
        guard let failure = call.failure else { return }
        if StorageError.endsConnection(sqlstate: failure.sqlstate) { isBroken = true }
        if call.usesName, isStale(failure) { forget(call.statement.sql) }
    }

    func isStale(_ failure: PostgresFailure) -> Bool { failure.sqlstate == "0A000" || failure.sqlstate == "26000" }

    private func forget(_ sql: String) { names[sql] = nil }

    func takeSent() -> [PostgresCall] { sent.removeAll() }
}

extension EncodedParameters {
    /// Lends the parameters in the form libpq takes them.
    fileprivate func withPointers(
        sendWith send: (
            UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<Int32>, UnsafePointer<Int32>, UnsafePointer<UInt32>
        ) -> Bool
    ) -> Bool {
        // One byte and one element more, so that no base address is ever missing.
        let buffer = bytes + [0]
        let formats = [Int32](repeating: 1, count: types.count + 1)
        return unsafe buffer.withUnsafeBytes { raw in
            let base = unsafe raw.assumingMemoryBound(to: CChar.self).baseAddress
            var values = unsafe zip(starts, lengths).map { start, length in
                unsafe length < 0 ? nil : base.map { unsafe $0 + start }
            }
            unsafe values.append(nil)
            return unsafe values.withUnsafeBufferPointer { values in
                unsafe (lengths + [0]).withUnsafeBufferPointer { lengths in
                    unsafe formats.withUnsafeBufferPointer { formats in
                        unsafe (types + [0]).withUnsafeBufferPointer { types in
                            guard let values = values.baseAddress, let lengths = lengths.baseAddress,
                                let formats = formats.baseAddress, let types = types.baseAddress
                            else { return false }
                            return unsafe send(values, lengths, formats, types)
                        }
                    }
                }
            }
        }
    }
}

extension Rows {
    /// Copies a result; `nil` when it is larger than any answer may be.
    fileprivate init?(_ result: OpaquePointer) {
        let rows = Int(unsafe PQntuples(result))
        let columns = Int(unsafe PQnfields(result))
        var ends: [Int] = []
        ends.reserveCapacity(rows * columns)
        var bytes: [UInt8] = []
        for row in 0..<Int32(rows) {
            for column in 0..<Int32(columns) {
                guard unsafe PQgetisnull(result, row, column) == 0, let value = unsafe PQgetvalue(result, row, column)
                else {
                    ends.append(~bytes.count)
                    continue
                }
                let length = Int(unsafe PQgetlength(result, row, column))
                unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: value, count: length))
                ends.append(bytes.count)
            }
            guard bytes.count <= StorageLimits.answerBytes else { return nil }
        }
        let affected = unsafe PQcmdTuples(result).map { unsafe Int(String(cString: $0)) ?? 0 } ?? 0
        let command = unsafe PQcmdStatus(result).map { unsafe String(cString: $0) }
        self.init(
            columns: columns, count: rows, affected: affected, isRollback: columns == 0 && command == "ROLLBACK",
            ends: ends, bytes: bytes)
    }
}
