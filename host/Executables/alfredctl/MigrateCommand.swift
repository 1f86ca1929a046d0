import ArgumentParser
import HostStorage

/// Applies the embedded migrations, or says what is pending.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Brings the database to this release's schema.",
        discussion: "DATABASE_URL must name the schema's owner. With --check nothing is changed.")

    @Flag(help: "Only compare: exit status 1 unless the schema is current.") var check = false
    @Flag(help: "Print one JSON object.") var json = false

    private struct Result: Encodable {
        var applied: [Int] = []
        var pending: [Int] = []
        var changed: [Int] = []
        var newer: [Int] = []
        var current: Bool
    }

    mutating func run() async throws {
        let migrator = Migrator(try OperatorEnvironment.database())
        do {
            let isCurrent = check ? try await compare(migrator) : try await migrate(migrator)
            guard isCurrent else { throw CommandFailure.failed() }
        } catch let error as MigrationError {
            throw CommandFailure.failed("migrate: " + describe(error))
        }
    }

    /// Whether the schema is current now: always, or it throws.
    private func migrate(_ migrator: Migrator) async throws(MigrationError) -> Bool {
        let applied = try await migrator.migrate()
        if json {
            Output.json(Result(applied: applied, current: true))
            return true
        }
        for version in applied { Output.line("applied  \(number(version))") }
        Output.line(applied.isEmpty ? "the schema is current, nothing to do" : "the schema is current")
        return true
    }

    /// Whether the schema is current.
    private func compare(_ migrator: Migrator) async throws(MigrationError) -> Bool {
        let status = try await migrator.check()
        if json {
            Output.json(
                Result(
                    pending: status.pending, changed: status.changed, newer: status.newer, current: status.isCurrent))
            return status.isCurrent
        }
        for version in status.pending { Output.line("pending  \(number(version))") }
        for version in status.changed { Output.line("changed  \(number(version)): applied with another content") }
        for version in status.newer { Output.line("newer    \(number(version)): applied by a later release") }
        Output.line(status.isCurrent ? "the schema is current" : "the schema is not current")
        return status.isCurrent
    }

    private func number(_ version: Int) -> String {
        String(repeating: "0", count: max(0, 4 - String(version).count)) + String(version)
    }

    private func describe(_ error: MigrationError) -> String {
        switch error {
        case .changed(let version): "\(number(version)) was applied with another content; migrations are forward only"
        case .failed(let version, let state): "\(number(version)) failed (SQLSTATE \(state)) and was rolled back"
        case .storage(let error): error.explanation
        }
    }
}

extension StorageError {
    /// For a person; holds nothing from the server but codes.
    var explanation: String {
        switch self {
        case .unavailable: "the database cannot be reached"
        case .timeout: "the database took too long"
        case .cancelled: "cancelled"
        case .unique, .conflict: "another transaction is in the way"
        case .userDeleted: "the user is deleted"
        case .schemaOutdated: "the schema is outdated: run alfredctl migrate"
        case .unexpected(let state): "the database refused (SQLSTATE \(state))"
        }
    }
}
