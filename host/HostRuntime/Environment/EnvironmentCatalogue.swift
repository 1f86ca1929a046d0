/// Every variable of every process: the one place of the host where they are known.
public enum EnvironmentCatalogue {
    /// All rows, in the order of `.env.example`.
    public static let rows: [EnvironmentVariable] =
        generalRows + apiRows + storageRows + enclaveRows + attestationRows + keyRows + googleRows + workerRows
        + pushRows + llmRows + reliabilityRows + testRows

    /// Unknown variables that begin so are named in a warning, so that a misspelling is seen.
    public static let watchedPrefixes = [
        "ENCLAVE_", "TEE_", "KMS_", "LLM_", "OPENROUTER_", "WORKER_", "APNS_", "CLERK_",
    ]

    private static let byName: [String: EnvironmentVariable] = Dictionary(
        rows.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    private static let byFileName: [String: EnvironmentVariable] = Dictionary(
        rows.compactMap { row in row.fileName.map { ($0, row) } }, uniquingKeysWith: { first, _ in first })

    /// The row called `name`.
    public static func row(named name: String) -> EnvironmentVariable? {
        byName[name]
    }

    /// The secret row whose value the file named by the variable `fileName` holds.
    public static func row(withFileName fileName: String) -> EnvironmentVariable? {
        byFileName[fileName]
    }

    /// The rows that a process of `kind` reads.
    public static func rows(for kind: ProcessKind) -> [EnvironmentVariable] {
        rows.filter { !$0.processes.isDisjoint(with: kind) }
    }

    /// The names a launcher may hand to a process of `kind`, `<NAME>_FILE` forms included.
    public static func names(for kind: ProcessKind) -> Set<String> {
        Set(rows(for: kind).flatMap { [$0.name] + ($0.fileName.map { [$0] } ?? []) })
    }

    /// The variables of `environment` that a process of `kind` may be started with.
    public static func variables(for kind: ProcessKind, of environment: [String: String]) -> [String: String] {
        let names = names(for: kind)
        return environment.filter { names.contains($0.key) }
    }

    static func row(
        _ name: String, _ group: EnvironmentVariable.Group, _ processes: ProcessKind,
        _ defaultValue: EnvironmentVariable.Default, _ rule: EnvironmentVariable.Rule,
        _ outsideLocal: EnvironmentVariable.OutsideLocal = .same, secrecy: EnvironmentVariable.Secrecy = .plain,
        notReadYet: String? = nil, meaning: String
    ) -> EnvironmentVariable {
        EnvironmentVariable(
            name: name, group: group, processes: processes, secrecy: secrecy, defaultValue: defaultValue, rule: rule,
            outsideLocal: outsideLocal, meaning: meaning, notReadYet: notReadYet)
    }
}
