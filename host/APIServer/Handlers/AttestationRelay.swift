import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HostRuntime

/// The two relays: the enclave's own answers, to which the host adds no claim and of which it keeps nothing.
struct AttestationRelay: Sendable {
    /// Calls of both relays together that one process passes on per second.
    static let callsPerSecond = 10
    private static let reserved = [Challenge.sessionPurpose, Challenge.startupProbePurpose]

    let enclave: any EnclavePort
    /// Longest window of a challenge, in seconds.
    let maximumAgeSeconds: Int
    let quota: CallQuota
    /// Unix seconds.
    let now: @Sendable () -> Double

    func document(_ call: APICall) async throws(APIError) -> APIAnswer {
        guard quota.admit() else { throw APIError(.attestationDocumentUnavailable) }
        let answer: DocumentAnswer
        do throws(EnclaveCallError) {
            answer = try await enclave.document()
        } catch {
            call.note(error, during: "attestation.document")
            throw APIError(.attestationDocumentUnavailable)
        }
        guard let document = try? IdentityDocument(decoding: answer.document) else {
            throw APIError(.attestationDocumentUnavailable)
        }
        return .json(
            .object([
                "runtime": .string(document.runtime), "measurement": .string(document.measurement),
                "issued_at": .integer(Int(clamping: document.issuedAt)), "dev_shim": .bool(document.mode == "dev-shim"),
                "signature": .base64(answer.signature), "public_key": .base64(document.signingKey),
                "session_key": .base64(document.sessionKey), "nsm_document": .base64(answer.nsmDocument),
            ]))
    }

    func challenge(_ call: APICall) async throws(APIError) -> APIAnswer {
        let challenge = try challenge(of: call.body)
        guard quota.admit() else { throw APIError(.attestationChallengeUnavailable) }
        let answer: ChallengeAnswer
        do throws(EnclaveCallError) {
            answer = try await enclave.relayChallenge(challenge)
        } catch {
            call.note(error, during: "attestation.challenge")
            throw APIError(Self.isRefusal(error) ? .attestationChallengeFailed : .attestationChallengeUnavailable)
        }
        guard let evidence = try? Evidence(decoding: answer.evidence) else {
            throw APIError(.attestationChallengeUnavailable)
        }
        return .json(
            .object([
                "challenge_nonce": .string(Self.hex(challenge.nonce)), "issued_at": .integer(Int(challenge.issuedAt)),
                "expires_at": .integer(Int(challenge.expiresAt)), "operation_purpose": .string(challenge.purpose),
                "request_id": .string(challenge.requestID), "runtime": .string(evidence.runtime),
                "measurement": .string(evidence.measurement),
                "evidence_issued_at": .integer(Int(clamping: evidence.issuedAt)),
                "public_key": .base64(evidence.signingKey), "session_key": .base64(evidence.sessionKey),
                "signature": .base64(answer.signature), "evidence": .base64(answer.evidence),
                "nsm_document": .base64(answer.nsmDocument),
            ]))
    }

    private func challenge(of body: RequestFields) throws(APIError) -> Challenge {
        let nonce = try body.text("challenge_nonce")
        let issued = try body.integer("issued_at")
        let expires = try body.integer("expires_at")
        let purpose = try body.text("operation_purpose")
        let requestID = try body.text("request_id")
        func check(_ isFine: Bool, _ field: StaticString) throws(APIError) {
            guard isFine else { throw APIError(.attestationChallengeFailed, field: field) }
        }
        let bytes = Self.bytes(ofHex: nonce)
        try check(bytes?.count == 32, "challenge_nonce")
        try check(Challenge.isPurpose(purpose) && !Self.reserved.contains(purpose), "operation_purpose")
        try check(RequestID(requestID)?.text == requestID, "request_id")
        try check(issued >= 0 && Double(issued) <= now() + 60, "issued_at")
        try check(expires > issued && expires - issued <= maximumAgeSeconds && Double(expires) > now(), "expires_at")
        return Challenge(
            nonce: bytes ?? [], issuedAt: UInt64(issued), expiresAt: UInt64(expires), purpose: purpose,
            requestID: requestID)
    }

    /// The enclave said that the challenge itself is at fault.
    private static func isRefusal(_ error: EnclaveCallError) -> Bool {
        error == .failed(EnclaveFailure(.challengeRefused)) || error == .failed(EnclaveFailure(.malformedRequest))
    }

    /// Lower-case digits only.
    private static func bytes(ofHex text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0,
            digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        func value(_ digit: UInt8) -> UInt8 { digit < 0x3A ? digit - 0x30 : digit - 0x57 }
        return stride(from: 0, to: digits.count, by: 2).map { value(digits[$0]) << 4 | value(digits[$0 + 1]) }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension JSONValue {
    /// Standard base64, or `null`.
    fileprivate static func base64(_ bytes: [UInt8]?) -> JSONValue {
        .optional(bytes.map { Data($0).base64EncodedString() })
    }
}
