import ArgumentParser
import Foundation
import HostRuntime
import HostStorage
import KeyOperations
import Synchronization

/// Seals everything anew under the enclave's active key version.
struct RewrapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rewrap", abstract: "Seals all rows anew under the active key version, beside live traffic.",
        discussion: """
            Refused unless the enclave's active version is N. May be ended at any time and loses nothing; --resume goes \
            on where the last run ended. Exit status 1 when rows are left under another version.
            """)

    @Option(help: "The version to seal under.") var to: Int
    @Flag(help: "Go on where the last run ended.") var resume = false
    @Flag(help: "Only count what there is to do.") var dryRun = false
    @Option(help: "Most rows per second.") var rate: Int?
    @Flag(help: "Print one JSON object.") var json = false

    private struct Result: Encodable {
        struct Count: Encodable {
            let table: String
            let version: Int
            let rows: Int
        }

        let to: Int
        let dry_run: Bool
        let tables: [KeyRewrap.TableResult]
        let rows: [Count]
        let left: Int
    }

    mutating func validate() throws {
        guard to >= 1, rate.map({ $0 >= 1 }) ?? true else {
            throw ValidationError("--to and --rate must be 1 or more")
        }
    }

    mutating func run() async throws {
        let place = try KeyWorkplace()
        let options = KeyRewrap.Options(version: to, resumes: resume, rowsPerSecond: rate)
        let isDry = dryRun
        let result = try await place.use { () throws(CommandFailure) in try await Self.rewrap(options, isDry, place) }
        if !isDry {
            place.logChange(
                "keys_rewrapped",
                [
                    LogField(.keyVersion, to), LogField(.done, result.tables.reduce(0) { $0 + $1.rewrapped }),
                    LogField(.pending, result.left),
                ])
        }
        if json { Output.json(result) } else { Self.show(result) }
        if !isDry, result.left > 0 { throw CommandFailure.failed() }
    }

    private static func rewrap(
        _ options: KeyRewrap.Options, _ isDry: Bool, _ place: KeyWorkplace
    ) async throws(CommandFailure) -> Result {
        let rewrap = KeyRewrap(enclave: place.enclave, rows: place.rows)
        let bar = RewrapProgressBar()
        do throws(KeyRewrap.Failure) {
            var tables: [KeyRewrap.TableResult] = []
            if isDry {
                try await rewrap.requireActive(options.version)
            } else {
                tables = try await rewrap.run(options) { bar.show($0) }
            }
            let uses = try await rewrap.uses()
            let left = uses.filter { $0.keyVersion != options.version }.reduce(0) { $0 + $1.rows }
            return Result(
                to: options.version, dry_run: isDry, tables: tables,
                rows: uses.map { Result.Count(table: $0.table.rawValue, version: $0.keyVersion, rows: $0.rows) },
                left: left)
        } catch {
            throw .failed("keys rewrap: " + explain(error, options.version))
        }
    }

    private static func explain(_ failure: KeyRewrap.Failure, _ version: Int) -> String {
        switch failure {
        case .storage(let error): error.explanation
        case .enclave(let error): error.explanation
        case .otherVersionActive(let active):
            "the enclave's active version is \(active), not \(version); deploy the release that seals under \(version)"
        }
    }

    private static func show(_ result: Result) {
        for table in result.tables {
            let failures = table.failed.sorted { $0.key < $1.key }.map { ", \($0.key) \($0.value)" }.joined()
            Output.line("\(table.table): re-sealed \(table.rewrapped), changed by others \(table.changed)\(failures)")
        }
        for count in result.rows { Output.line("version \(count.version)  \(count.table)  \(count.rows)") }
        Output.line(
            result.left == 0
                ? "everything is under version \(result.to)" : "\(result.left) rows are under another version")
    }
}

/// How far it is, on standard error: a bar on a terminal, else a line per table and one every few seconds.
final class RewrapProgressBar: Sendable {
    private static let width = 30
    private static let interval = Duration.seconds(5)

    private let isTerminal = isatty(2) == 1
    private let lastLine = Mutex(ContinuousClock.now)

    func show(_ step: KeyRewrap.Step) {
        let counts =
            "\(step.table.rawValue) \(step.done)/\(step.total)" + (step.failed > 0 ? ", failed \(step.failed)" : "")
        guard isTerminal else {
            let isDue = lastLine.withLock { last in
                guard step.isLast || last + Self.interval <= .now else { return false }
                last = .now
                return true
            }
            if isDue { Output.complain(counts) }
            return
        }
        let filled = step.total == 0 ? Self.width : Self.width * step.done / step.total
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        Output.overwrite("[\(bar)] \(counts)\u{1B}[K" + (step.isLast ? "\n" : ""))
    }
}
