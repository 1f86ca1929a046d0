internal import CLinux
internal import Glibc

/// Which executable asks; the remote one holds no local evidence and no local KMS.
public enum EnclaveExecutable: Sendable { case devShim, remote }

/// Where an enclave's variables come from.
public enum ConfigurationSource {
    /// The measured file of an enclave image; where it exists it is the only source of `enclave-runtime`.
    public static let imageFile = "/etc/alfred-enclave.env"
    /// Secrets of the enclave: in files or, in local, the real environment, and never in `.env`.
    static let secrets = ["TEE_ATTESTATION_SIGNING_PRIVATE_KEY", "GOOGLE_OAUTH_CLIENT_SECRET"]
    private static let maximumFileBytes = 256 * 1024

    /// Collects the variables of this process by the rules of its executable.
    ///
    /// `isMeasured`: they are those of the image's file.
    public static func load(
        _ executable: EnclaveExecutable
    ) throws(ConfigurationError) -> (values: [String: String], isMeasured: Bool) {
        let real = realEnvironment()
        if executable == .remote, unsafe access(imageFile, F_OK) == 0 {
            return (try file(imageFile, "ENCLAVE_CONFIG_FILE"), true)
        }
        if let path = real["ENCLAVE_CONFIG_FILE"].map(trimmed), !path.isEmpty {
            return (try file(path, "ENCLAVE_CONFIG_FILE"), false)
        }
        return (try merged(real: real, dotEnv: dotEnvText(for: real)), false)
    }

    private static func realEnvironment() -> [String: String] {
        var values: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let line = unsafe String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                values[String(line[..<equals])] = String(line[line.index(after: equals)...])
            }
            unsafe entry += 1
        }
        return values
    }

    /// The real environment over the lines of a `.env` file.
    static func merged(real: [String: String], dotEnv: String?) throws(ConfigurationError) -> [String: String] {
        guard let dotEnv else { return real }
        let lines = try parse(dotEnv, variable: ".env")
        var violations: [ConfigurationViolation] = []
        if let environment = lines["ALFRED_ENV"], !environment.isEmpty, environment != "local" {
            violations.append(ConfigurationViolation("ALFRED_ENV", "must be local in .env"))
        }
        for name in secrets where lines[name]?.isEmpty == false {
            violations.append(ConfigurationViolation(name, "is a secret of the enclave and must not be in .env"))
        }
        guard violations.isEmpty else { throw ConfigurationError(violations) }
        return lines.merging(real) { inFile, inReal in trimmed(inReal).isEmpty ? inFile : inReal }
    }

    /// Parses `NAME=value` lines; blank lines and lines that begin with `#` are skipped, matching quotes are removed.
    static func parse(_ text: String, variable: String) throws(ConfigurationError) -> [String: String] {
        var values: [String: String] = [:]
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = trimmed(String(line))
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            let body = line.hasPrefix("export ") ? line.dropFirst(7) : line[...]
            guard let equals = body.firstIndex(of: "="), equals != body.startIndex else {
                throw ConfigurationError([ConfigurationViolation(variable, "line \(number + 1) is not NAME=value")])
            }
            var value = trimmed(String(body[body.index(after: equals)...]))
            for quote in ["\"", "'"] where value.count >= 2 && value.hasPrefix(quote) && value.hasSuffix(quote) {
                value = String(value.dropFirst().dropLast())
                break
            }
            values[trimmed(String(body[..<equals]))] = value
        }
        return values
    }

    private static func file(_ path: String, _ variable: String) throws(ConfigurationError) -> [String: String] {
        guard let text = text(of: path) else {
            throw ConfigurationError([ConfigurationViolation(variable, "the file cannot be read as UTF-8 text")])
        }
        return try parse(text, variable: variable)
    }

    private static func dotEnvText(for real: [String: String]) -> String? {
        let environment = real["ALFRED_ENV"].map(trimmed) ?? ""
        guard environment.isEmpty || environment == "local", let here = unsafe getcwd(nil, 0) else { return nil }
        var folder = unsafe String(cString: here)
        unsafe free(here)
        while true {
            if let text = text(of: "\(folder == "/" ? "" : folder)/.env") { return text }
            guard folder != "/", let slash = folder.lastIndex(of: "/") else { return nil }
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
    }

    /// The text of a file of at most 256 KiB.
    public static func text(of path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let got = unsafe read(descriptor, &buffer, buffer.count)
            if got == 0 { break }
            guard got > 0, bytes.count + got <= maximumFileBytes else { return nil }
            bytes += buffer[..<got]
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
