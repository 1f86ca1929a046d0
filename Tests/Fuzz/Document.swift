import AttestationCases
import AttestationVerifier

/// Documents of the test authority that are accepted, and its root.
private let good: [NitroDocument] = goodDocuments()
private let verifier = (try? NitroRoot(testCertificate: TestAuthority.root)).map { NitroChainVerifier(root: $0) }

private func goodDocuments() -> [NitroDocument] {
    let cases = (try? GeneratedCase.all()) ?? []
    return cases.filter { $0.name.hasPrefix("document-accept-") }
        .compactMap { $0.files["document.cbor"].flatMap { try? NitroDocument(parsing: $0) } }
}

/// Judges the input as a document of a secure module; what is authentic says what the authority once signed.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDocument(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let verifier else { preconditionFailure("no root") }
    precondition(!good.isEmpty)
    guard let document = try? NitroDocument(parsing: bytes) else { return 0 }
    precondition(!document.moduleID.isEmpty && !document.bundle.isEmpty)
    precondition(document.registers.allSatisfy { (0...31).contains($0.key) && $0.value.count == 48 })
    guard (try? verifier.verifyAtItsOwnTime(document)) != nil else { return 0 }
    precondition(good.contains { saysTheSame($0, document) }, "a document that nobody signed is authentic")
    return 0
}

private func saysTheSame(_ one: NitroDocument, _ other: NitroDocument) -> Bool {
    one.moduleID == other.moduleID && one.timestampMilliseconds == other.timestampMilliseconds
        && one.registers == other.registers && one.certificate == other.certificate && one.bundle == other.bundle
        && one.publicKey == other.publicKey && one.userData == other.userData && one.nonce == other.nonce
}
