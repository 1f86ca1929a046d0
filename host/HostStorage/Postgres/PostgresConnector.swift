/// Opens connections on threads of their own, because name look-ups and TLS handshakes block.
final class PostgresConnector: Sendable {
    private let loop: PostgresLoop

    init(_ loop: PostgresLoop) { self.loop = loop }

    /// Answers with `.connected`, always, within the connect timeout.
    func connect(slot: Int) {
        let configuration = loop.configuration
        let started = HelperThread.start { [loop] in
            let handle = try? PostgresHandle.connect(configuration.url, timeout: configuration.connectTimeout)
            let ready = handle.flatMap { $0.applySession(configuration) ? $0 : nil }
            loop.post(.connected(slot: slot, ready))
        }
        if !started { loop.post(.connected(slot: slot, nil)) }
    }
}

extension PostgresHandle {
    /// Session settings; behind a transaction pooler they come from the role instead.
    fileprivate func applySession(_ configuration: PostgresConfiguration) -> Bool {
        guard configuration.usePreparedStatements else { return true }
        let milliseconds = configuration.statementTimeout.wholeMilliseconds
        // Compiling a plan takes longer than any statement of ours runs; the database itself is told so by migration 0006.
        let sql = """
            set jit = off;
            set statement_timeout = \(milliseconds);
            set idle_in_transaction_session_timeout = \(milliseconds + 20_000)
            """
        return (try? execute(sql)) != nil
    }
}
