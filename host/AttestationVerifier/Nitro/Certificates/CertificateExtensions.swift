/// The extensions that a Nitro chain uses; others are ignored unless they are critical.
struct CertificateExtensions: Equatable, Sendable {
    /// basicConstraints says cA TRUE.
    private(set) var isAuthority = false
    /// basicConstraints is present and critical.
    private(set) var hasCriticalConstraints = false
    /// Most issuers below this one; nil without a limit.
    private(set) var pathLength: Int?
    /// nil where keyUsage is absent.
    private(set) var keyUsage: KeyUsage?
    private(set) var subjectKeyIdentifier: [UInt8]?
    private(set) var authorityKeyIdentifier: [UInt8]?

    struct KeyUsage: OptionSet, Sendable {
        let rawValue: UInt8
        static let digitalSignature = KeyUsage(rawValue: 0x80)
        static let keyCertSign = KeyUsage(rawValue: 0x04)
    }

    /// id-ce and one byte.
    private enum Known: UInt8 {
        case subjectKeyIdentifier = 14
        case keyUsage = 15
        case basicConstraints = 19
        case authorityKeyIdentifier = 35
    }

    init(_ content: ArraySlice<UInt8>, at place: String) throws(NitroRefusal) {
        var list = DERReader(content)
        var seen: Set<[UInt8]> = []
        do throws(DERError) {
            guard !list.isAtEnd else { throw DERError(what: "extensions: empty") }
            while !list.isAtEnd {
                var entry = try list.inside(0x30, "extension")
                let identifier = Array(try entry.content(0x06, "extension"))
                let isCritical = try entry.trueOrAbsent("critical")
                let value = try entry.content(0x04, "extension value")
                try entry.finish("extension")
                guard seen.insert(identifier).inserted else { throw DERError(what: "an extension twice") }
                let known =
                    identifier.count == 3 && identifier.starts(with: [0x55, 0x1D])
                    ? Known(rawValue: identifier[2]) : nil
                guard let known else {
                    guard !isCritical else { throw DERError(what: "a critical extension that is unknown") }
                    continue
                }
                try read(known, DERReader(value), isCritical)
            }
        } catch {
            throw NitroRefusal(
                .certificateExtension, at: place, expected: "known critical extensions, each once, in DER",
                found: error.what)
        }
    }

    private mutating func read(_ known: Known, _ reader: DERReader, _ isCritical: Bool) throws(DERError) {
        var value = reader
        switch known {
        case .basicConstraints:
            hasCriticalConstraints = isCritical
            var constraints = try value.inside(0x30, "basicConstraints")
            isAuthority = try constraints.trueOrAbsent("cA")
            if !constraints.isAtEnd {
                pathLength = Int(try constraints.unsigned("pathLenConstraint", atMost: 1).first ?? 0)
                guard isAuthority else { throw DERError(what: "pathLenConstraint without cA") }
            }
            try constraints.finish("basicConstraints")
        case .keyUsage:
            keyUsage = try Self.keyUsage(value.content(0x03, "keyUsage"))
        case .subjectKeyIdentifier:
            subjectKeyIdentifier = Array(try value.content(0x04, "subjectKeyIdentifier"))
        case .authorityKeyIdentifier:
            var identifier = try value.inside(0x30, "authorityKeyIdentifier")
            if identifier.nextTag == 0x80 {
                authorityKeyIdentifier = Array(try identifier.content(0x80, "authorityKeyIdentifier"))
            }
        }
        try value.finish("extension value")
    }

    /// A named bit list: no trailing zero bits. Only `decipherOnly` lies in a second byte, and it has no use here.
    private static func keyUsage(_ content: ArraySlice<UInt8>) throws(DERError) -> KeyUsage {
        guard content.count == 2, let unused = content.first, let bits = content.last, bits != 0,
            bits.trailingZeroBitCount == Int(unused)
        else { throw DERError(what: "keyUsage: not a shortest list of the first eight bits") }
        return KeyUsage(rawValue: bits)
    }
}
