internal import Sodium

/// One document on trial.
struct NitroChecks {
    let demands: NitroDemands
    let chainVerifier: NitroChainVerifier
    let time: NitroTime
    private var made: [NitroCheck: CheckVerdict] = [:]

    init(demands: NitroDemands, chainVerifier: NitroChainVerifier, time: NitroTime) {
        self.demands = demands
        self.chainVerifier = chainVerifier
        self.time = time
    }

    /// The verdict of each check, those that were not made as not reached.
    var verdicts: [(check: NitroCheck, verdict: CheckVerdict)] {
        NitroCheck.allCases.map { ($0, made[$0] ?? .notReached) }
    }

    /// Makes every check but that of the measurement.
    mutating func run(on bytes: [UInt8]) throws(AttestationRefusal) -> NitroDocument {
        let document = try authentic(bytes)
        for check in [NitroCheck.time, .nonce, .userData, .publicKey, .debugMode] {
            let outcome = Result { () throws(AttestationRefusal) in try judge(check, document) }
            try record(check, outcome)
        }
        return document
    }

    /// Keeps the verdict of one check; throws its refusal.
    mutating func record(
        _ check: NitroCheck, _ outcome: Result<EvidenceChecks.Outcome, AttestationRefusal>
    ) throws(AttestationRefusal) {
        switch outcome {
        case .success(.passed): made[check] = .passed
        case .success(.skipped(let reason)): made[check] = .skipped(reason)
        case .failure(let refusal):
            made[check] = .refused(refusal)
            throw refusal
        }
    }

    private func judge(
        _ check: NitroCheck, _ document: NitroDocument
    ) throws(AttestationRefusal) -> EvidenceChecks.Outcome {
        switch check {
        case .time: return try checkAge(document)
        case .nonce:
            return try compare("nonce", demands.nonce, document.nonce, "no nonce was given: it may be a repetition")
        case .userData: return try compare("user_data", demands.userData, document.userData, "none was given")
        case .publicKey:
            guard demands.demandsNoPublicKey, let key = document.publicKey else {
                return demands.demandsNoPublicKey ? .passed : .skipped("any is as good")
            }
            throw AttestationRefusal(
                .evidenceKeyMismatch, expected: "null", found: "\(key.count) bytes", place: "public_key")
        default: return try checkDebugMode(document)
        }
    }

    private func checkDebugMode(_ document: NitroDocument) throws(AttestationRefusal) -> EvidenceChecks.Outcome {
        guard let register = document.debugRegister else { return .passed }
        throw AttestationRefusal(
            .debugEnclaveRefused, expected: "a measurement",
            found: document.registers[register] == nil ? "nothing" : "zero: the enclave runs in debug mode",
            register: register)
    }

    private mutating func authentic(_ bytes: [UInt8]) throws(AttestationRefusal) -> NitroDocument {
        do throws(NitroRefusal) {
            let document = try NitroDocument(parsing: bytes)
            switch time {
            case .at(let now): _ = try chainVerifier.verify(document, at: now)
            case .itsOwn: _ = try chainVerifier.verifyAtItsOwnTime(document)
            }
            for check in [NitroCheck.document, .chain, .signature] { made[check] = .passed }
            return document
        } catch {
            let failed = NitroCheck(error.fault)
            let refusal = AttestationRefusal(error)
            for check in NitroCheck.allCases.prefix(failed.rawValue - 1) { made[check] = .passed }
            made[failed] = .refused(refusal)
            throw refusal
        }
    }

    private func checkAge(_ document: NitroDocument) throws(AttestationRefusal) -> EvidenceChecks.Outcome {
        guard case .at(let now) = time else { return .skipped("judged at its own time, \(document.timestamp)") }
        guard let age = demands.maximumAgeSeconds else { return .passed }
        let oldest = now.subtractingClamped(age.addingClamped(NitroChainVerifier.skewSeconds))
        guard document.timestamp >= oldest else {
            throw AttestationRefusal(
                .staleAttestation, expected: "\(oldest) or later", found: "\(document.timestamp)", place: "timestamp")
        }
        return .passed
    }

    private func compare(
        _ field: String, _ demanded: [UInt8]?, _ found: [UInt8]?, _ reason: String
    ) throws(AttestationRefusal) -> EvidenceChecks.Outcome {
        guard let demanded else { return .skipped(reason) }
        guard found == demanded else {
            throw AttestationRefusal(
                .evidenceKeyMismatch, expected: text(demanded), found: found.map(text) ?? "null",
                place: field)
        }
        return .passed
    }

    private func text(_ bytes: [UInt8]) -> String { bytes.isEmpty ? "empty" : Hex.encode(bytes) }
}
