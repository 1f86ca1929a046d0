internal import EnclaveProtocol
internal import Sodium

extension EvidenceChecks {
    // MARK: 5. Nitro

    mutating func checkNitroDocument(_ evidence: Evidence) throws(AttestationRefusal) -> Outcome {
        guard policy.isEnforced else { return .notRequired }
        guard let bytes = answer.nsmDocument else {
            guard policy.isLocal else {
                throw AttestationRefusal(.missingNitroDocument, expected: "a document outside local", found: "none")
            }
            return .skipped("software evidence, accepted in local only")
        }
        let demands = NitroDemands(
            nonce: challenge.nonce, userData: Hash.sha512(answer.evidence), demandsNoPublicKey: true,
            maximumAgeSeconds: policy.maximumAgeSeconds)
        var checks = NitroChecks(demands: demands, chainVerifier: chainVerifier, time: .at(now))
        defer { nitroChecks = checks.verdicts }
        let document = try checks.run(on: bytes)
        let outcome = Result { () throws(AttestationRefusal) in try Self.compare(evidence, document) }
        try checks.record(.measurement, outcome)
        nitroDocument = document
        return .passed
    }

    /// The measurement that the evidence states is that of the document.
    private static func compare(
        _ evidence: Evidence, _ document: NitroDocument
    ) throws(AttestationRefusal) -> Outcome {
        guard let stated = NitroMeasurement(evidence.measurement) else {
            throw AttestationRefusal(
                .evidenceKeyMismatch, expected: "the document's registers as measurement",
                found: evidence.measurement, place: "measurement")
        }
        if let difference = stated.difference(from: document) {
            throw AttestationRefusal(.evidenceKeyMismatch, difference, of: "the evidence")
        }
        return .passed
    }

    // MARK: 6. Measurement

    func checkMeasurement(_ evidence: Evidence) throws(AttestationRefusal) -> Outcome {
        guard policy.isEnforced else { return .notRequired }
        guard policy.allowedMeasurements.match(evidence, nitroDocument) != nil else {
            throw refusal(.measurementNotAllowed, policy.allowedMeasurements, evidence)
        }
        guard policy.kmsAllowedMeasurements.match(evidence, nitroDocument) != nil else {
            throw refusal(.kmsPolicyDenied, policy.kmsAllowedMeasurements, evidence)
        }
        return .passed
    }

    private func refusal(
        _ reason: AttestationReason, _ allowed: [AcceptedMeasurement], _ evidence: Evidence
    ) -> AttestationRefusal {
        if let nitroDocument { return allowed.refusal(of: nitroDocument, reason) }
        let expected =
            allowed.isEmpty ? AttestationRefusal.emptyPolicy : allowed.map(\.measurement).joined(separator: ", ")
        return AttestationRefusal(reason, expected: expected, found: evidence.measurement)
    }

    func identity(of evidence: Evidence) -> String {
        guard policy.isEnforced else { return VerifiedEnclave.unenforcedIdentity }
        return policy.allowedMeasurements.match(evidence, nitroDocument)?.name ?? evidence.measurement
    }

    // MARK: 7. Signature

    mutating func checkSignature(_ evidence: Evidence) throws(AttestationRefusal) -> Outcome {
        guard policy.isEnforced else { return .notRequired }
        guard policy.needsSignature else { return .skipped("insecure development attestation is allowed") }
        // The document commits to the evidence, and so to the key stated in it.
        let isCommitted = nitroDocument != nil && (policy.publicKeys.isEmpty || isStarting)
        let keys = isCommitted ? [evidence.signingKey].compactMap(\.self) : policy.publicKeys
        guard !keys.isEmpty else {
            throw AttestationRefusal(
                .missingAttestationPublicKey, expected: isCommitted ? "a key in the evidence" : "a configured key",
                found: "none")
        }
        guard keys.allSatisfy({ $0.count == Ed25519.publicKeyBytes }) else {
            throw AttestationRefusal(.invalidAttestationPublicKey, expected: "keys of 32 bytes")
        }
        guard let signature = answer.signature else {
            throw AttestationRefusal(.missingAttestationSignature, expected: "a signature", found: "none")
        }
        let signer = keys.first { key in
            Ed25519.verify(signature: signature, message: answer.evidence, publicKey: key)
        }
        guard let signer, signer == evidence.signingKey else {
            throw AttestationRefusal(
                .invalidAttestationSignature, expected: keys.map(Base64.encode).joined(separator: ", "),
                found: evidence.signingKey.map(Base64.encode) ?? "no key stated")
        }
        proof = policy.publicKeys.contains(signer) ? .configuredKey : .nitroDocument
        return .passed
    }
}

extension [AcceptedMeasurement] {
    /// The entry that allows it: by the document's registers where there is a document, else by the text.
    fileprivate func match(_ evidence: Evidence, _ document: NitroDocument?) -> AcceptedMeasurement? {
        if let document { return match(document) }
        return first { $0.measurement == evidence.measurement }
    }
}
