import HostProcess
import HostStorage
import ServiceLifecycle

/// Keeps the provider's key set young, so that no request waits for it.
struct KeyRefresher: Service {
    let keys: KeyDirectory

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await keys.refreshIfDue()
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }
}

/// Forgets what is known of accounts when the database says that one changed.
struct AccountWatcher: Service {
    let listener: Listener
    let accounts: AccountGate

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await channel in listener.notifications() where channel == .users { accounts.forget() }
            // Without LISTEN, and once the stream has ended, the memory's own lifetime does the work.
            try? await gracefulShutdown()
        }
        listener.shutdown()
    }
}

/// Listed last, so shut down first: says `draining` for a moment before the listeners stop.
struct DrainAnnouncer: Service {
    static let notice = Duration.seconds(2)
    let readiness: Readiness

    func run() async throws {
        do {
            try await gracefulShutdown()
        } catch {
            // Cancelled because another service failed: that is no drain.
            return
        }
        readiness.beginDraining()
        try? await Task.sleep(for: Self.notice)
    }
}
