import AttestationVerifier
import Foundation
import Sodium

/// A folder with a document that stands alone: `document.cbor`, `root.pem`, `context.json` and `expected.json`.
public struct DocumentCase: Sendable {
    /// `context.json`.
    struct Context: Codable, Equatable {
        /// Unix seconds; absent: the document's own time.
        var judged_at: UInt64?
        /// Hex; absent: not judged.
        var nonce: String?
        /// Hex; absent: not judged.
        var user_data: String?
        /// `[name@]pcr0=…+pcr1=…+pcr2=…`; absent: only who signed is judged.
        var allowed_measurements: [String]?
        var maximum_age_seconds: UInt64?
    }

    /// `expected.json`.
    struct Verdict: Codable, Equatable {
        /// `accept`, `authentic` or `refuse`.
        var verdict: String
        var identity: String?
        var reason: String?
        /// Number of the check of the document that refuses, 1–9.
        var check: Int?
        var nitro_fault: String?

        init(_ verdict: String, identity: String? = nil) {
            self.verdict = verdict
            self.identity = identity
        }

        init(_ reason: AttestationReason, at check: NitroCheck, _ fault: NitroFault? = nil) {
            verdict = "refuse"
            self.reason = reason.rawValue
            self.check = check.rawValue
            nitro_fault = fault?.rawValue
        }

        init(_ report: NitroReport) {
            switch report.outcome {
            case .accepted(let identity): self.init("accept", identity: identity)
            case .authentic: self.init("authentic")
            case .refused(let refusal):
                self.init(refusal.reason, at: .document, refusal.nitroFault)
                check = report.checks.first { if case .refused = $0.verdict { true } else { false } }?.check.rawValue
            }
        }
    }

    private let document: [UInt8]
    private let root: NitroRoot
    private let context: Context
    private let expected: Verdict

    /// Reads the four files.
    public init(_ files: [String: [UInt8]]) throws {
        document = files["document.cbor"] ?? []
        let pem = String(decoding: files["root.pem"] ?? [], as: UTF8.self)
        root = try pem == "AWS\n" ? .aws : NitroRoot(testPEM: pem)
        context = try JSONDecoder().decode(Context.self, from: Data(files["context.json"] ?? []))
        expected = try JSONDecoder().decode(Verdict.self, from: Data(files["expected.json"] ?? []))
        guard ["accept", "authentic", "refuse"].contains(expected.verdict) else {
            throw RecordedEvidence.ReadError.malformed(part: "expected")
        }
    }

    /// What was found and what was demanded, where the two differ.
    public func contradiction() throws -> String? {
        let expectations = NitroExpectations(
            images: context.allowed_measurements.map { .releases($0.map(AcceptedMeasurement.init(entry:))) }
                ?? .notJudged,
            nonce: context.nonce.flatMap(Hex.decode), userData: context.user_data.flatMap(Hex.decode),
            maximumAgeSeconds: context.maximum_age_seconds)
        let report = NitroReport(
            judging: document, by: expectations, NitroChainVerifier(root: root),
            time: context.judged_at.map { .at($0) } ?? .itsOwn)
        let found = Verdict(report)
        return found == expected ? nil : "found \(found), expected \(expected)"
    }

    static func files(
        _ document: [UInt8], root: [UInt8]?, _ context: Context, _ expected: Verdict
    ) throws -> [String: [UInt8]] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let pem = root.map { der in
            "-----BEGIN CERTIFICATE-----\n"
                + Data(der).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
                + "\n-----END CERTIFICATE-----\n"
        }
        return [
            "document.cbor": document, "root.pem": Array((pem ?? "AWS\n").utf8),
            "context.json": Array(try encoder.encode(context)) + [0x0a],
            "expected.json": Array(try encoder.encode(expected)) + [0x0a],
        ]
    }
}
