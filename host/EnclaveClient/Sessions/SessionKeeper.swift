internal import AttestationVerifier
internal import AttestedSession
internal import HostRuntime

/// Keeps one place of the pool filled: opens a session, replaces it before its end, reconnects when it is lost.
struct SessionKeeper {
    let pool: SessionPool
    let connector: EnclaveConnector
    let callbacks: CallbackServer
    /// Brings an enclave that was started anew to the state in which it serves.
    let handOver: CredentialHandOver?
    let timeout: Duration
    let report: ClientReport

    /// Share of a session's life after which it is replaced.
    static let renewalShare = 0.8
    /// A session that lived shorter counts as another failed try.
    static let shortLife = Duration.seconds(5)

    /// Runs until the task is cancelled.
    func run() async {
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(5))
        var current: SessionLink?
        while !Task.isCancelled {
            do throws(ProbeFailure) {
                try await handOver?.handOverIfStarting()
            } catch {
                report.handOverFailed(error)
                pool.connectFailed(error.error)
                try? await Task.sleep(for: backoff.next())
                continue
            }
            do throws(ConnectFailure) {
                let link = SessionLink(callbacks: callbacks) { link, reason in
                    pool.remove(link)
                    report.sessionEnded(reason)
                }
                let opened = try await connector.openSession(handler: link, within: timeout)
                report.sessionOpened(opened.enclave)
                pool.add(opened.session, of: link, identity: opened.enclave.identity)
                if let current { pool.retire(current) }
                current = link
                let life = Duration.milliseconds(opened.session.expiresAt.remainingMilliseconds)
                let begin = ContinuousClock.now
                await link.waitForEnd(atMost: life * Self.renewalShare)
                if !link.hasEnded || begin.duration(to: .now) >= Self.shortLife { backoff.reset() }
                if link.hasEnded {
                    current = nil
                    try? await Task.sleep(for: backoff.next())
                }
            } catch {
                report.connectFailed(error)
                pool.connectFailed(error.error)
                try? await Task.sleep(for: backoff.next())
            }
        }
    }
}
