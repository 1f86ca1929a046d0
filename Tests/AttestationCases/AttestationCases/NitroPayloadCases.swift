import AttestationVerifier
import SimulatedNitro

/// The statement inside the envelope, each field wrong in its ways; always signed by the right key.
enum NitroPayloadCases {
    private static func refuses(
        _ name: String, _ fault: NitroFault, _ alter: @escaping (inout DocumentDraft) -> Void
    ) throws -> GeneratedCase {
        try NitroCase.refuses(name, .nitroDocumentInvalid, fault) { $1.alter = alter }
    }

    private static func fields(
        _ name: String, _ fault: NitroFault, _ alter: @escaping @Sendable (inout [CBORItem.Pair]) -> Void
    ) throws -> GeneratedCase {
        try refuses(name, fault) { $0.alterFields = alter }
    }

    private static func value(
        _ name: String, _ field: String, _ value: CBORItem, _ fault: NitroFault = .fieldValue
    ) throws -> GeneratedCase {
        try fields(name, fault) { fields in
            for index in fields.indices where fields[index].key == .text(field) { fields[index].value = value }
        }
    }

    static func all() throws -> [GeneratedCase] {
        try structure() + kinds() + values() + registers() + certificates()
    }

    private static func structure() throws -> [GeneratedCase] {
        var cases = [
            try refuses("payload-trailing-byte", .malformedPayload) { $0.alterPayload = { $0 + [0xf6] } },
            try refuses("payload-truncated", .malformedPayload) { $0.alterPayload = { $0.dropLast() } },
            try refuses("payload-an-array", .malformedPayload) {
                $0.alterPayload = { CBORItem.array([.bytes($0)]).encoded() }
            },
            try refuses("payload-head-too-great", .malformedPayload) {
                $0.isIndefinite = false
                $0.alterPayload = { [0xaa] + $0.dropFirst() }
            },
            try fields("module-id-twice", .fieldTwice) { $0.append($0[0]) },
            try fields("nonce-twice", .fieldTwice) { $0.append($0[8]) },
            try fields("unknown-field", .fieldUnknown) { $0.append(.init(.text("comment"), .text("hello"))) },
            try fields("number-as-name", .malformedPayload) { $0.append(.init(.unsigned(1), .text("hello"))) },
        ]
        for name in ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"] {
            let folder = "no-" + name.split(separator: "_").joined(separator: "-")
            cases.append(try fields(folder, .fieldMissing) { $0.removeAll { $0.key == .text(name) } })
        }
        return cases
    }

    private static func kinds() throws -> [GeneratedCase] {
        let registers = CBORItem.map((0..<24).map { .init(.unsigned($0), .bytes([UInt8](repeating: 7, count: 48))) })
        return [
            try NitroCase.refuses("nitro-tpm", .nitroDocumentInvalid, .otherKindOfDocument) { _, nitro in
                nitro.moduleID = "\(NitroDraft.instanceID)-tpm0000000000000000"
                nitro.alter = { document in
                    document.alterFields = { $0[3] = .init(.text("nitrotpm_pcrs"), registers) }
                }
            },
            try NitroCase.refuses("nitro-tpm-by-its-module-id", .nitroDocumentInvalid, .otherKindOfDocument) {
                _, nitro in
                nitro.moduleID = "\(NitroDraft.instanceID)-tpm0000000000000000"
            },
            try fields("nitro-tpm-and-enclave", .otherKindOfDocument) {
                $0.append(.init(.text("nitrotpm_pcrs"), registers))
            },
        ]
    }

    private static func values() throws -> [GeneratedCase] {
        let long = CBORItem.bytes([UInt8](repeating: 1, count: 1025))
        return [
            try value("module-id-empty", "module_id", .text("")),
            try value("module-id-bytes", "module_id", .bytes([0x69])),
            try value("module-id-not-utf8", "module_id", .raw([0x62, 0xc3, 0x28]), .malformedPayload),
            try value("digest-sha256", "digest", .text("SHA256")),
            try value("digest-number", "digest", .unsigned(384)),
            try value("timestamp-text", "timestamp", .text("1764057601250")),
            try value("timestamp-negative", "timestamp", .negative(1), .malformedPayload),
            try value("timestamp-zero", "timestamp", .unsigned(0)),
            try value("timestamp-null", "timestamp", .null),
            try value("timestamp-beyond-all-years", "timestamp", .unsigned(.max)),
            try value("user-data-text", "user_data", .text("x")),
            try value("user-data-long", "user_data", long),
            try value("nonce-number", "nonce", .unsigned(1)),
            try value("nonce-long", "nonce", long),
            try value("public-key-long", "public_key", long),
        ]
    }

    private static func registers() throws -> [GeneratedCase] {
        func pairs(_ change: ([CBORItem.Pair]) -> [CBORItem.Pair]) -> CBORItem {
            .map(change(NitroDraft.registers(of: "release-1").map { .init(.unsigned($0.index), .bytes($0.value)) }))
        }
        func resized(_ index: Int, _ count: Int) -> CBORItem {
            pairs {
                $0.enumerated().map { $0 == index ? .init($1.key, .bytes([UInt8](repeating: 7, count: count))) : $1 }
            }
        }
        return [
            try value("registers-empty", "pcrs", .map([])),
            try value("registers-an-array", "pcrs", .array([.bytes([UInt8](repeating: 7, count: 48))])),
            try value("register-0-of-32-bytes", "pcrs", resized(0, 32)),
            try value("register-0-of-64-bytes", "pcrs", resized(0, 64)),
            try value("register-15-of-32-bytes", "pcrs", resized(15, 32)),
            try value("register-15-of-64-bytes", "pcrs", resized(15, 64)),
            try value("register-of-47-bytes", "pcrs", resized(1, 47)),
            try value("register-empty", "pcrs", resized(2, 0)),
            try value("register-null", "pcrs", pairs { [.init($0[0].key, .null)] + $0.dropFirst() }),
            try value("register-32", "pcrs", pairs { $0 + [.init(.unsigned(32), $0[0].value)] }),
            try value("register-text-index", "pcrs", pairs { [.init(.text("0"), $0[0].value)] + $0.dropFirst() }),
            try value(
                "register-negative-index", "pcrs", pairs { $0 + [.init(.negative(0), $0[0].value)] },
                .malformedPayload),
            try value("register-twice", "pcrs", pairs { $0 + [$0[0]] }, .fieldTwice),
            // 00 and 1800 are the same number.
            try value(
                "register-twice-in-two-encodings", "pcrs",
                pairs { $0 + [.init(.raw([0x18, 0x00]), .bytes(Registers.extended(Registers.zero, by: [1])))] },
                .fieldTwice),
        ]
    }

    private static func certificates() throws -> [GeneratedCase] {
        let large = CBORItem.bytes([UInt8](repeating: 0x30, count: 1025))
        return [
            try value("certificate-empty", "certificate", .bytes([])),
            try value("certificate-null", "certificate", .null),
            try value("certificate-large", "certificate", large),
            try value("bundle-empty", "cabundle", .array([])),
            try value("bundle-one-string", "cabundle", .bytes([0x30])),
            try value("bundle-of-nine", "cabundle", .array([CBORItem](repeating: .bytes([0x30]), count: 9))),
            try value("bundle-with-an-empty-certificate", "cabundle", .array([.bytes([])])),
        ]
    }
}
