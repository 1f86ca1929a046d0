import ArgumentParser
import Foundation
import LocalStack

/// What `scripts/run` starts once everything is built.
@main
struct AlfredLocal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alfred-local",
        abstract: "Runs the whole system on this machine and tells its story.")

    @Flag(help: "End with exit status 0 after the story instead of staying up.")
    var once = false

    @Flag(help: "enclave-runtime itself, with a simulated secure module and KMS, in place of the dev shim.")
    var remote = false

    @Flag(help: "No story and no worker: serve until stopped.")
    var serve = false

    @Option(help: "NAME=VALUE, instead of the ordinary value of a variable; may be repeated.")
    var set: [String] = []

    @Option(help: "Folder of keys, logs, Postgres and Redis (default: .local/run, with --remote .local/run-remote).")
    var state: String?

    func run() async throws {
        let root = URL(filePath: FileManager.default.currentDirectoryPath)
        // Sealed under another key, the rows of one mode do not open in the other.
        let state = state ?? (remote ? ".local/run-remote" : ".local/run")
        var settings = StackSettings(
            repository: root, state: state.hasPrefix("/") ? URL(filePath: state) : root.appending(path: state),
            products: root.appending(path: ".build/debug"))
        settings.isRemote = remote
        settings.environment = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        for pair in set.map({ $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false) }) {
            guard pair.count == 2 else { throw ValidationError("--set takes NAME=VALUE") }
            settings.overrides[String(pair[0])] = String(pair[1])
        }
        settings.fastPostgres = serve
        let stack = LocalStack(settings) { line in say("   \(line)") }
        let stopping = Interruption.shared
        do {
            try await tell(on: stack, until: stopping)
        } catch {
            // Where another launcher has the folder, the logs in it are not of this start.
            let logs = await stack.hasFolder ? "\nLogs: \(settings.state.appending(path: "logs").path)" : ""
            await stack.stop()
            if stopping.isRequested { throw ExitCode(130) }
            say("\nFAILED: \(error)\(logs)")
            throw ExitCode(1)
        }
        await stack.stop()
    }

    private func tell(on stack: LocalStack, until stopping: Interruption) async throws {
        try await stopping.race {
            say("== Starting")
            guard !serve else {
                try await stack.prepare()
                for component in [Component.simulators, .enclave, .api] { try await stack.start(component) }
                say("== Serving at \(await stack.environment?.apiURL ?? "")")
                throw StackError(try await stack.firstEnd())
            }
            try await stack.start()
            let story = try await Story(on: stack)
            say("\n== The story")
            for (index, step) in story.steps.enumerated() {
                say("\n[\(index + 1)/\(story.steps.count)] \(step.title)\n   \(step.place)")
                let begin = ContinuousClock.now
                do {
                    say(
                        "   \(try await step.run())  (\((ContinuousClock.now - begin) / .milliseconds(1), precision: 0) ms)"
                    )
                } catch { throw StackError("step \(index + 1), “\(step.title)”: \(error)") }
            }
            say("\n== The story is told; every step held.")
            guard !once else { return }
            try await printAddresses(of: stack, story)
            throw StackError(try await stack.firstEnd())
        }
    }

    private func printAddresses(of stack: LocalStack, _ story: Story) async throws {
        guard let environment = await stack.environment else { return }
        let ports = environment.ports
        say(
            """

            API        \(environment.apiURL)
            metrics    http://127.0.0.1:\(ports.apiMetrics)/metrics (API), http://127.0.0.1:\(ports.workerMetrics)/metrics (worker)
            enclave    tcp://127.0.0.1:\(ports.enclave)
            simulators http://127.0.0.1:\(ports.control) (control), https://localhost:\(ports.google) (Google)
            logs       \(stack.settings.state.appending(path: "logs").path)

            Try:  curl -s -H 'Authorization: Bearer \(story.phone.token)' \(environment.apiURL)/v1/audit-events

            Ctrl-C stops everything.
            """)
    }
}

extension DefaultStringInterpolation {
    mutating func appendInterpolation(_ value: Double, precision: Int) {
        appendLiteral(String(format: "%.\(precision)f", value))
    }
}

/// Prints a line at once, whatever standard output is. Where nobody reads it any more, everything is stopped.
func say(_ line: String) {
    do {
        try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8))
    } catch {
        Interruption.shared.request()
    }
}
