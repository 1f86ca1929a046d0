import AttestationVerifier
import SimulatedNitro

/// COSE_Sign1 around the statement, each way to be wrong.
enum NitroEnvelopeCases {
    private static func refuses(
        _ name: String, _ fault: NitroFault, _ alter: @escaping (inout DocumentDraft) -> Void
    ) throws -> GeneratedCase {
        try NitroCase.refuses(name, .nitroDocumentInvalid, fault) { $1.alter = alter }
    }

    static func all() throws -> [GeneratedCase] { try bytes() + parts() + headers() + signatures() }

    private static func bytes() throws -> [GeneratedCase] {
        func raw(_ name: String, _ fault: NitroFault, _ bytes: [UInt8]) throws -> GeneratedCase {
            try NitroCase.refuses(name, .nitroDocumentInvalid, fault) { draft, _ in draft.document = { _, _ in bytes } }
        }
        return [
            try raw("empty-document", .notCOSESign1, []),
            try raw("too-large", .tooLarge, [UInt8](repeating: 0, count: NitroDocument.maximumBytes + 1)),
            try raw("array-of-billions", .notCOSESign1, [0x9b, 0, 0, 0, 1, 0, 0, 0, 0]),
            try raw("nested-without-end", .notCOSESign1, [UInt8](repeating: 0x81, count: 16_000)),
            try raw("json", .notCOSESign1, Array("{\"module_id\":\"i-1\"}".utf8)),
            try refuses("truncated", .notCOSESign1) { $0.alterEnvelope = { .raw($0.encoded().dropLast()) } },
            try refuses("trailing-byte", .notCOSESign1) { $0.trailing = [0] },
            try refuses("second-document-behind", .notCOSESign1) {
                $0.alterEnvelope = { .raw($0.encoded() + $0.encoded()) }
            },
        ]
    }

    private static func parts() throws -> [GeneratedCase] {
        [
            try refuses("tag-17", .notCOSESign1) { $0.alterEnvelope = { .tag(17, $0) } },
            try refuses("tag-61", .notCOSESign1) { $0.alterEnvelope = { .tag(61, $0) } },
            try refuses("tag-18-twice", .notCOSESign1) { $0.alterEnvelope = { .tag(18, .tag(18, $0)) } },
            try refuses("three-parts", .notCOSESign1) { $0.alterEnvelope = { .array(Array($0.items.dropLast())) } },
            try refuses("five-parts", .notCOSESign1) { $0.alterEnvelope = { .array($0.items + [.null]) } },
            try refuses("map-for-array", .notCOSESign1) {
                $0.alterEnvelope = { envelope in
                    .map(zip(0..., envelope.items).map { .init(.unsigned(UInt64($0)), $1) })
                }
            },
            try refuses("payload-detached", .notCOSESign1) {
                $0.alterEnvelope = { .array([$0.items[0], $0.items[1], .null, $0.items[3]]) }
            },
            try refuses("payload-empty", .notCOSESign1) { $0.alterPayload = { _ in [] } },
        ]
    }

    private static func headers() throws -> [GeneratedCase] {
        func header(_ name: String, _ value: CBORItem) throws -> GeneratedCase {
            let bytes = value.encoded()
            return try refuses(name, .protectedHeader) { $0.protected = bytes }
        }
        let algorithm = CBORItem.Pair(.unsigned(1), .negative(34))
        return [
            try header("algorithm-es256", .map([.init(.unsigned(1), .negative(6))])),
            try header("algorithm-es512", .map([.init(.unsigned(1), .negative(35))])),
            try header("algorithm-as-text", .map([.init(.unsigned(1), .text("ES384"))])),
            try header("algorithm-twice", .map([algorithm, algorithm])),
            try header("algorithm-and-critical", .map([algorithm, .init(.unsigned(2), .array([.unsigned(1)]))])),
            try header("header-empty-map", .map([])),
            try refuses("header-empty", .protectedHeader) { $0.protected = [] },
            try refuses("header-trailing-byte", .protectedHeader) { $0.protected += [0] },
            try refuses("algorithm-unprotected-only", .protectedHeader) {
                $0.protected = [0xa0]
                $0.unprotected = .map([.init(.unsigned(1), .negative(34))])
            },
            try refuses("key-id-unprotected", .unprotectedHeader) {
                $0.unprotected = .map([.init(.unsigned(4), .bytes([1, 2, 3]))])
            },
        ]
    }

    private static func signatures() throws -> [GeneratedCase] {
        let zero = [UInt8](repeating: 0, count: 48)
        let signer = CurveKey(seed: "another key")
        return [
            try refuses("signature-der", .signatureForm) {
                $0.alterSignature = { raw in
                    DER.sequence(DER.integer(Array(raw.prefix(48))), DER.integer(Array(raw.suffix(48))))
                }
            },
            try refuses("signature-short", .signatureForm) { $0.alterSignature = { $0.dropLast() } },
            try refuses("signature-long", .signatureForm) { $0.alterSignature = { $0 + [0] } },
            try refuses("signature-of-qemu", .signatureForm) {
                // Its emulation of the secure module signs with 64 zeros.
                $0.alterSignature = { _ in [UInt8](repeating: 0, count: 64) }
            },
            try refuses("signature-r-zero", .signatureForm) { $0.alterSignature = { zero + $0.suffix(48) } },
            try refuses("signature-s-zero", .signatureForm) { $0.alterSignature = { $0.prefix(48) + zero } },
            try refuses("signature-s-is-the-order", .signatureForm) {
                $0.alterSignature = { $0.prefix(48) + CurveKey.order() }
            },
            try refuses("signature-by-another-key", .documentSignature) { $0.signer = signer },
            try refuses("signature-with-a-changed-bit", .documentSignature) {
                $0.alterSignature = { [$0[0], $0[1] ^ 1] + $0.dropFirst(2) }
            },
            try refuses("signature-over-another-payload", .documentSignature) { document in
                document.alterEnvelope = { envelope in
                    guard case .bytes(let payload) = envelope.items[2],
                        case .map(let fields, _)? = CBORItem(decoding: payload)
                    else { return .null }
                    // The same statement with a definite head: what a verifier that encodes anew would check.
                    var parts = envelope.items
                    parts[2] = .bytes(CBORItem.map(fields).encoded())
                    return .array(parts)
                }
            },
        ]
    }
}

extension CBORItem {
    /// The items of an array.
    var items: [CBORItem] {
        guard case .array(let items, _) = self else { return [] }
        return items
    }
}
