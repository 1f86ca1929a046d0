import ArgumentParser
import Dispatch
import EnclaveProtocol
import Foundation
import LocalStack

/// How fast a release build of the local enclave starts, and what it occupies after many calls for many connectors.
///
/// Simulators and enclave are processes of their own; this program is the host, with its rows in memory.
/// Prints one figure per line, `name value`; progress goes to standard error.
@main
struct EnclaveBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enclave-bench", abstract: "Start and memory of the local enclave.")

    @Option(help: "The executable to measure.")
    var enclave = ".build-enclave/release/enclave-dev-shim"
    @Option(help: "Connectors to connect at Google.")
    var connectors = 10_000
    @Option(help: "Calls afterwards: one reading at Google per connector, the rest sealing and opening of 1 KiB.")
    var calls = 100_000
    @Option(help: "Seconds after which no further connector is connected.")
    var connectSeconds = 120

    func validate() throws {
        // Beyond that, a user would open more in a minute than the enclave lets a user open.
        guard connectors > 0, (connectors...(1000 * connectors)).contains(calls), connectSeconds > 0 else {
            throw ValidationError("needs a connector, and 1 to 1,000 calls for each")
        }
    }

    func run() async throws {
        let root = URL(filePath: FileManager.default.currentDirectoryPath)
        let identifier = ProcessInfo.processInfo.processIdentifier
        var settings = StackSettings(repository: root, state: root.appending(path: ".local/bench/\(identifier)"))
        settings.withoutServers = true
        let stack = LocalStack(settings, progress: progress)
        let stage = Stage(
            stack, enclave: enclave.hasPrefix("/") ? URL(filePath: enclave) : root.appending(path: enclave))
        let signals = endOnSignal(stage)
        do {
            try await stage.start()
            try await measure(on: stage)
            await stage.end()
        } catch {
            let death = await stage.death
            await stage.end()
            throw death ?? error
        }
        for signal in signals { signal.cancel() }
    }

    private func measure(on stage: Stage) async throws {
        var starts: [Double] = []
        for _ in 0..<5 { starts.append(try await stage.restart()) }
        figure("start_milliseconds", starts.sorted()[2])
        figure("resident_started_kibibytes", Double(try await stage.memory("VmRSS")))

        let load = try await Load(stage)
        do {
            try await measure(load, on: stage)
            try await load.end()
        } catch {
            try await load.end()
            throw error
        }
    }

    private func measure(_ load: Load, on stage: Stage) async throws {
        let rows = Rows()
        progress("connecting \(connectors) connectors")
        let connected = try await stage.withSession(.api, rows) {
            try await load.connect(connectors, over: $0, within: .seconds(connectSeconds))
        }
        figure("connectors", Double(connected.count))
        figure("connects_per_second", connected.perSecond)
        figure("resident_connected_kibibytes", Double(try await stage.memory("VmRSS")))

        progress("\(connected.count) readings at Google")
        let read = try await stage.withSession(.worker, rows) { try await load.readEach(over: $0) }
        figure("readings_per_second", read.perSecond)
        let rest = calls - read.count
        progress("\(rest) sealings and openings")
        let sealed = try await stage.withSession(.worker, rows) { try await load.sealAndOpen(rest, over: $0) }
        figure("data_calls_per_second", sealed.perSecond)
        figure("calls", Double(read.count + sealed.count))
        figure("resident_after_kibibytes", Double(try await stage.memory("VmRSS")))
        figure("file_backed_kibibytes", Double(try await stage.memory("RssFile")))
        figure("resident_peak_kibibytes", Double(try await stage.memory("VmHWM")))
    }

    /// Ctrl-C leaves no process and no folder behind.
    private func endOnSignal(_ stage: Stage) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                Task {
                    await stage.end()
                    _exit(130)
                }
            }
            source.resume()
            return source
        }
    }
}

private func figure(_ name: String, _ value: Double) {
    FileHandle.standardOutput.write(Data("\(name) \(String(format: "%.1f", value))\n".utf8))
}

@Sendable private func progress(_ line: String) { FileHandle.standardError.write(Data("   \(line)\n".utf8)) }
