public import AttestationVerifier
public import EnclaveProtocol

internal import AttestedSession

/// Why a call of the enclave has no result.
public enum EnclaveCallError: Error, Equatable, Sendable {
    /// No session, or it ended before the answer came; whether the call was carried out is then unknown.
    case unreachable
    /// The caller's deadline passed.
    case timedOut
    /// The caller's task was cancelled.
    case cancelled
    /// Mode `disabled`.
    case notConfigured
    /// The enclave's evidence does not satisfy the policy.
    case evidenceRefused(AttestationReason)
    /// The enclave's evidence cannot be judged, or verification is not configured.
    case evidenceMalformed(AttestationReason)
    /// The enclave answered with something that is not the method's answer.
    case answerInvalid
    /// The enclave refused, or this client did in the same words (`overloaded`, `malformedRequest`).
    case failed(EnclaveFailure)

    /// The short name in logs and metrics; never more than the closed lists hold.
    public var name: String {
        switch self {
        case .unreachable: "unreachable"
        case .timedOut: EnclaveErrorCode.timedOut.name
        case .cancelled: EnclaveErrorCode.cancelled.name
        case .notConfigured: "not_configured"
        case .evidenceRefused: "evidence_refused"
        case .evidenceMalformed: "evidence_malformed"
        case .answerInvalid: "answer_invalid"
        case .failed(let failure): failure.code.name
        }
    }
}

extension EnclaveCallError {
    init(_ refusal: AttestationRefusal) {
        self = refusal.reason.isMalformed ? .evidenceMalformed(refusal.reason) : .evidenceRefused(refusal.reason)
    }

    init(_ failure: CallFailure) {
        switch failure {
        case .refused(let failure): self = .failed(failure)
        case .timedOut: self = .timedOut
        case .cancelled: self = .cancelled
        case .sessionEnded, .sessionExpired: self = .unreachable
        case .tooLarge: self = .failed(EnclaveFailure(.malformedRequest))
        case .tooManyInFlight: self = .failed(EnclaveFailure(.overloaded))
        }
    }

    init(_ error: SessionError) {
        switch error {
        case .timedOut: self = .timedOut
        case .refused(let code): self = .failed(EnclaveFailure(code))
        case .addressUnusable, .unreachable, .closedByPeer, .malformed, .handshakeFailed, .noChallenge, .outOfResources:
            self = .unreachable
        }
    }
}
