/// One row of the catalogue: everything a process has to know about one variable.
public struct EnvironmentVariable: Sendable {
    /// The group of the row, in the order of `.env.example`.
    public enum Group: String, CaseIterable, Sendable {
        case general, api, storage, enclave, attestation, keys, google, worker, push, llm, reliability, tests
    }

    /// What an unset variable means.
    public enum Default: Equatable, Sendable {
        /// Unset ends start-up in the processes given.
        case required
        /// Unset is a value of its own, or depends on others; the text says which.
        case unset(String)
        case value(String)
        /// One default per process.
        case each([ProcessKind: String])
    }

    /// How far the value is secret.
    public enum Secrecy: Sendable {
        case plain
        /// The value itself; `<NAME>_FILE` may name a file that holds it.
        case value
        /// A path of a secret file; the path itself is none.
        case file
    }

    /// The form of a value; what depends on other rows is checked where the row is read.
    public enum Rule: Sendable {
        case choice([String])
        case boolean
        case integer(ClosedRange<Int>)
        case decimal(ClosedRange<Double>)
        case text(ClosedRange<Int>, TextAlphabet)
        case csv(maximum: Int)
        case url(schemes: Set<String>, query: Bool)
        case socketAddress(orOff: Bool)
        case path
        /// Read by a parser of its own; the text names the form.
        case form(String)
    }

    /// What changes when `ALFRED_ENV` is not `local`.
    public enum OutsideLocal: Sendable {
        case same
        /// Setting the variable ends start-up.
        case refused
        case https
        /// Only this value.
        case only(String)
        /// Every value but this one.
        case not(String)
        /// Only the default, however it is written.
        case defaultOnly
        /// Checked by the code that reads the row; the text says how.
        case checked(String)
    }

    public let name: String
    public let group: Group
    public let processes: ProcessKind
    public let secrecy: Secrecy
    public let defaultValue: Default
    public let rule: Rule
    public let outsideLocal: OutsideLocal
    /// One line for people: what the variable is for.
    public let meaning: String
    /// Why setting the row has no effect yet, or is refused; nil for rows that work.
    public let notReadYet: String?

    /// Whether the value itself is secret.
    public var isSecret: Bool { secrecy == .value }

    /// The variable that names a file with the value; nil unless the value is secret.
    public var fileName: String? { isSecret ? "\(name)_FILE" : nil }

    /// A secret that no host process may hold in any environment.
    public var belongsToEnclaveAlone: Bool {
        isSecret && processes.contains(.enclave) && processes.isDisjoint(with: .hosts)
    }

    /// The default for `process`; nil when there is none.
    public func defaultText(for process: ProcessKind) -> String? {
        switch defaultValue {
        case .required, .unset: nil
        case .value(let text): text
        case .each(let texts): texts.first { $0.key.contains(process) }?.value
        }
    }
}

/// The characters a text value may have.
public enum TextAlphabet: Sendable {
    /// No control characters.
    case printable
    /// ASCII 0x21 to 0x7e.
    case visible
    /// `[A-Za-z0-9._-]`
    case word
    /// `[A-Za-z0-9.-]`
    case domain
    /// `[A-Z0-9]`
    case upper
    /// `[A-Za-z0-9._:/-]`
    case model
    /// `[A-Za-z0-9._:+=-]`
    case measurement

    /// Whether every character of `text` is one of these.
    public func allows(_ text: String) -> Bool {
        switch self {
        case .printable: text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }
        case .visible: text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        case .word: isASCIIWord(text, also: "._-")
        case .domain: isASCIIWord(text, also: ".-")
        case .upper: text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) }
        case .model: isASCIIWord(text, also: "._:/-")
        case .measurement: isASCIIWord(text, also: "._:+=-")
        }
    }

    /// The alphabet as an error message states it.
    public var description: String {
        switch self {
        case .printable: "characters without control characters"
        case .visible: "visible ASCII characters"
        case .word: "of [A-Za-z0-9._-]"
        case .domain: "of [A-Za-z0-9.-]"
        case .upper: "of [A-Z0-9]"
        case .model: "of [A-Za-z0-9._:/-]"
        case .measurement: "of [A-Za-z0-9._:+=-]"
        }
    }
}

/// Whether `text` has only ASCII letters, digits and the bytes of `also`.
func isASCIIWord(_ text: some StringProtocol, also: StaticString) -> Bool {
    let extra = also.description.utf8
    return text.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || extra.contains(byte)
    }
}
