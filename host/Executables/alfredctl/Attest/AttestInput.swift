import AttestationVerifier
import Foundation
import Sodium

/// What `attest verify` and `attest inspect` are given.
enum AttestInput {
    /// Evidence with challenge and policy.
    case record(RecordedEvidence)
    /// A document of a secure module that stands alone.
    case document([UInt8])

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
            return .record(
                try RecordedEvidence(
                    challenge: bytes(folder, "challenge"), answer: bytes(folder, "answer"),
                    policy: bytes(folder, "policy")))
        }
        let handle = source == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: source)
        let content = try read(handle, part: "file")
        guard !content.isEmpty else { throw .malformed(part: "file") }
        if content.first(where: { !isSpace($0) }) == UInt8(ascii: "{") {
            return .record(try RecordedEvidence(json: content))
        }
        return .document(decoded(content))
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
        try read(FileHandle(forReadingAtPath: folder.appending(path: "\(part).json").path), part: part)
    }

    private static func read(_ handle: FileHandle?, part: String) throws(RecordedEvidence.ReadError) -> [UInt8] {
        var bytes: [UInt8] = []
        guard let handle else { throw .malformed(part: part) }
        while bytes.count <= RecordedEvidence.maximumFileBytes {
            guard let piece = try? handle.read(upToCount: 64 * 1024), !piece.isEmpty else { break }
            bytes += piece
        }
        guard bytes.count <= RecordedEvidence.maximumFileBytes else { throw .tooLarge }
        return bytes
    }
}

extension CommandFailure {
    /// What cannot be read, and why.
    init(_ source: String, _ error: RecordedEvidence.ReadError) {
        switch error {
        case .tooLarge: self = .unusable("attest: \(source) is larger than 256 KiB")
        case .malformed(let part):
            self = .unusable("attest: \(source): \(part) is missing or not of the documented form")
        }
    }
}
