import Foundation
import HostRuntime
import LLMEvaluation
import LLMGateway
import Testing

@Suite struct EvaluationTests {
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "host/LLMEvaluation/fixtures").path()

    static var command: EvaluationCommand {
        var command = EvaluationCommand()
        command.cases = Self.fixtures + "/cases"
        command.goldens = Self.fixtures + "/goldens"
        return command
    }

    private func temporary() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appending(path: "llm-eval-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    @Test func `All shipped cases pass in mocked mode, twice with the same bytes`() throws {
        let report = try Self.command.run()
        #expect(report.failed == 0 && report.notes.isEmpty, "\(report.text)")
        #expect(report.results.count >= 40)
        #expect(Set(report.results.map(\.evaluated.capability)).count == Capability.allCases.count)
        let again = try Self.command.run()
        #expect(again.text == report.text && again.json == report.json && again.html == report.html)
    }

    @Test func `Local times of a case agree with its zone`() throws {
        for result in try Self.command.run().results {
            let payload = result.evaluated.payload
            guard let zone = payload["time_zone"]?.string else { continue }
            let clock = WallClock(timeZone: zone)
            let day = (payload["calendar_day"] ?? payload["local_date"])?.string
            for meeting in (payload["meetings"] ?? payload["meetings_today"])?.array ?? [] {
                let id = result.evaluated.id
                for (moment, local) in [("start_at", "start_local"), ("end_at", "end_local")] {
                    guard let text = meeting[moment]?.string, let shown = meeting[local]?.string else { continue }
                    let date = try Date(text, strategy: .iso8601)
                    #expect(clock.text(at: date) == shown, "\(id)")
                }
                let start = try meeting["start_at"]?.string.map { try Date($0, strategy: .iso8601) }
                let end = try meeting["end_at"]?.string.map { try Date($0, strategy: .iso8601) } ?? start
                guard let start, let end, let day else { continue }
                #expect(clock.reading(at: start).day.text <= day && clock.reading(at: end).day.text >= day, "\(id)")
            }
        }
    }

    @Test func `A changed golden fails its case with both lines and those around them`() throws {
        let directory = try temporary()
        defer { try? FileManager.default.removeItem(at: directory) }
        var changed = Self.command
        changed.only = ["meetings_summary_core"]
        changed.goldens = directory.path()
        changed.updatesGoldens = true
        #expect(try changed.run().failed == 0)
        let file = directory.appending(path: "meetings_summary_core.golden.json")
        let golden = try String(contentsOf: file, encoding: .utf8)
        try Data(golden.replacing("\"mocked\"", with: "\"other\"").utf8).write(to: file)
        changed.updatesGoldens = false
        let report = try changed.run()
        #expect(report.failed == 1)
        #expect(report.text.contains("golden_snapshot"))
        let difference = try #require(report.results.first?.difference)
        #expect(difference.count == 6)
        #expect(
            difference.filter { $0.hasPrefix("- ") }.count == 1 && difference.filter { $0.hasPrefix("+ ") }.count == 1)
        #expect(report.junit.contains("failures=\"1\""))
        #expect(report.html.contains("Difference from the golden"))
    }

    @Test func `A golden without a case is told`() throws {
        let directory = try temporary()
        defer { try? FileManager.default.removeItem(at: directory) }
        var command = Self.command
        command.goldens = directory.path()
        command.updatesGoldens = true
        _ = try command.run()
        try Data("{}".utf8).write(to: directory.appending(path: "gone.golden.json"))
        command.updatesGoldens = false
        #expect(try command.run().text.contains("note: golden without a case: gone.golden.json"))
    }

    @Test func `Reports survive hostile content`() throws {
        let directory = try temporary()
        defer { try? FileManager.default.removeItem(at: directory) }
        let hostile = #"</pre><script>alert(1)</script><img src=x onerror=\"a\"> ]]> & \u0000 \u202egnp"#
        let json = """
            {"case_id":"hostile","description":"\(hostile)","capability":"meetings_summary",
             "context_payload":{"current_query":"\(hostile)","meetings":[{"title":"\(hostile)"}]},
             "mocked_model_output":"\(hostile)","expectations":{"schema_valid":true}}
            """
        try Data(json.utf8).write(to: directory.appending(path: "hostile.json"))
        var command = EvaluationCommand()
        command.cases = directory.path()
        command.goldens = directory.path() + "/none"
        let report = try command.run()
        #expect(report.failed == 1)
        for text in [report.html, report.junit] {
            #expect(!text.contains("<script") && !text.contains("<img") && !text.contains("\u{0}"))
        }
        #expect(!report.html.contains("\u{202e}") && report.html.contains("U+202E"))
        #expect(report.html.contains("default-src 'none'") && !report.html.contains("http://"))
        #expect(JSONValue(parsing: report.json.text) == report.json)
        let parser = XMLReader()
        #expect(try parser.elements(of: report.junit, in: directory) == ["testsuite", "testcase", "failure"])
    }

    @Test func `An unknown field makes a case unreadable`() {
        #expect(throws: EvaluationError.unreadable("unknown field colour")) {
            try EvaluationCase(parsing: #"{"case_id":"a","colour":"red"}"#)
        }
    }
}

/// Reads XML by Python's own parser.
private struct XMLReader {
    func elements(of text: String, in directory: URL) throws -> [String] {
        let file = directory.appending(path: "report.xml")
        try Data(text.utf8).write(to: file)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            "import sys,xml.etree.ElementTree as t;print(*[e.tag for e in t.parse(sys.argv[1]).iter()])", file.path(),
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
