import ArgumentParser
import AttestationVerifier
import Foundation

/// Judges recorded evidence, or a document that stands alone.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Judges evidence, or a Nitro document that stands alone.",
        discussion: """
            A record of evidence is judged by --policy, and by its own challenge and time unless --nonce and --time say \
            otherwise: an old record stays good at its own time, so the report then says that nothing is said about the \
            present. Its own policy and root count with --trust-recorded-policy only. \
            A document that stands alone (raw, hex or base64) needs --measurement, --policy or --authenticity-only; it \
            is judged now and may be 300 s old, unless --time or --own-time is given. The root is AWS's unless --root \
            or the policy names another. Exit status: 0 accepted; 1 refused; 2 usage, or no policy to accept by; \
            3 authentic, with --authenticity-only.
            """)

    @Argument(help: "A file, a case folder of attestation-fixtures, or - for standard input") var source: String
    @Option(
        help: ArgumentHelp(
            "Accepted release, may be repeated or a CSV.", valueName: "[name@]pcr0=…+pcr1=…+pcr2=…[+pcrN=…]"))
    var measurement: [String] = []
    @Option(help: "Policy file of the form of attestation-fixtures' policy.json.") var policy: String?
    @Flag(
        help: ArgumentHelp(
            "Judge by the policy and root in the record or case folder; a document in a case folder also by the time, "
                + "nonce and user data there. Only for what you recorded yourself."))
    var trustRecordedPolicy = false
    @Option(help: "Judge at this time: unix seconds, or like 2026-11-25T11:00:00Z.") var time: String?
    @Flag(help: "Judge a document at its own time: says nothing about the present.") var ownTime = false
    @Option(help: "Nonce that the document must hold: hex or base64.") var nonce: String?
    @Option(help: "User data that the document must hold: hex or base64.") var userData: String?
    @Option(help: "Greatest age of a document in seconds.") var maxAge: UInt64?
    @Option(help: "PEM of a test root in place of AWS's.") var root: String?
    @Flag(help: "Judge only who signed the document, not which image runs.") var authenticityOnly = false
    @Flag(help: "Print one JSON object.") var json = false

    mutating func run() throws {
        let report: AttestReport
        switch try AttestInput(source) {
        case .record(let evidence): report = try judge(evidence)
        case .document(let bytes, let context): report = try judge(bytes, trustRecordedPolicy ? context : nil)
        }
        if json { Output.json(report) } else { for line in report.lines { Output.line(line) } }
        if report.needsPolicy {
            throw CommandFailure.unusable("attest verify: say what to expect: \(report.waysToSay)")
        }
        if !report.isAccepted { throw report.failure }
    }

    // MARK: Evidence

    private func judge(_ evidence: RecordedEvidence) throws -> AttestReport {
        guard !ownTime, !authenticityOnly, userData == nil, maxAge == nil else {
            throw CommandFailure.unusable(
                "attest verify: --own-time, --authenticity-only, --user-data and --max-age are for a document that "
                    + "stands alone")
        }
        var overrides = RecordedEvidence.Overrides()
        overrides.time = try time.map(Self.seconds)
        overrides.nonce = try nonce.map(Self.bytes)
        overrides.policy = try policy.map { path throws(CommandFailure) in try AttestInput.file(path, of: "policy") }
        overrides.measurements = try measurements(ofNitro: evidence.nitroDocument != nil)
        overrides.root = try testRoot()
        let judged: (policy: AttestationPolicy, report: VerificationReport)
        do throws(RecordedEvidence.ReadError) {
            judged = (try evidence.policy(overrides), try evidence.report(overriding: overrides))
        } catch {
            throw CommandFailure(source, error)
        }
        guard overrides.root == nil || judged.policy.environment == "local" else {
            throw Self.testRootOutsideLocal
        }
        var report = AttestReport(
            judged.report, root: judged.policy.trustedRoot, judgedAt: overrides.time ?? evidence.recordedTime)
        if overrides.time == nil { report = report.atItsOwnTime(of: "record") }
        return policy == nil && !trustRecordedPolicy ? report.byItsOwnPolicy() : report
    }

    // MARK: A document

    private func judge(_ bytes: [UInt8], _ context: DocumentContext?) throws -> AttestReport {
        guard !(ownTime && time != nil) else {
            throw CommandFailure.unusable("attest verify: either --time or --own-time")
        }
        let file = try policy.map(Self.policy)
        let releases = try measurements(ofNitro: true) ?? file?.allowedMeasurements ?? context?.measurements
        guard root == nil || file?.environment ?? "local" == "local" else { throw Self.testRootOutsideLocal }
        guard !authenticityOnly || (measurement.isEmpty && file == nil) else {
            throw CommandFailure.unusable("attest verify: either --authenticity-only or a policy")
        }
        let isAuthenticityOnly = authenticityOnly || (releases == nil && context != nil)
        let root = try testRoot() ?? file?.trustedRoot ?? context?.root.map(Self.root) ?? .aws
        let expectations = NitroExpectations(
            images: isAuthenticityOnly ? .notJudged : .releases(releases ?? []),
            nonce: try (nonce ?? context?.nonce).map(Self.bytes),
            userData: try (userData ?? context?.userData).map(Self.bytes),
            maximumAgeSeconds: maxAge ?? file?.maximumAgeSeconds ?? context?.maximumAge ?? standardAge(context))
        let moment = try moment(context)
        let report = NitroReport(judging: bytes, by: expectations, NitroChainVerifier(root: root), time: moment)
        let judged = AttestReport(report, root: root, time: moment, lacksPolicy: releases == nil && !isAuthenticityOnly)
        guard time == nil else { return judged }
        if case .itsOwn = moment { return judged.atItsOwnTime(of: "document") }
        return context == nil ? judged : judged.atItsOwnTime(of: "record")
    }

    private func moment(_ context: DocumentContext?) throws(CommandFailure) -> NitroTime {
        if let time { return .at(try Self.seconds(time)) }
        if ownTime { return .itsOwn }
        guard let context else { return .at(unixSeconds()) }
        return context.time.map { .at($0) } ?? .itsOwn
    }

    /// A document that is judged now should be new; one of another time is old anyway.
    private func standardAge(_ context: DocumentContext?) -> UInt64? {
        time == nil && !ownTime && context == nil ? 300 : nil
    }

    // MARK: Options

    /// The releases of `--measurement`; nil without the option. What says `pcr` must be registers, of evidence with a
    /// Nitro document all must.
    private func measurements(ofNitro isNitro: Bool) throws(CommandFailure) -> [AcceptedMeasurement]? {
        guard !measurement.isEmpty else { return nil }
        var accepted: [AcceptedMeasurement] = []
        for entry in measurement.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
            let text = entry.filter { !$0.isWhitespace }
            let read = AcceptedMeasurement(entry: text)
            let mustBeRegisters = isNitro || read.measurement.lowercased().hasPrefix("pcr")
            guard !read.measurement.isEmpty, !mustBeRegisters || NitroMeasurement(read.measurement) != nil else {
                throw .unusable(
                    "attest verify: --measurement must be [name@]pcr0=<96 hex>+pcr1=<96 hex>+pcr2=<96 hex>[+pcrN=…], "
                        + "lower case and not zero, and has \"\(visible(text))\"")
            }
            accepted.append(read)
        }
        return accepted
    }

    private static var testRootOutsideLocal: CommandFailure {
        .unusable("attest verify: a test root counts for environment local only")
    }

    private static func policy(_ path: String) throws(CommandFailure) -> AttestationPolicy {
        let file = try AttestInput.file(path, of: "policy")
        do throws(RecordedEvidence.ReadError) {
            return try AttestationPolicy(json: file)
        } catch {
            throw CommandFailure(path, error)
        }
    }

    private func testRoot() throws(CommandFailure) -> NitroRoot? {
        guard let root else { return nil }
        return try Self.root(String(decoding: try AttestInput.file(root, of: "root"), as: UTF8.self))
    }

    private static func root(_ pem: String) throws(CommandFailure) -> NitroRoot {
        do throws(NitroRefusal) {
            return try NitroRoot(testPEM: pem)
        } catch {
            throw .unusable(
                "attest verify: root: \(error.fault.rawValue): expected \(error.expected), found \(error.found)")
        }
    }

    private static func seconds(_ text: String) throws(CommandFailure) -> UInt64 {
        if let seconds = UInt64(text), seconds < 253_402_300_800 { return seconds }
        if let date = try? Date(text, strategy: .iso8601), date.timeIntervalSince1970 >= 0 {
            return UInt64(date.timeIntervalSince1970)
        }
        throw .unusable("attest verify: --time must be unix seconds, or like 2026-11-25T11:00:00Z")
    }

    private static func bytes(_ text: String) throws(CommandFailure) -> [UInt8] {
        let bytes = AttestInput.decoded(Array(text.utf8))
        guard text.isEmpty || bytes != Array(text.utf8) else {
            throw .unusable("attest verify: --nonce and --user-data must be hex or base64")
        }
        return bytes
    }
}
