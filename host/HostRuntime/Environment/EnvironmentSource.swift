public import Foundation

/// The variables of one process after `.env`, secret files and the own-secrets rule; its values do not print.
public struct LoadedEnvironment: Sendable, CustomStringConvertible, CustomReflectable {
    public let process: ProcessKind
    public let environment: DeploymentEnvironment
    /// Folder that relative paths start from.
    public let directory: String
    /// Names of variables that look like ours and are not; for one warning at start.
    public let unknownVariables: [String]
    let values: [String: String]
    let violations: [ConfigurationViolation]

    public var description: String { "\(process.logName) environment of \(values.count) variables" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Reads the environment of a host process.
public enum EnvironmentSource {
    /// The variables of `process`; what is wrong with them is reported by `ConfigurationReader.finish`.
    ///
    /// `.env` is read in local only, from `directory` or its nearest parent; the real environment wins.
    public static func load(
        process: ProcessKind,
        environment real: [String: String] = ProcessInfo.processInfo.environment,
        directory: String = FileManager.default.currentDirectoryPath
    ) -> LoadedEnvironment {
        var violations = blankLists(in: real, process: process)
        let real = real.compactMapValues(unlessBlank)
        var file: [String: String] = [:]
        if real["ALFRED_ENV"] == nil || real["ALFRED_ENV"] == "local", let path = DotEnv.nearest(to: directory) {
            let read = DotEnv.read(path: path)
            violations += read.violations
            violations += blankLists(in: read.values.filter { real[$0.key] == nil }, process: process)
            file = read.values.compactMapValues(unlessBlank)
            if let stated = file["ALFRED_ENV"], stated != "local" {
                violations.append(
                    ConfigurationViolation("ALFRED_ENV", "must be local, or unset, when it comes from .env"))
                file["ALFRED_ENV"] = nil
            }
        }
        violations += secretsOfTheEnclave(in: real, file)
        let environment = DeploymentEnvironment(rawValue: real["ALFRED_ENV"] ?? "local")
        if let environment, !environment.isLocal {
            violations += foreignSecrets(in: real, process: process)
        }
        let merged = merge(real: real, file: file)
        let resolved = resolve(merged, process: process, directory: directory)
        return LoadedEnvironment(
            process: process, environment: environment ?? .local, directory: directory,
            unknownVariables: unknown(in: merged), values: resolved.values, violations: violations + resolved.violations
        )
    }

    private static func unlessBlank(_ value: String) -> String? {
        let value = trimming(value[...])
        return value.isEmpty ? nil : String(value)
    }

    /// A blank allow-list is an error, never the default.
    private static func blankLists(
        in values: [String: String], process: ProcessKind
    ) -> [ConfigurationViolation] {
        EnvironmentCatalogue.rows(for: process).filter { row in
            row.name.contains("_ALLOWED_") && values[row.name].map { unlessBlank($0) == nil } == true
        }.map { ConfigurationViolation($0.name, "must not be blank") }
    }

    /// A name set in the real environment also hides the `_FILE` form of `.env`, and the reverse.
    private static func merge(real: [String: String], file: [String: String]) -> [String: String] {
        var merged = file
        for row in EnvironmentCatalogue.rows {
            guard let fileName = row.fileName, real[row.name] != nil || real[fileName] != nil else { continue }
            merged[row.name] = nil
            merged[fileName] = nil
        }
        merged.merge(real) { _, real in real }
        return merged
    }

    /// The value of a secret of the enclave ends a host process in every environment.
    private static func secretsOfTheEnclave(
        in real: [String: String], _ file: [String: String]
    ) -> [ConfigurationViolation] {
        EnvironmentCatalogue.rows.filter(\.belongsToEnclaveAlone).compactMap { row in
            guard real[row.name] != nil || file[row.name] != nil else { return nil }
            return ConfigurationViolation(
                row.name, "is a secret of the enclave and must not be in the environment or .env of a host process")
        }
    }

    /// Outside local a process holds no secret of a row that does not list it.
    private static func foreignSecrets(
        in real: [String: String], process: ProcessKind
    ) -> [ConfigurationViolation] {
        EnvironmentCatalogue.rows.filter { $0.processes.isDisjoint(with: process) && $0.secrecy != .plain }
            .flatMap { row in [row.name] + (row.fileName.map { [$0] } ?? []) }
            .filter { real[$0] != nil }
            .map { ConfigurationViolation($0, "is a secret of another process; outside local it must not be set here") }
    }

    private static func unknown(in merged: [String: String]) -> [String] {
        merged.keys.filter { name in
            EnvironmentCatalogue.watchedPrefixes.contains { name.hasPrefix($0) }
                && EnvironmentCatalogue.row(named: name) == nil
                && EnvironmentCatalogue.row(withFileName: name) == nil
        }.sorted()
    }

    /// Keeps the rows of `process` and puts the content of secret files in place of their names.
    private static func resolve(
        _ merged: [String: String], process: ProcessKind, directory: String
    ) -> (values: [String: String], violations: [ConfigurationViolation]) {
        var values: [String: String] = [:]
        var violations: [ConfigurationViolation] = []
        for row in EnvironmentCatalogue.rows(for: process) {
            values[row.name] = merged[row.name]
            guard let fileName = row.fileName, let path = merged[fileName] else { continue }
            guard merged[row.name] == nil else {
                violations.append(ConfigurationViolation(row.name, "must not be set together with \(fileName)"))
                continue
            }
            do throws(SecretFileError) {
                let text = try SecretFile.text(at: absolute(path, in: directory)).withValue { $0 }
                if text.isEmpty {
                    violations.append(ConfigurationViolation(fileName, "names an empty file"))
                } else {
                    values[row.name] = text
                }
            } catch {
                violations.append(ConfigurationViolation(fileName, error.rule))
            }
        }
        return (values, violations)
    }

    /// `path`, taken from `directory` when it is relative.
    static func absolute(_ path: String, in directory: String) -> String {
        path.hasPrefix("/") ? path : directory + "/" + path
    }
}
