import CLocalStack
public import Foundation
import Glibc

/// A secret that must not be found outside the enclave, in every form that a search should know.
public struct Canary: Sendable {
    /// What it is, for messages; never its value.
    public let name: String
    /// The secret itself.
    public let bytes: [UInt8]

    /// A secret of at least 16 bytes.
    public init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// A secret text.
    public init(_ name: String, _ text: String) { self.init(name, Array(text.utf8)) }

    /// Every piece of 16 bytes raw; the whole as hex, percent-encoded, and base64 at its three offsets.
    var needles: [[UInt8]] {
        var needles = stride(from: 0, through: max(0, bytes.count - 16), by: 1).map {
            Array(bytes[$0..<min($0 + 16, bytes.count)])
        }
        let hex = bytes.map { String(format: "%02x", $0) }.joined()
        needles += [Array(hex.utf8), Array(hex.uppercased().utf8)]
        for allowed in [CharacterSet.alphanumerics, CharacterSet(charactersIn: "")] {
            let text = bytes.map { byte in
                let scalar = Unicode.Scalar(byte)
                return scalar.isASCII && allowed.contains(scalar) ? String(scalar) : String(format: "%%%02X", byte)
            }.joined()
            needles.append(Array(text.utf8))
        }
        for offset in 0..<3 { needles += Self.base64(bytes, offset: offset) }
        return needles
    }

    /// Base64 and base64url of the secret behind `offset` unknown bytes, without the characters they share with it.
    private static func base64(_ bytes: [UInt8], offset: Int) -> [[UInt8]] {
        let text = Data([UInt8](repeating: 0, count: offset) + bytes).base64EncodedString()
        let shared = offset == 0 ? 0 : offset + 1
        let whole = (offset + bytes.count) / 3 * 4
        let core = String(text.prefix(whole).dropFirst(shared))
        let url = core.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        return [Array(core.utf8), Array(url.utf8)]
    }
}

/// Looks for canaries in memory, files and texts.
public final class CanarySearch: @unchecked Sendable {
    private let scan: OpaquePointer
    private let names: [String]
    /// Longest needle: buffers overlap by it.
    private let longest: Int

    /// A search for `canaries`; immutable afterwards.
    public init(_ canaries: [Canary]) throws {
        let needles = canaries.flatMap { canary in canary.needles.map { (canary.name, $0) } }
        names = needles.map(\.0)
        longest = needles.map(\.1.count).max() ?? 0
        let storage = needles.map { needle in
            let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, needle.1.count))
            copy.update(from: needle.1, count: needle.1.count)
            return copy
        }
        defer { for pointer in storage { pointer.deallocate() } }
        let pointers = storage.map { UnsafePointer($0) as UnsafePointer<UInt8>? }
        guard let scan = byte_scan_make(pointers, needles.map(\.1.count), needles.count) else {
            throw StackError("a canary of less than 16 bytes, or no memory for the search")
        }
        self.scan = scan
    }

    deinit { byte_scan_free(scan) }

    /// Name of a canary that is in `bytes`, nil when there is none.
    public func find(in bytes: some ContiguousBytes) -> String? {
        bytes.withUnsafeBytes { buffer in
            let index = byte_scan_find(scan, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count)
            return index < 0 ? nil : names[index]
        }
    }

    /// Searches every readable mapping and the environment of a process; stop it first.
    ///
    /// - Returns: what was found and where, and how many bytes were read.
    public func find(inProcess pid: Int32) throws -> (hits: [String], bytesRead: Int) {
        let maps = String(decoding: try Self.wholeFile("/proc/\(pid)/maps"), as: UTF8.self)
        let memory = try FileHandle(forReadingFrom: URL(filePath: "/proc/\(pid)/mem"))
        defer { try? memory.close() }
        var hits: [String] = []
        var read = 0
        for line in maps.split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            guard fields.count >= 2, fields[1].hasPrefix("r"), !line.contains("[vvar"), !line.hasSuffix("[vsyscall]")
            else { continue }
            let bounds = fields[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard bounds.count == 2 else { continue }
            let (found, count) = search(memory, from: bounds[0], to: bounds[1])
            read += count
            hits += found.map { "\($0) in \(fields.count > 5 ? fields[5] : "anonymous memory")" }
        }
        if let name = find(in: try Self.wholeFile("/proc/\(pid)/environ")) {
            hits.append("\(name) in the environment")
        }
        return (hits, read)
    }

    /// Foundation takes a file without a size for shorter than it is: it is read until there is no more.
    private static func wholeFile(_ path: String) throws -> Data {
        let file = try FileHandle(forReadingFrom: URL(filePath: path))
        defer { try? file.close() }
        var content = Data()
        while let piece = try file.read(upToCount: 64 << 10), !piece.isEmpty { content += piece }
        return content
    }

    private func search(_ memory: FileHandle, from start: UInt64, to end: UInt64) -> ([String], Int) {
        var hits: [String] = []
        var read = 0
        var position = start
        while position < end {
            let count = Int(min(4 << 20, end - position))
            guard (try? memory.seek(toOffset: position)) != nil, let data = try? memory.read(upToCount: count),
                !data.isEmpty
            else {
                // What cannot be read is not said to be clean.
                hits.append("unread from \(String(position, radix: 16))")
                break
            }
            read += data.count
            if let name = find(in: data) { hits.append(name) }
            guard position + UInt64(data.count) < end else { break }
            position += UInt64(max(1, data.count - longest))
        }
        return (hits, read)
    }
}
