/// What a document that stands alone must satisfy.
public struct NitroExpectations: Sendable {
    /// Which images are accepted.
    public enum Images: Equatable, Sendable {
        /// One of these releases; none at all refuses every document.
        case releases([AcceptedMeasurement])
        /// Any that is not in debug mode: a statement about authenticity alone.
        case notJudged
    }

    /// Which images are accepted.
    public var images: Images
    /// Nonce of the question; nil: not judged, the document may be a repetition.
    public var nonce: [UInt8]?
    /// What the enclave must have put in; nil: not judged.
    public var userData: [UInt8]?
    /// Greatest age in seconds; nil: as long as the certificates are valid.
    public var maximumAgeSeconds: UInt64?

    /// Expectations.
    public init(
        images: Images, nonce: [UInt8]? = nil, userData: [UInt8]? = nil, maximumAgeSeconds: UInt64? = nil
    ) {
        self.images = images
        self.nonce = nonce
        self.userData = userData
        self.maximumAgeSeconds = maximumAgeSeconds
    }
}

/// The verdict of every check on a document that stands alone.
public struct NitroReport: Sendable {
    /// How it ended.
    public enum Outcome: Equatable, Sendable {
        /// Every expectation is met by the named release (or, without a name, the measurement).
        case accepted(identity: String)
        /// The root vouches for the document; nothing was asked about the image.
        case authentic
        case refused(AttestationRefusal)
    }

    /// All checks, in order.
    public let checks: [(check: NitroCheck, verdict: CheckVerdict)]
    /// The document, as far as it could be read.
    public let document: NitroDocument?
    /// How it ended.
    public let outcome: Outcome

    /// Judges `bytes` as COSE_Sign1 document under the root of `chainVerifier`.
    public init(
        judging bytes: [UInt8], by expectations: NitroExpectations, _ chainVerifier: NitroChainVerifier, time: NitroTime
    ) {
        let demands = NitroDemands(
            nonce: expectations.nonce, userData: expectations.userData,
            maximumAgeSeconds: expectations.maximumAgeSeconds)
        var trial = NitroChecks(demands: demands, chainVerifier: chainVerifier, time: time)
        document = try? NitroDocument(parsing: bytes)
        do throws(AttestationRefusal) {
            outcome = try Self.judge(bytes, expectations.images, &trial)
        } catch {
            outcome = .refused(error)
        }
        checks = trial.verdicts
    }

    private static func judge(
        _ bytes: [UInt8], _ images: NitroExpectations.Images, _ trial: inout NitroChecks
    ) throws(AttestationRefusal) -> Outcome {
        let document = try trial.run(on: bytes)
        guard case .releases(let releases) = images else {
            try trial.record(.measurement, .success(.skipped("no policy: this says nothing about the image")))
            return .authentic
        }
        guard let release = releases.match(document) else {
            let refusal = releases.refusal(of: document, .measurementNotAllowed)
            try trial.record(.measurement, .failure(refusal))
            return .refused(refusal)
        }
        try trial.record(.measurement, .success(.passed))
        return .accepted(identity: release.name ?? release.measurement)
    }
}
