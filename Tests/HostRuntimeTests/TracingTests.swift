import HostRuntime
import Testing

@Suite struct TracingTests {
    private let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test func readsAndWritesATraceparent() throws {
        let trace = try #require(TraceContext(traceparent: parent))
        #expect(trace.traceID == "0af7651916cd43dd8448eb211c80319c" && trace.spanID == "b7ad6b7169203331")
        #expect(trace.isSampled && trace.traceparent == parent)
        #expect(TraceContext(traceparent: String(parent.dropLast()) + "2")?.isSampled == false)
    }

    @Test func continuesATraceWithASpanOfItsOwn() {
        let trace = TraceContext.continuing(parent)
        #expect(trace.traceID == "0af7651916cd43dd8448eb211c80319c")
        #expect(trace.spanID != "b7ad6b7169203331" && trace.child().spanID != trace.spanID)
        #expect(TraceContext(traceparent: trace.traceparent) == trace)
    }

    @Test(arguments: [
        "", "00", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
        " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
    ])
    func aBadTraceparentStartsANewTrace(text: String) {
        #expect(TraceContext(traceparent: text) == nil)
        let trace = TraceContext.continuing(text)
        #expect(trace.traceID != "0af7651916cd43dd8448eb211c80319c")
        #expect(TraceContext(traceparent: trace.traceparent) == trace)
    }

    @Test func takesARequestIdOfTheClient() {
        #expect(RequestID.accepting("  a.B_c-1 ").text == "a.B_c-1")
        #expect(RequestID(String(repeating: "x", count: 128)) != nil)
    }

    @Test(arguments: ["", "  ", "a b", "a/b", "é", "a\nb", String(repeating: "x", count: 129)])
    func replacesABadRequestId(text: String) {
        #expect(RequestID(text) == nil)
        let made = RequestID.accepting(text).text
        #expect(made.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
        #expect(RequestID.accepting(nil) != RequestID.accepting(nil))
    }
}
