import Foundation

/// One rule that one variable breaks; it never holds the value.
public struct ConfigurationViolation: Error, Equatable, Sendable, CustomStringConvertible {
    /// The variable, or the file and line that cannot be read.
    public let variable: String
    /// What the variable must be.
    public let rule: String

    public init(_ variable: String, _ rule: String) {
        self.variable = variable
        self.rule = rule
    }

    public var description: String { "\(variable): \(rule)" }
}

/// Everything that is wrong with the environment of a process, in one go.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    public let violations: [ConfigurationViolation]

    public init(violations: [ConfigurationViolation]) {
        self.violations = violations
    }

    /// One line per violation.
    public var description: String { violations.map(\.description).joined(separator: "\n") }

    /// Prints one line per violation to stderr and ends the process with status 2.
    public func exitProcess() -> Never {
        FileHandle.standardError.write(Data((description + "\n").utf8))
        exit(2)
    }
}
