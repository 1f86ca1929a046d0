import AttestationVerifier
import SimulatedNitro

/// The files of one folder of `attestation-fixtures`, the same on every run.
public struct GeneratedCase: Sendable {
    /// Name of the folder.
    public let name: String
    /// Bytes by file name.
    public let files: [String: [UInt8]]

    /// Every case that is generated.
    public static func all() throws -> [GeneratedCase] {
        try Ed25519Cases.all() + NitroAcceptedCases.all() + NitroEnvelopeCases.all() + NitroPayloadCases.all()
            + NitroChainCases.all() + NitroCertificateCases.all() + NitroBindingCases.all() + DocumentCases.all()
    }

    /// What was found in place of what `expected.json` demands; nil where both agree.
    public func contradiction() throws -> String? { try Self.contradiction(in: files) }

    /// Judges the files of a folder; which files it has says which kind it is.
    public static func contradiction(in files: [String: [UInt8]]) throws -> String? {
        guard files["document.cbor"] == nil else { return try DocumentCase(files).contradiction() }
        let recorded = try RecordedEvidence(
            challenge: files["challenge.json"] ?? [], answer: files["answer.json"] ?? [],
            policy: files["policy.json"] ?? [])
        let expected = try ExpectedVerdict(json: files["expected.json"] ?? [])
        let report = try recorded.report()
        guard !expected.matches(report) else { return nil }
        return switch report.result {
        case .success(let enclave): "accepted as \(enclave.identity)"
        case .failure(let refusal): "\(refusal)"
        }
    }
}

/// The authority of all generated documents.
public enum TestAuthority {
    /// Its root certificate, DER.
    public static var root: [UInt8] { NitroDraft().authority.root }
}
