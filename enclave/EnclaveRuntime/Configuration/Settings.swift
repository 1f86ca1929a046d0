internal import Sodium

/// One broken rule: the variable and the rule, never the value.
public struct ConfigurationViolation: Error, Equatable, Sendable, CustomStringConvertible {
    /// Name of the variable.
    public let variable: String
    /// The rule it breaks.
    public let rule: String

    /// A violation.
    public init(_ variable: String, _ rule: String) {
        self.variable = variable
        self.rule = rule
    }

    public var description: String { "\(variable): \(rule)" }
}

/// Every rule that a configuration breaks; the process ends with exit 2 and prints one line for each.
public struct ConfigurationError: Error, Equatable, Sendable {
    /// At least one.
    public let violations: [ConfigurationViolation]

    /// An error that names `violations`.
    public init(_ violations: [ConfigurationViolation]) { self.violations = violations }
}

/// Reads variables one by one and collects what is wrong, so that one start tells everything.
struct Settings {
    private let values: [String: String]
    private(set) var violations: [ConfigurationViolation] = []

    init(_ values: [String: String]) { self.values = values }

    /// The trimmed value; blank means unset.
    func given(_ name: String) -> String? {
        guard let value = values[name].map(trimmed), !value.isEmpty else { return nil }
        return value
    }

    mutating func violate(_ name: String, _ rule: String) {
        violations.append(ConfigurationViolation(name, rule))
    }

    /// The parsed value or `fallback`; a value that `parse` refuses breaks `rule`.
    mutating func value<T>(_ name: String, default fallback: T, _ rule: String, parse: (String) -> T?) -> T {
        guard let text = given(name) else { return fallback }
        guard let value = parse(text) else {
            violate(name, rule)
            return fallback
        }
        return value
    }

    /// The parsed value; nil and a violation when it is missing or refused.
    mutating func required<T>(_ name: String, _ rule: String, parse: (String) -> T?) -> T? {
        guard let text = given(name) else {
            violate(name, "is required: \(rule)")
            return nil
        }
        guard let value = parse(text) else {
            violate(name, rule)
            return nil
        }
        return value
    }

    mutating func integer(_ name: String, default fallback: Int, _ range: ClosedRange<Int>) -> Int {
        value(name, default: fallback, "must be an integer from \(range.lowerBound) to \(range.upperBound)") {
            decimal($0, in: range)
        }
    }

    /// A comma-separated list without blank entries; unset is `fallback`, present but blank is a violation.
    mutating func list(_ name: String, default fallback: [String]?, atMost limit: Int) -> [String] {
        guard let value = values[name] else {
            if fallback == nil { violate(name, "is required: a comma-separated list of at most \(limit) entries") }
            return fallback ?? []
        }
        let entries = value.split(separator: ",").map { trimmed(String($0)) }.filter { !$0.isEmpty }
        if entries.isEmpty || entries.count > limit {
            violate(name, "must have 1 to \(limit) entries; a blank list never means the default")
        }
        return entries
    }

    /// A secret that may be KMS ciphertext, which `enclave-runtime` alone can have opened.
    mutating func secret(_ name: String, _ executable: EnclaveExecutable) -> ConfiguredSecret? {
        guard let plain = secret(name) else { return nil }
        guard let secret = ConfiguredSecret(name, plain) else {
            violate(name, "must be kms:<base64> or kms:<version>:<base64> when it begins with kms:")
            return nil
        }
        if secret.ciphertext != nil, executable == .devShim {
            violate(name, "must not be KMS ciphertext for enclave-dev-shim")
        }
        return secret
    }

    /// A secret from `name` or from the file that `name_FILE` names; nil when neither is set.
    mutating func secret(_ name: String) -> Secret? {
        let file = "\(name)_FILE"
        switch (given(name), given(file)) {
        case (nil, nil): return nil
        case (.some, .some):
            violate(name, "must not be set together with \(file)")
            return nil
        case (.some(let text), nil): return Secret(.init(copying: Array(text.utf8)))
        case (nil, .some(let path)): return secretFile(file, path)
        }
    }

    /// The content of the secret file at `path`, which variable `name` names.
    mutating func secretFile(_ name: String, _ path: String) -> Secret? {
        do throws(SecretFileError) {
            return Secret(try SecretFile.read(path))
        } catch {
            violate(name, error.rule)
            return nil
        }
    }
}

/// `text` without white space at either end.
func trimmed(_ text: String) -> String {
    var text = text[...]
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
}

/// A decimal integer within `range`, digits only.
func decimal(_ text: String, in range: ClosedRange<Int>) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(text) else { return nil }
    return range.contains(value) ? value : nil
}
