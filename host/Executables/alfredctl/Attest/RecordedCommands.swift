import ArgumentParser
import AttestationVerifier
import Foundation

/// Judges recorded evidence at the recorded time.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Judges recorded evidence by the policy and at the time in the record.",
        discussion: "It proves nothing about the present. Exit status 0 only when the evidence is accepted.")

    @Argument(help: "A file, a case folder of attestation-fixtures, or - for standard input") var source: String
    @Flag(help: "Print one JSON object.") var json = false

    private struct Result: Encodable {
        let checks: [ReportText.Check]
        let verdict: String
        let identity: String?
        let reason: String?
    }

    mutating func run() throws {
        let text = ReportText(report: try RecordSource.report(source))
        if json {
            Output.json(
                Result(
                    checks: text.checks, verdict: text.isAccepted ? "accept" : "refuse", identity: text.identity,
                    reason: text.reason))
        } else {
            for line in text.lines { Output.line(line) }
        }
        if !text.isAccepted { throw CommandFailure.failed() }
    }
}

/// Shows what recorded evidence states, without judging it.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what recorded evidence states; judges nothing.")

    @Argument(help: "A file, a case folder of attestation-fixtures, or - for standard input") var source: String
    @Flag(help: "Print one JSON object.") var json = false

    mutating func run() throws {
        guard let fields = try RecordSource.evidence(source).statement() else {
            throw CommandFailure.failed("attest inspect: the evidence does not decode")
        }
        if json {
            Output.json(Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0.value) }))
        } else {
            let width = fields.map(\.name.count).max() ?? 0
            for (name, value) in fields {
                Output.line(name + String(repeating: " ", count: width - name.count + 2) + value)
            }
        }
    }
}

/// Reads a record from a file, a folder or standard input.
enum RecordSource {
    static func report(_ source: String) throws(CommandFailure) -> VerificationReport {
        let evidence = try evidence(source)
        do throws(RecordedEvidence.ReadError) {
            return try evidence.report()
        } catch {
            throw unreadable(source, error)
        }
    }

    static func evidence(_ source: String) throws(CommandFailure) -> RecordedEvidence {
        do throws(RecordedEvidence.ReadError) {
            var isFolder: ObjCBool = false
            if source != "-", FileManager.default.fileExists(atPath: source, isDirectory: &isFolder), isFolder.boolValue
            {
                let folder = URL(filePath: source, directoryHint: .isDirectory)
                return try RecordedEvidence(
                    challenge: bytes(folder, "challenge"), answer: bytes(folder, "answer"),
                    policy: bytes(folder, "policy"))
            }
            let handle = source == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: source)
            return try RecordedEvidence(json: read(handle, part: "file"))
        } catch {
            throw unreadable(source, error)
        }
    }

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
        return bytes
    }

    private static func unreadable(_ source: String, _ error: RecordedEvidence.ReadError) -> CommandFailure {
        switch error {
        case .tooLarge: .unusable("attest: \(source) is larger than 256 KiB")
        case .malformed(let part): .unusable("attest: \(source): \(part) is missing or not of the documented form")
        }
    }
}
