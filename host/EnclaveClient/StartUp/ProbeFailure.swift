/// The steps of the start-up probe, and of opening a session.
public enum ProbeStep: String, CaseIterable, Sendable {
    case health = "health"
    case document = "attestation.document"
    case challenge = "attestation.challenge"
    case credentials = "kms.credentials"
    case session = "session"
    case seal = "data.seal"
}

/// Why a process does not start: the step of the probe that failed last, and the reason.
public struct ProbeFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The step.
    public let step: ProbeStep
    /// The reason.
    public let error: EnclaveCallError
    /// What was wrong with the answer, where that is not the error's name; printable, no secret.
    public let detail: String?

    init(_ step: ProbeStep, _ error: EnclaveCallError, detail: String? = nil) {
        self.step = step
        self.error = error
        self.detail = detail
    }

    init(_ failure: ConnectFailure) {
        self.init(failure.step, failure.error, detail: failure.detail)
    }

    /// One line for a person.
    public var description: String {
        "the enclave failed the start-up probe at \(step.rawValue): \(error.name)" + (detail.map { " (\($0))" } ?? "")
    }
}
