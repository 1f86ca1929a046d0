import Glibc
import HostProcess
import HostRuntime
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// A Hummingbird server on one address, with this module's limits and error answers.
struct HTTPListener: Sendable {
    /// What log lines call it.
    let name: String
    let address: BindAddress
    let maximumConnections: Int
    let responder: APIResponder
    let accessLog: AccessLog
    /// From the moment it says `draining` every answer is the last of its connection.
    let readiness: Readiness
    /// Is given the port once connections are taken.
    let onListening: @Sendable (Int) -> Void

    var application: Application<APIResponder> {
        var logger = accessLog.log.libraryLogger("http")
        // What the library says at "info" the listener says itself.
        if logger.logLevel == .info { logger.logLevel = .warning }
        let (accessLog, readiness, name, onListening) = (accessLog, readiness, name, onListening)
        return Application(
            responder: responder,
            server: HTTPServerBuilder { EdgeHTTP1Channel(responder: $0, accessLog: accessLog, readiness: readiness) },
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port), serverName: nil, backlog: 1024,
                availableConnectionsDelegate: .maximum(maximumConnections, logger: logger)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                accessLog.log.event("listening", .info, [LogField(.component, name), LogField(.port, port)])
                onListening(port)
            },
            logger: logger)
    }
}

/// Runs a listener, and names variable and port in the log where another process has them.
struct NamedListener: Service {
    let variable: String
    let address: HostRuntime.BindAddress
    let log: HostLog
    let listener: any Service

    func run() async throws {
        do {
            try await listener.run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            log.event("address_in_use", .error, [LogField(.variable, variable), LogField(.port, address.port)])
            throw error
        }
    }
}
