import Foundation
import Testing

/// `alfredctl attest verify` on records and case folders: what came with a record accepts nothing.
@Suite struct AttestRecordTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "attestation-fixtures", directoryHint: .isDirectory)

    private func verify(_ arguments: [String]) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = AttestCommandTests.executable
        process.arguments = ["attest", "verify"] + arguments
        process.environment = [:]
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    private func folder(_ name: String) -> String { Self.fixtures.appending(path: name).path }

    /// Runs `body` with a file that holds `text`.
    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try body(file.path)
    }

    private func policy(_ name: String) throws -> String {
        try String(contentsOfFile: folder(name) + "/policy.json", encoding: .utf8)
    }

    @Test(arguments: [
        "nitro-accept-tag-18", "ed25519-accept-named-entry", "ed25519-accept-unsigned-by-insecure-policy",
    ])
    func aRecordIsAcceptedByNoPolicyThatCameWithIt(_ name: String) throws {
        let own = try verify([folder(name)])
        #expect(own.status == 2)
        #expect(own.text.contains("not accepted: good by the policy that came with it"), "\(own.text)")
        #expect(own.text.contains("--trust-recorded-policy"))
        let json = try verify([folder(name), "--json"])
        #expect(json.status == 2 && json.text.contains("\"verdict\" : \"unjudged\""), "\(json.text)")
        #expect(try verify([folder(name), "--trust-recorded-policy"]).status == 0)
        #expect(try verify([folder(name), "--policy", folder(name) + "/policy.json"]).status == 0)
    }

    /// A record stays good at its own time for ever: whoever reads the verdict must see that this is all it says.
    @Test func saysThatTheOwnTimeOfARecordIsNotThePresent() throws {
        let name = folder("nitro-accept-tag-18")
        let challenge = try JSONSerialization.jsonObject(
            with: Data(contentsOf: URL(filePath: name + "/challenge.json")))
        let time = try #require((challenge as? [String: Any])?["verified_at"] as? Int)
        let note = "judged at the record's own time \(time): says nothing about the present"
        let policy = ["--policy", name + "/policy.json"]
        for options in [policy, ["--trust-recorded-policy"], []] {
            #expect(try verify([name] + options).text.contains("\n\(note)\n"))
            let json = try verify([name, "--json"] + options).text
            #expect(json.contains("\"time_note\" : \"\(note)\""), "\(json)")
        }
        let timed = try verify([name, "--time", "\(time)"] + policy)
        #expect(timed.status == 0 && !timed.text.contains("own time"), "\(timed.text)")
        let late = try verify([name, "--time", "\(time + 100_000)"] + policy)
        #expect(late.status == 1, "the policy's greatest age holds at a time that is given")
        let document = folder("document-accept-tag-18")
        #expect(try verify([document, "--trust-recorded-policy"]).text.contains("says nothing about the present"))
        #expect(try verify([document, "--own-time", "--authenticity-only"]).text.contains("the document's own time"))
        #expect(try !verify([document, "--authenticity-only"]).text.contains("own time"), "judged now")
        let help = try verify(["--help"]).text
        #expect(!help.contains("policy, root and time"))
    }

    @Test func aMeasurementOrARootAloneVouchesForNoRecord() throws {
        let name = folder("document-accept-tag-18")
        #expect(try verify([name]).status == 1, "the root of AWS, and now")
        #expect(try verify([name, "--trust-recorded-policy"]).status == 0)
        let record = folder("nitro-accept-tag-18")
        #expect(try verify([record, "--root", folder("document-accept-tag-18") + "/root.pem"]).status == 2)
    }

    @Test func namesAMeasurementThatIsNoneOfARecord() throws {
        let nitro = folder("nitro-accept-tag-18")
        let signed = folder("ed25519-accept-named-entry")
        for (name, bad) in [(nitro, "junk"), (nitro, "pcr0=zz"), (signed, "pcr0=zz"), (signed, ",")] {
            let outcome = try verify([name, "--policy", name + "/policy.json", "--measurement", bad])
            #expect(outcome.status == 2 && outcome.text.contains("--measurement must be"), "\(outcome.text)")
        }
        let other = try verify([signed, "--policy", signed + "/policy.json", "--measurement", "another-image"])
        #expect(other.status == 1 && other.text.contains("MeasurementNotAllowed"), "\(other.text)")
    }

    @Test func aPolicyThatEnforcesNothingAcceptsNothing() throws {
        let name = folder("ed25519-accept-unenforced")
        for option in [["--trust-recorded-policy"], ["--policy", name + "/policy.json"]] {
            let outcome = try verify([name] + option)
            #expect(outcome.status == 1)
            #expect(outcome.text.contains("not accepted: the policy enforces nothing"), "\(outcome.text)")
        }
    }

    @Test func namesAMemberOfAPolicyThatItDoesNotKnow() throws {
        let good = try policy("nitro-accept-tag-18")
        for (text, message) in [
            (good.replacing("\"required\"", with: "\"minimum_version\": 3, \"required\""), "minimum_version"),
            (good.replacing("\"required\"", with: "\"required\": false, \"required\""), "\"required\" twice"),
            (good.replacing("\"allow_unsigned\"", with: "\"alow_unsigned\""), "alow_unsigned"),
        ] {
            try withFile(text) { file in
                let outcome = try verify([folder("nitro-accept-tag-18"), "--policy", file])
                #expect(outcome.status == 2)
                #expect(outcome.text.contains(message), "\(outcome.text)")
            }
        }
    }

    @Test func saysThatThereIsNothingToRead() throws {
        try withFile(" \n") { file in
            let outcome = try verify([file, "--authenticity-only"])
            #expect(outcome.status == 2 && outcome.text.contains("is empty"), "\(outcome.text)")
        }
        let absent = try verify(["/nowhere/at-all", "--authenticity-only"])
        #expect(absent.status == 2 && absent.text.contains("is not there"), "\(absent.text)")
    }

    /// Recorded cases through the built command: status 0 for those that are accepted, and for no other. All that do not
    /// say "refuse", and one in nine of those that do; the verdicts of all are judged by `AttestationReplayTests`.
    @Test func endsWithZeroForAcceptedFoldersOnly() async throws {
        var accepted = 0
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.fixtures.path).sorted()
        for (index, name) in names.enumerated() where name != "README.md" {
            guard !name.contains("-refuse-") || index.isMultiple(of: 9) else { continue }
            let expected = try String(contentsOfFile: folder(name) + "/expected.json", encoding: .utf8)
            let isAccepted = expected.contains("\"accept\"") && !expected.contains("\"unenforced\"")
            let outcome = try verify([folder(name), "--trust-recorded-policy"])
            #expect((outcome.status == 0) == isAccepted, "\(name): \(outcome.status)")
            #expect([0, 1, 3].contains(outcome.status), "\(name): \(outcome.text)")
            accepted += isAccepted ? 1 : 0
            await Task.yield()
        }
        #expect(accepted >= 40)
    }
}
