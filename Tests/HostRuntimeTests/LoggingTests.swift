import Foundation
import HostRuntime
import Logging
import Testing

@Suite struct LoggingTests {
    private func object(_ line: String) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    @Test func aLineIsOneObjectWithTheFixedFields() throws {
        let lines = Lines()
        let trace = try #require(TraceContext(traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        let log = HostLog(process: .api, sink: lines.sink).with(requestID: RequestID("r-1"), trace: trace)
        log.event(
            "http_request_completed", .warn,
            [
                LogField(.method, "GET"), LogField(.route, "/v1/connectors/{id}"), LogField(.status, 404),
                LogField(.latency, .milliseconds(12)), LogField(.lagAverage, 0.5), LogField(.feature, true),
            ])
        let line = try object(#require(lines.all.first))
        #expect(lines.all.count == 1 && lines.all.first?.contains("\n") == false)
        #expect(line["level"] as? String == "warn" && line["process"] as? String == "api-server")
        #expect(line["event"] as? String == "http_request_completed" && line["request_id"] as? String == "r-1")
        #expect(line["trace_id"] as? String == "0af7651916cd43dd8448eb211c80319c")
        #expect(line["span_id"] as? String == "b7ad6b7169203331")
        #expect(line["route"] as? String == "/v1/connectors/{id}" && line["status"] as? Int == 404)
        #expect(line["latency_ms"] as? Int == 12 && line["feature"] as? Bool == true)
        let stamp = try #require(line["ts"] as? String)
        #expect(stamp.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
    }

    @Test(arguments: ["a\nb", "a\"b", "é", "50%", "a&b", String(repeating: "x", count: 257), "x\u{0}"])
    func aValueOutsideTheAllowListIsDroppedAndCounted(value: String) throws {
        let lines = Lines()
        let sink = lines.sink
        HostLog(process: .worker, sink: sink).event("tick", .info, [LogField(.reason, value), LogField(.count, 1)])
        let line = try object(#require(lines.all.first))
        #expect(line["reason"] == nil && line["count"] as? Int == 1)
        #expect(sink.droppedFields == 1)
    }

    @Test func linesBelowTheThresholdAreNotWritten() {
        let lines = Lines()
        let log = HostLog(process: .api, threshold: .warn, sink: lines.sink)
        log.event("quiet", .info)
        log.event("loud", .error)
        #expect(lines.all.count == 1)
    }

    @Test func textFormatIsForPeople() {
        let lines = Lines()
        HostLog(process: .worker, format: .text, sink: lines.sink).event(
            "started", .info, [LogField(.port, 8080), LogField(.reason, "a b")])
        #expect(lines.all.first?.hasSuffix("info worker started port=8080 reason=\"a b\"") == true)
    }

    @Test func whatLibrariesSayIsWrittenOnlyAtDebug() throws {
        let lines = Lines()
        let sink = lines.sink
        var logger = HostLog(process: .api, threshold: .info, sink: sink).libraryLogger("some.library")
        logger[metadataKey: "token"] = "canary"
        logger.error("canary text", metadata: ["more": "canary"])
        logger.debug("canary")
        let line = try object(#require(lines.all.first))
        #expect(lines.all.count == 1 && line["event"] as? String == "library_message")
        #expect(line["component"] as? String == "some.library" && line["level"] as? String == "error")
        #expect(!lines.all.joined().contains("canary") && sink.droppedFields == 3)
    }

    @Test func atDebugTheTextIsWrittenAndStillNoMetadata() throws {
        let lines = Lines()
        let logger = HostLog(process: .api, threshold: .debug, sink: lines.sink).libraryLogger("lib")
        logger.debug("said \"so\"\n", metadata: ["token": "canary"])
        let line = try object(#require(lines.all.first))
        #expect(line["message"] as? String == "said \"so\"\n")
        #expect(!lines.all.joined().contains("canary"))
    }

    @Test func aPersonIsTwelveDigitsOfADigest() {
        #expect(userReference(digest: [0x00, 0xff, 0x1a, 0x2b, 0x3c, 0x4d, 0x5e]) == "00ff1a2b3c4d")
    }

    @Test func fieldNamesAreLowerCaseAndDoNotShadowTheFixedOnes() {
        let fixed: Set = ["ts", "level", "process", "event", "request_id", "trace_id", "span_id", "message"]
        for name in LogFieldName.allCases {
            #expect(name.rawValue.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil)
            #expect(!fixed.contains(name.rawValue))
        }
    }
}
