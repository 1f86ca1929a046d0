import AttestationVerifier
import EnclaveProtocol
import Foundation
import LocalStack
import Sodium
import Testing

@testable import AttestedSession

extension HostileHost {
    /// Evidence answers one challenge, once, unaltered; the enclave answers no challenge out of rule.
    @Suite struct EvidenceTests {
        @Test(.timeLimit(.minutes(1))) func c14_evidenceAnswersItsOwnChallengeOnce() async throws {
            let stage = try Stage.required()
            let verifier = Verifier(policy: stage.policy)
            let first = verifier.challenge(purpose: "session", requestID: "first", now: unixNow())
            let second = verifier.challenge(purpose: "session", requestID: "second", now: unixNow())
            let answer = try await stage.evidence(for: first)
            #expect(Self.reason(verifier, answer, second) == .challengeNonceMismatch)
            #expect(Self.reason(verifier, answer, first) == nil)
            #expect(Self.reason(verifier, answer, first) == .challengeReplayDetected)
            // The false answer has used the second challenge up.
            #expect(Self.reason(verifier, try await stage.evidence(for: second), second) == .challengeReplayDetected)
        }

        @Test(.timeLimit(.minutes(1))) func c14_expiredEvidenceIsRefused() async throws {
            let stage = try Stage.required()
            let verifier = Verifier(policy: stage.policy)
            let challenge = verifier.challenge(purpose: "session", requestID: "late", window: 10, now: unixNow())
            let answer = try await stage.evidence(for: challenge)
            for (now, reason) in [
                (challenge.expiresAt + 1, AttestationReason.challengeExpired),
                (challenge.issuedAt - 1, .challengeExpired), (challenge.expiresAt + 86_400, .challengeExpired),
            ] {
                verifier.expect(challenge, now: unixNow())
                #expect(Self.reason(verifier, answer, challenge, now: now) == reason)
            }
        }

        @Test(.timeLimit(.minutes(1))) func c14_everyAlteredFieldIsRefusedWithItsOwnReason() async throws {
            let stage = try Stage.required()
            let verifier = Verifier(policy: stage.policy)
            let challenge = verifier.challenge(purpose: "session", requestID: "altered", now: unixNow())
            let answer = try await stage.evidence(for: challenge)
            let evidence = try Evidence(decoding: answer.evidence)
            let thief = Ed25519.SigningKey()
            for (name, altered, reason) in Self.alterations(of: evidence) {
                let resigned = altered.with(signingKey: .some(thief.publicKey)).encoded()
                let signedAsItself = altered.encoded()
                for (how, bytes, signature) in [
                    ("signature kept", altered.encoded(), answer.signature),
                    ("no signature", altered.encoded(), nil),
                    ("signed by another key", signedAsItself, thief.sign(signedAsItself)),
                    ("signed by another key that it names", resigned, thief.sign(resigned)),
                ] {
                    verifier.expect(challenge, now: unixNow())
                    let forged = ChallengeAnswer(evidence: bytes, signature: signature, nsmDocument: nil)
                    let expected =
                        signature == nil && reason == .invalidAttestationSignature
                        ? .missingAttestationSignature : reason
                    #expect(Self.reason(verifier, forged, challenge) == expected, "\(name), \(how)")
                }
            }
            verifier.expect(challenge, now: unixNow())
            #expect(Self.reason(verifier, answer, challenge) == nil, "the true answer is accepted")
        }

        @Test(.timeLimit(.minutes(1))) func c14_noBitOfEvidenceOrSignatureCanBeFlipped() async throws {
            let stage = try Stage.required()
            let verifier = Verifier(policy: stage.policy)
            let challenge = verifier.challenge(purpose: "session", requestID: "bits", now: unixNow())
            let answer = try await stage.evidence(for: challenge)
            let signature = try #require(answer.signature)
            for index in answer.evidence.indices {
                for bit in [1, 0x20, 0x80] as [UInt8] {
                    verifier.expect(challenge, now: unixNow())
                    let forged = ChallengeAnswer(
                        evidence: flip(index, bit: bit, in: answer.evidence), signature: signature,
                        nsmDocument: nil)
                    #expect(Self.reason(verifier, forged, challenge) != nil, "byte \(index)")
                }
            }
            for index in signature.indices {
                verifier.expect(challenge, now: unixNow())
                let forged = ChallengeAnswer(
                    evidence: answer.evidence, signature: flip(index, in: signature), nsmDocument: nil)
                #expect(Self.reason(verifier, forged, challenge) == .invalidAttestationSignature)
            }
            for document in [answer.evidence + [0], Array(answer.evidence.dropLast()), []] {
                verifier.expect(challenge, now: unixNow())
                let forged = ChallengeAnswer(evidence: document, signature: signature, nsmDocument: nil)
                #expect(Self.reason(verifier, forged, challenge) == .invalidAttestationDocument)
            }
        }

        @Test(.timeLimit(.minutes(1))) func c14_theEnclaveAnswersNoChallengeOutOfRule() async throws {
            let stage = try Stage.required()
            let now = unixNow()
            try await stage.withstands {
                // Clocks may differ a little.
                for (issued, expires) in [(now - 200, now - 20), (now + 50, now + 300), (now, now + 300)] {
                    let challenge = Challenge(
                        nonce: Random.bytes(32), issuedAt: issued, expiresAt: expires, purpose: "session",
                        requestID: "window")
                    #expect(
                        try await Evidence(decoding: stage.evidence(for: challenge).evidence).challenge == challenge)
                }
                for (issued, expires, what) in [
                    (now, now + 301, "longer than the maximum age"), (now, UInt64.max, "endless"),
                    (now - 200, now - 31, "over"), (now + 65, now + 100, "ahead"), (0, 300, "of 1970"),
                ] {
                    let challenge = Challenge(
                        nonce: Random.bytes(32), issuedAt: issued, expiresAt: expires, purpose: "session",
                        requestID: "window")
                    await #expect(throws: SessionError.refused(.challengeRefused), "\(what)") {
                        _ = try await stage.evidence(for: challenge)
                    }
                }
                // A second challenge on one connection, and a handshake after a probe's challenge.
                let twice = try await stage.challenged()
                #expect(try twice.ask(.challenge(stage.challenge())) == .refused(.challengeRefused))
                #expect(twice.closes())
                let probe = try await stage.whenNotOverloaded {
                    let raw = try RawHost(stage.endpoint)
                    guard case .challenge = try raw.ask(.challenge(stage.challenge(purpose: "startup_probe"))) else {
                        throw SessionError.refused(.overloaded)
                    }
                    return raw
                }
                #expect(try probe.ask(.handshake(Random.bytes(96))) == .refused(.challengeRefused))
            }
        }

        private static func reason(
            _ verifier: Verifier, _ answer: ChallengeAnswer, _ challenge: Challenge, now: UInt64 = unixNow()
        ) -> AttestationReason? {
            do throws(AttestationRefusal) {
                _ = try verifier.verify(answer: answer, to: challenge, now: now)
                return nil
            } catch {
                return error.reason
            }
        }

        /// Each field of evidence with another value, and the reason that names it.
        private static func alterations(of evidence: Evidence) -> [(String, Evidence, AttestationReason)] {
            func challenge(
                nonce: [UInt8]? = nil, issuedAt: UInt64? = nil, expiresAt: UInt64? = nil, purpose: String? = nil,
                requestID: String? = nil
            ) -> Evidence {
                let old = evidence.challenge
                return evidence.with(
                    challenge: Challenge(
                        nonce: nonce ?? old.nonce, issuedAt: issuedAt ?? old.issuedAt,
                        expiresAt: expiresAt ?? old.expiresAt, purpose: purpose ?? old.purpose,
                        requestID: requestID ?? old.requestID))
            }
            let window = evidence.challenge
            return [
                ("runtime", evidence.with(runtime: "nitro2"), .runtimeMismatch),
                ("environment", evidence.with(environment: "production"), .runtimeMismatch),
                ("measurement", evidence.with(measurement: "another-enclave"), .measurementNotAllowed),
                ("nonce", challenge(nonce: Random.bytes(32)), .challengeNonceMismatch),
                ("challenge start", challenge(issuedAt: window.issuedAt - 1), .invalidChallengeWindow),
                ("challenge end", challenge(expiresAt: window.expiresAt + 1), .invalidChallengeWindow),
                ("purpose", challenge(purpose: "startup_probe"), .challengePurposeMismatch),
                ("request id", challenge(requestID: "another"), .challengeRequestIDMismatch),
                (
                    "time before the window", evidence.with(issuedAt: window.issuedAt - 31),
                    .evidenceNotBoundToChallengeWindow
                ),
                (
                    "time after the window", evidence.with(issuedAt: window.expiresAt + 31),
                    .evidenceNotBoundToChallengeWindow
                ),
                (
                    "time inside the window", evidence.with(issuedAt: evidence.issuedAt + 5),
                    .invalidAttestationSignature
                ),
                ("random", evidence.with(random: Random.bytes(32)), .invalidAttestationSignature),
                (
                    "session key", evidence.with(sessionKey: X25519.PrivateKey().publicKey),
                    .invalidAttestationSignature
                ),
                (
                    "signing key", evidence.with(signingKey: .some(Ed25519.SigningKey().publicKey)),
                    .invalidAttestationSignature
                ),
                ("no signing key", evidence.with(signingKey: .some(nil)), .invalidAttestationSignature),
            ]
        }
    }
}

extension Evidence {
    fileprivate func with(
        runtime: String? = nil, environment: String? = nil, measurement: String? = nil, challenge: Challenge? = nil,
        issuedAt: UInt64? = nil, random: [UInt8]? = nil, sessionKey: [UInt8]? = nil, signingKey: [UInt8]?? = nil
    ) -> Evidence {
        Evidence(
            runtime: runtime ?? self.runtime, environment: environment ?? self.environment,
            measurement: measurement ?? self.measurement, challenge: challenge ?? self.challenge,
            issuedAt: issuedAt ?? self.issuedAt, random: random ?? self.random,
            sessionKey: sessionKey ?? self.sessionKey, signingKey: signingKey ?? self.signingKey)
    }
}
