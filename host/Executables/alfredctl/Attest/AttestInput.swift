import AttestationVerifier
import Foundation
import Sodium

/// What `attest verify` and `attest inspect` are given.
enum AttestInput {
    /// Evidence with challenge and policy.
    case record(RecordedEvidence)
    /// A document of a secure module that stands alone, with what its case folder asks for.
    case document([UInt8], DocumentContext?)

    /// Reads a file, a case folder or standard input (`-`), at most 256 KiB.
    init(_ source: String) throws(CommandFailure) {
        do throws(RecordedEvidence.ReadError) {
            self = try Self.read(source)
        } catch {
            throw CommandFailure(source, error)
        }
    }

    private static func read(_ source: String) throws(RecordedEvidence.ReadError) -> AttestInput {
        var isFolder: ObjCBool = false
        if source != "-", FileManager.default.fileExists(atPath: source, isDirectory: &isFolder), isFolder.boolValue {
            let folder = URL(filePath: source, directoryHint: .isDirectory)
            if let handle = handle(folder, "document.cbor") {
                let document = try read(handle, part: "document.cbor")
                guard !document.isEmpty else { throw .empty(part: "document.cbor") }
                return .document(document, try DocumentContext(folder))
            }
            return .record(
                try RecordedEvidence(
                    challenge: bytes(folder, "challenge"), answer: bytes(folder, "answer"),
                    policy: bytes(folder, "policy")))
        }
        guard source == "-" || FileManager.default.fileExists(atPath: source) else { throw .missing(part: "file") }
        let handle = source == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: source)
        let content = try read(handle, part: "file")
        guard content.contains(where: { !isSpace($0) }) else { throw .empty(part: "file") }
        if content.first(where: { !isSpace($0) }) == UInt8(ascii: "{") {
            return .record(try RecordedEvidence(json: content))
        }
        return .document(decoded(content), nil)
    }

    /// A whole file of at most 256 KiB.
    static func file(_ path: String, of what: String) throws(CommandFailure) -> [UInt8] {
        do throws(RecordedEvidence.ReadError) {
            return try read(FileHandle(forReadingAtPath: path), part: what)
        } catch {
            throw .unusable("attest: \(what) \(path) cannot be read, or is larger than 256 KiB")
        }
    }

    /// Hex or base64 (also for URLs, with or without padding) as bytes; anything else as it is.
    static func decoded(_ content: [UInt8]) -> [UInt8] {
        guard content.allSatisfy({ $0 < 0x80 }) else { return content }
        var text = String(decoding: content.filter { !isSpace($0) }, as: UTF8.self)
        if text.hasPrefix("\"") && text.hasSuffix("\"") && text.count > 1 { text = String(text.dropFirst().dropLast()) }
        if let bytes = Hex.decode(text.hasPrefix("0x") ? String(text.dropFirst(2)) : text) { return bytes }
        while text.hasSuffix("=") { text.removeLast() }
        let plain = text.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - plain.count % 4) % 4)
        return Base64.decode(plain + padding) ?? content
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func bytes(_ folder: URL, _ part: String) throws(RecordedEvidence.ReadError) -> [UInt8] {
        try read(handle(folder, "\(part).json"), part: part)
    }

    fileprivate static func handle(_ folder: URL, _ name: String) -> FileHandle? {
        FileHandle(forReadingAtPath: folder.appending(path: name).path)
    }

    fileprivate static func read(_ handle: FileHandle?, part: String) throws(RecordedEvidence.ReadError) -> [UInt8] {
        var bytes: [UInt8] = []
        guard let handle else { throw .missing(part: part) }
        while bytes.count <= RecordedEvidence.maximumFileBytes {
            guard let piece = try? handle.read(upToCount: 64 * 1024), !piece.isEmpty else { break }
            bytes += piece
        }
        guard bytes.count <= RecordedEvidence.maximumFileBytes else { throw .tooLarge }
        return bytes
    }
}

/// `context.json` and `root.pem` beside a document: when and by what it is judged unless options say otherwise.
struct DocumentContext {
    private struct File: Decodable {
        static let members = ["judged_at", "nonce", "user_data", "allowed_measurements", "maximum_age_seconds"]

        let judged_at: UInt64?
        let nonce: String?
        let user_data: String?
        let allowed_measurements: [String]?
        let maximum_age_seconds: UInt64?
    }

    /// Unix seconds; nil: the document's own time.
    let time: UInt64?
    let nonce: String?
    let userData: String?
    /// nil: only who signed is judged.
    let measurements: [AcceptedMeasurement]?
    let maximumAge: UInt64?
    /// PEM of a test root; nil for AWS's.
    let root: String?

    fileprivate init(_ folder: URL) throws(RecordedEvidence.ReadError) {
        let json = try AttestInput.read(AttestInput.handle(folder, "context.json"), part: "context")
        guard let members = JSONMembers(json) else { throw .malformed(part: "context") }
        try members.require(["": File.members], in: "context")
        guard let file = try? JSONDecoder().decode(File.self, from: Data(json)) else {
            throw .malformed(part: "context")
        }
        time = file.judged_at
        nonce = file.nonce
        userData = file.user_data
        measurements = file.allowed_measurements?.map { AcceptedMeasurement(entry: $0) }
        maximumAge = file.maximum_age_seconds
        let pem = String(
            decoding: try AttestInput.read(AttestInput.handle(folder, "root.pem"), part: "root"), as: UTF8.self)
        root = pem == "AWS\n" ? nil : pem
    }
}

extension CommandFailure {
    /// What cannot be read, and why.
    init(_ source: String, _ error: RecordedEvidence.ReadError) {
        switch error {
        case .tooLarge: self = .unusable("attest: \(source) is larger than 256 KiB")
        case .missing(let part): self = .unusable("attest: \(source): \(part) is not there, or cannot be read")
        case .empty(let part): self = .unusable("attest: \(source): \(part) is empty")
        case .unknownMember(let part, let name):
            self = .unusable("attest: \(source): \(part) has a member \"\(name)\", which has no meaning there")
        case .memberTwice(let part, let name):
            self = .unusable("attest: \(source): \(part) has the member \"\(name)\" twice")
        case .malformed(let part): self = .unusable("attest: \(source): \(part) is not of the documented form")
        }
    }
}
