/// The checks of evidence in the order in which they are made.
public enum VerificationCheck: Int, CaseIterable, Sendable {
    case encoding = 1
    case challenge
    case freshness
    case runtime
    case nitroDocument
    case measurement
    case signature
    case replay

    /// What it looks at, for people.
    public var title: String {
        switch self {
        case .encoding: "evidence is well formed"
        case .challenge: "evidence answers this challenge"
        case .freshness: "evidence is fresh"
        case .runtime: "runtime and environment are the expected ones"
        case .nitroDocument: "document of the Nitro secure module"
        case .measurement: "measurement is allowed"
        case .signature: "signature by a trusted key"
        case .replay: "challenge was not answered before"
        }
    }
}

/// How one check ended.
public enum CheckVerdict: Equatable, Sendable {
    case passed
    /// The policy or the mode asks for nothing here; the text says why.
    case skipped(String)
    case refused(AttestationRefusal)
    /// An earlier check refused.
    case notReached
}

/// The verdict of every check on one answer.
public struct VerificationReport: Sendable {
    /// All checks, in order.
    public let checks: [(check: VerificationCheck, verdict: CheckVerdict)]
    /// The checks of the Nitro document, in order; empty where it was not judged.
    public let nitroChecks: [(check: NitroCheck, verdict: CheckVerdict)]
    /// The verified enclave, or the first refusal.
    public let result: Result<VerifiedEnclave, AttestationRefusal>
}
