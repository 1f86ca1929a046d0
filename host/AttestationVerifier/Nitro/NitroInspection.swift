internal import EnclaveProtocol
internal import Sodium

/// What a document of a secure module states, read as far as it goes; judges nothing.
///
/// Also shows documents that the verifier refuses: NitroTPM's, broken ones, ones with fields it does not know.
public struct NitroInspection: Sendable {
    /// What was read, in order.
    public private(set) var lines: [(name: String, value: String)] = []
    /// Why nothing more was read, and where; nil where everything was.
    public private(set) var problem: String?

    /// Reads as much of `bytes` as is readable.
    public init(of bytes: [UInt8]) {
        add("size", "\(bytes.count) bytes")
        var body = bytes
        if let first = bytes.first, first >> 5 == 6, first & 0x1F < 24 {
            add("tag", "\(first & 0x1F)" + (first == 0xD2 ? "" : ", not 18: refused"))
            body.removeFirst()
        }
        var reader = CBORReader(anyEncoding: body)
        var payload: [UInt8] = []
        do throws(CBORError) {
            let count = try reader.array(atMost: 16)
            if count != 4 { add("envelope", "\(count) parts instead of 4") }
            let header = try reader.bytes()
            add(
                "protected",
                Hex.encode(header) + (header == COSESign1.protectedHeader ? " (ES384)" : ", not ES384 alone"))
            let start = reader.offset
            try reader.skip()
            add("unprotected", reader.offset - start == 1 ? "empty" : "\(reader.offset - start) bytes")
            payload = try reader.bytes()
            add("payload", "\(payload.count) bytes")
            let signature = try reader.bytes()
            add("signature", "\(signature.count) bytes" + (P384.isSignature(signature) ? "" : ", not of ES384"))
            reader.end()
            if reader.remaining > 0 { problem = "\(reader.remaining) bytes after the document" }
        } catch {
            problem = "\(error) at byte \(reader.offset + bytes.count - body.count)"
        }
        if !payload.isEmpty { readPayload(payload) }
        judge(bytes)
    }

    private mutating func judge(_ bytes: [UInt8]) {
        do throws(NitroRefusal) {
            let document = try NitroDocument(parsing: bytes)
            if let register = document.debugRegister {
                add("debug mode", "YES: PCR\(register) is zero, any image may be running")
            }
            add("form", "as the verifier demands")
        } catch {
            add("form", "\(error.fault.rawValue) at \(error.place): expected \(error.expected), found \(error.found)")
        }
    }

    private mutating func add(_ name: String, _ value: String) { lines.append((printable(name), value)) }

    private mutating func readPayload(_ payload: [UInt8]) {
        var reader = CBORReader(anyEncoding: payload)
        do throws(CBORError) {
            for _ in 0..<(try reader.map(atMost: 64)) {
                let name = try reader.text(atMost: 256)
                try readField(name, &reader)
            }
            reader.end()
            if reader.remaining > 0 { problem = "\(reader.remaining) bytes after the payload's map" }
        } catch {
            problem = "\(error) at byte \(reader.offset) of the payload"
        }
    }

    private mutating func readField(_ name: String, _ reader: inout CBORReader) throws(CBORError) {
        switch reader.nextMajor {
        case 0:
            let value = try reader.unsigned()
            add(name, name == "timestamp" ? "\(value) (\(UnixTime.text(value / 1000)))" : "\(value)")
        case 2:
            let bytes = try reader.bytes()
            if name == "certificate" { addCertificate(name, bytes) } else { add(name, Self.text(bytes)) }
        case 3: add(name, printable(try reader.text()))
        case 4:
            for index in 0..<(try reader.array(atMost: 64)) {
                let start = reader
                if reader.nextMajor == 2 {
                    addCertificate("\(name)[\(index)]", try reader.bytes())
                } else {
                    try reader.skip()
                    add("\(name)[\(index)]", "\(reader.offset - start.offset) bytes of another type")
                }
            }
            reader.end()
        case 5: try readRegisters(name, &reader)
        default:
            if reader.null() { return add(name, "null") }
            let start = reader.offset
            try reader.skip()
            add(name, "\(reader.offset - start) bytes of another type")
        }
    }

    private mutating func readRegisters(_ name: String, _ reader: inout CBORReader) throws(CBORError) {
        let prefix = name == "pcrs" ? "PCR" : name == "nitrotpm_pcrs" ? "NitroTPM PCR" : "\(name) "
        for _ in 0..<(try reader.map(atMost: 64)) {
            let index = try reader.unsigned()
            let value = try reader.bytes()
            let isZero = value.allSatisfy { $0 == 0 }
            add("\(prefix)\(index)", isZero ? "zero (\(value.count) bytes)" : Hex.encode(value))
        }
        reader.end()
    }

    private mutating func addCertificate(_ name: String, _ der: [UInt8]) {
        let isRoot = NitroRoot.aws.pins(der)
        do throws(NitroRefusal) {
            let profile = try CertificateProfile(der: der, at: name)
            add(name, (isRoot ? "AWS root: " : "") + profile.summary + ", \(der.count) bytes")
        } catch {
            add(name, "\(der.count) bytes, \(error.fault.rawValue): \(error.found)")
        }
    }

    private static func text(_ bytes: [UInt8]) -> String {
        if bytes.isEmpty { return "empty" }
        let isText = bytes.allSatisfy { (0x20...0x7E).contains($0) }
        return "\(bytes.count) bytes: " + (isText ? "\"\(String(decoding: bytes, as: UTF8.self))\"" : Hex.encode(bytes))
    }
}

extension CertificateProfile {
    /// For people.
    fileprivate var summary: String {
        let role = extensions.isAuthority ? "issuer" + (extensions.pathLength.map { ", path \($0)" } ?? "") : "leaf"
        return "\(commonName), \(role), \(UnixTime.text(notBefore)) to \(UnixTime.text(notAfter))"
    }

    /// The last common name of the subject, printable.
    private var commonName: String {
        var name = "no common name"
        var outer = DERReader(subject[...])
        guard var sequence = try? outer.inside(0x30, "") else { return name }
        while !sequence.isAtEnd, var set = try? sequence.inside(0x31, ""), var attribute = try? set.inside(0x30, ""),
            let identifier = try? attribute.content(0x06, ""), let tag = attribute.nextTag,
            let value = try? attribute.content(tag, "")
        {
            if identifier.elementsEqual([0x55, 0x04, 0x03]) {
                name = printable(String(decoding: value, as: UTF8.self))
            }
        }
        return name
    }
}

/// Unix seconds for people.
enum UnixTime {
    /// `2026-11-25T11:00:00Z`
    static func text(_ seconds: UInt64) -> String {
        let days = Int(min(seconds, 253_402_300_799) / 86_400)
        let rest = Int(min(seconds, 253_402_300_799) % 86_400)
        let date = Calendar.date(days: days)
        func two(_ number: Int) -> String { (number < 10 ? "0" : "") + "\(number)" }
        return
            "\(date.year)-\(two(date.month))-\(two(date.day))T\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
    }
}
