/// Turns the variables of one process into checked values and collects every violation on the way.
///
/// After a violation a method returns a stand-in, so that reading goes on; `finish` throws before it can be used.
public struct ConfigurationReader: Sendable {
    public let process: ProcessKind
    public let environment: DeploymentEnvironment
    /// Folder that relative paths start from.
    public let directory: String
    public private(set) var violations: [ConfigurationViolation]
    private let values: [String: String]

    public init(_ loaded: LoadedEnvironment) {
        process = loaded.process
        environment = loaded.environment
        directory = loaded.directory
        values = loaded.values
        violations = loaded.violations
        checkOutsideLocal()
    }

    /// Throws when anything read so far broke a rule.
    public func finish() throws(ConfigurationError) {
        var seen: [ConfigurationViolation] = []
        for violation in violations where !seen.contains(violation) { seen.append(violation) }
        guard seen.isEmpty else { throw ConfigurationError(violations: seen) }
    }

    /// Notes that `name` breaks `rule`.
    public mutating func refuse(_ name: String, _ rule: String) {
        violations.append(ConfigurationViolation(name, rule))
    }

    /// The value set, whatever its form; nil when unset, then the default counts.
    public func given(_ name: String) -> String? {
        values[row(name).name]
    }

    /// The value set or the default; a missing required value is a violation.
    public mutating func text(_ name: String) -> String? {
        let row = row(name)
        if let value = values[name] {
            guard let rule = row.rule.violation(of: value) else { return value }
            refuse(name, rule)
            return nil
        }
        if row.defaultValue == .required { refuse(name, "is required") }
        return row.defaultText(for: process)
    }

    /// `text` where a value is required or has a default.
    public mutating func requiredText(_ name: String) -> String {
        text(name) ?? ""
    }

    public mutating func secret(_ name: String) -> Secret? {
        text(name).map(Secret.init)
    }

    public mutating func boolean(_ name: String) -> Bool {
        text(name).flatMap(parseBoolean) ?? false
    }

    public mutating func integer(_ name: String) -> Int {
        text(name).flatMap(parseInteger) ?? 1
    }

    /// A variable that counts milliseconds.
    public mutating func milliseconds(_ name: String) -> Duration {
        .milliseconds(integer(name))
    }

    /// A variable that counts seconds.
    public mutating func seconds(_ name: String) -> Duration {
        .seconds(integer(name))
    }

    public mutating func choice<Choice: RawRepresentable<String>>(_ name: String, or standIn: Choice) -> Choice {
        text(name).flatMap(Choice.init(rawValue:)) ?? standIn
    }

    /// The entries of a comma-separated list; empty when unset and without default.
    public mutating func list(_ name: String) -> [String] {
        text(name).map(parseCSV) ?? []
    }

    public mutating func url(_ name: String) -> ServiceURL? {
        guard case .url(let schemes, let query) = row(name).rule else { return nil }
        return text(name).flatMap { ServiceURL($0, schemes: schemes, query: query) }
    }

    /// `url` where a value is required or has a default.
    public mutating func requiredURL(_ name: String) -> ServiceURL {
        url(name) ?? .standIn
    }

    /// Nil for `off`.
    public mutating func bindAddress(_ name: String) -> BindAddress? {
        text(name).flatMap(BindAddress.init)
    }

    /// The value given in the form that `parse` reads, else a violation with `rule`.
    public mutating func parsed<Value>(_ name: String, _ rule: String, _ parse: (String) -> Value?) -> Value? {
        guard let text = text(name) else { return nil }
        if let value = parse(text) { return value }
        refuse(name, rule)
        return nil
    }

    /// `path` as an absolute path.
    public func absolutePath(_ path: String) -> String {
        EnvironmentSource.absolute(path, in: directory)
    }

    private func row(_ name: String) -> EnvironmentVariable {
        guard let row = EnvironmentCatalogue.row(named: name) else {
            preconditionFailure("\(name) is not in the catalogue")
        }
        precondition(row.processes.contains(process), "\(name) is not a variable of \(process.logName)")
        return row
    }

    /// Applies the catalogue's column for staging and production to every row of the process.
    private mutating func checkOutsideLocal() {
        guard !environment.isLocal else { return }
        for row in EnvironmentCatalogue.rows(for: process) {
            guard let value = values[row.name], row.rule.violation(of: value) == nil else { continue }
            if let rule = row.outsideLocal.violation(
                of: value, rule: row.rule, defaultText: row.defaultText(for: process))
            {
                refuse(row.name, rule)
            }
        }
    }
}
