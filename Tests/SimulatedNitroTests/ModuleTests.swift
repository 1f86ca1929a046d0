import Foundation
import SimulatedNitro
import Testing

@Suite struct ModuleTests {
    private let module = SimulatedSecureModule(
        registers: Registers.make(image: "one", instanceID: "i-0123456789abcdef0"), now: { 1_764_057_600_000 })

    private func ask(_ item: CBORItem) -> CBORItem? {
        guard case .bytes(let bytes) = module.answer(item.encoded()) else { return nil }
        return CBORItem(decoding: bytes)
    }

    private func named(_ name: String, _ values: [(String, CBORItem)]) -> CBORItem {
        .map([.init(.text(name), .map(values.map { .init(.text($0.0), $0.1) }))])
    }

    private func error(_ error: SecureModuleError) -> CBORItem {
        .map([.init(.text("Error"), .text(error.rawValue))])
    }

    @Test func statesWhatItWasAskedToState() throws {
        let answer = ask(
            named("Attestation", [("user_data", .bytes([1])), ("nonce", .bytes([2])), ("public_key", .null)]))
        guard case .bytes(let document) = answer?.value("Attestation")?.value("document"),
            case .array(let parts, false) = CBORItem(decoding: document), parts.count == 4,
            case .bytes(let payload) = parts[2], case .bytes(let signature) = parts[3]
        else {
            Issue.record("no document: \(String(describing: answer))")
            return
        }
        #expect(document.starts(with: [0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x59]))
        #expect(payload.first == 0xbf && payload.last == 0xff)
        #expect(signature.count == 96)
        #expect((4000..<5400).contains(document.count))
        let statement = try #require(CBORItem(decoding: payload))
        #expect(statement.value("nonce") == .bytes([2]))
        #expect(statement.value("user_data") == .bytes([1]))
        #expect(statement.value("public_key") == .null)
        #expect(statement.value("module_id") == .text("i-0123456789abcdef0-enc0123456789abcdef"))
        #expect(statement.value("timestamp") == .unsigned(1_764_057_600_000))
        guard case .map(let registers, false) = statement.value("pcrs") else {
            Issue.record("no registers")
            return
        }
        #expect(registers.count == 16)
    }

    @Test func theSameQuestionHasTheSameAnswerByteForByte() {
        #expect(module.document(nonce: [1]) == module.document(nonce: [1]))
    }

    @Test func extendsAndLocksOnlyWhatIsFree() {
        let index = ("index", CBORItem.unsigned(16))
        let extended = Registers.extended(Registers.zero, by: [7])
        #expect(
            ask(named("ExtendPCR", [index, ("data", .bytes([7]))]))
                == named("ExtendPCR", [("data", .bytes(extended))]))
        #expect(ask(named("LockPCR", [index])) == .text("LockPCR"))
        #expect(ask(named("ExtendPCR", [index, ("data", .bytes([7]))])) == error(.readOnlyIndex))
        #expect(ask(named("LockPCR", [index])) == error(.readOnlyIndex))
        #expect(
            ask(named("DescribePCR", [index]))
                == named("DescribePCR", [("lock", .bool(true)), ("data", .bytes(extended))]))
        #expect(ask(named("LockPCRs", [("range", .unsigned(18))])) == .text("LockPCRs"))
        guard case .array(let locked, _) = ask(.text("DescribeNSM"))?.value("DescribeNSM")?.value("locked_pcrs") else {
            Issue.record("no list")
            return
        }
        #expect(locked.count == 18)
    }

    @Test func refusesWhatTheDeviceRefuses() {
        #expect(ask(named("DescribePCR", [("index", .unsigned(32))])) == error(.invalidIndex))
        #expect(ask(named("ExtendPCR", [("index", .unsigned(0)), ("data", .bytes([1]))])) == error(.readOnlyIndex))
        #expect(ask(named("LockPCRs", [("range", .unsigned(33))])) == error(.invalidIndex))
        #expect(ask(.text("Attestation")) == error(.invalidOperation))
        #expect(ask(named("Attestation", [("nonce", .text("x"))])) == error(.invalidArgument))
        for name in ["nonce", "user_data"] {
            let long = CBORItem.bytes([UInt8](repeating: 0, count: 513))
            #expect(ask(named("Attestation", [(name, long)])) == error(.inputTooLarge))
        }
        let long = CBORItem.bytes([UInt8](repeating: 0, count: 1025))
        #expect(ask(named("Attestation", [("public_key", long)])) == error(.inputTooLarge))
        #expect(module.answer([UInt8](repeating: 0, count: 0x1001)) == .hangUp)
    }

    @Test func misbehavesAsOftenAsItIsTold() {
        module.misbehave(.error(.internalError), times: 2)
        #expect(ask(.text("GetRandom")) == error(.internalError))
        #expect(ask(.text("GetRandom")) == error(.internalError))
        guard case .bytes(let random) = ask(.text("GetRandom"))?.value("GetRandom")?.value("random") else {
            Issue.record("no random bytes")
            return
        }
        #expect(random.count == 256)
        module.misbehave(.silence)
        #expect(module.answer(CBORItem.text("GetRandom").encoded()) == .silence)
        #expect(module.answer(CBORItem.text("GetRandom").encoded()) == .silence)
        module.misbehave(.oversize)
        guard case .bytes(let answer) = module.answer([]) else {
            Issue.record("no answer")
            return
        }
        #expect(answer.count == 0x3001)
    }

    @Test func openSSLBuildsTheChainToTheRoot() throws {
        for shape in [NitroPKI.Shape.current, .beforeMid2024] {
            let folder = FileManager.default.temporaryDirectory.appending(path: "nitro-\(UUID())")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let chain = NitroPKI(shape: shape).chain(moduleID: "i-1-enc1", at: 1_764_057_600)
            for (name, certificates) in [
                ("root", [chain.cabundle[0]]), ("bundle", chain.cabundle), ("leaf", [chain.leaf]),
            ] {
                let text = certificates.map { certificate in
                    "-----BEGIN CERTIFICATE-----\n"
                        + Data(certificate).base64EncodedString(options: .lineLength64Characters)
                        + "\n-----END CERTIFICATE-----\n"
                }.joined()
                try Data(text.utf8).write(to: folder.appending(path: name))
            }
            let openssl = Process()
            openssl.executableURL = URL(filePath: "/usr/bin/env")
            openssl.arguments = [
                "openssl", "verify", "-x509_strict", "-attime", "1764057600", "-CAfile",
                folder.appending(path: "root").path,
                "-untrusted", folder.appending(path: "bundle").path, folder.appending(path: "leaf").path,
            ]
            let output = Pipe()
            openssl.standardOutput = output
            openssl.standardError = output
            try openssl.run()
            let text = try output.fileHandleForReading.readToEnd().map { String(decoding: $0, as: UTF8.self) } ?? ""
            openssl.waitUntilExit()
            // Its strict mode wants key identifiers, which the leaf of AWS's chains has not.
            #expect(openssl.terminationStatus == 0 || text.contains("Missing Authority Key Identifier"), "\(text)")
        }
    }
}
