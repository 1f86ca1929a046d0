import LLMGateway
import Testing

@Suite struct ContractTests {
    private static let summary =
        #"{"version":"2026-02-15","output":{"title":"T","summary":"S","key_points":["a"],"follow_ups":[]}}"#
    private static let brief =
        #"{"version":"2026-02-15","output":{"headline":"H","summary":"S","priorities":[],"schedule":[],"alerts":[]}}"#
    private static let mail = """
        {"version":"2026-02-15","output":{"should_notify":true,"urgency":"high","summary":"S","reason":"R",\
        "suggested_actions":["A"]}}
        """

    @Test(arguments: [
        (Capability.meetingsSummary, summary), (.morningBrief, brief), (.urgentEmailSummary, mail),
    ])
    func `an answer of its contract is read, and written as the same JSON`(capability: Capability, text: String) throws
    {
        let output = try CapabilityOutput(reading: text, of: capability)
        #expect(output.json == JSONValue(parsing: text))
        #expect(capability.contract.violations(of: text) == [])
    }

    @Test func `an answer of one capability is none of another`() {
        #expect(throws: ContractFailure.self) { try CapabilityOutput(reading: Self.summary, of: .morningBrief) }
    }

    @Test(arguments: [
        (#""title":"T""#, #""title":7"#, "$.output.title: not of type string"),
        (#""title":"T""#, #""title":null"#, "$.output.title: not of type string"),
        (#""title":"T","#, "", "$.output.title: missing"),
        (#"["a"]"#, #"["a",1]"#, "$.output.key_points[1]: not of type string"),
        (#"["a"]"#, #""a""#, "$.output.key_points: not of type array"),
        (#""title":"T""#, #""title":"T","attacker_said":1"#, "$.output: unknown field"),
        (#""output":{"#, #""extra":1,"output":{"#, "$: unknown field"),
    ])
    func `a field too many, too few or of another type is refused by its path`(
        part: String, other: String, path: String
    ) {
        let text = Self.summary.replacing(part, with: other)
        #expect(throws: ContractFailure.schemaViolation([path])) {
            try CapabilityOutput(reading: text, of: .meetingsSummary)
        }
    }

    @Test func `an urgency of the model's own invention is refused`() {
        let text = Self.mail.replacing(#""high""#, with: #""apocalyptic""#)
        #expect(throws: ContractFailure.schemaViolation(["$.output.urgency: not one of the allowed values"])) {
            try CapabilityOutput(reading: text, of: .urgentEmailSummary)
        }
    }

    @Test(arguments: ["", "hello", "```json\n{}\n```", #"{"version":"2026-02-15""#, "{} {}"])
    func `text around JSON, or none at all, is no answer`(text: String) {
        #expect(throws: ContractFailure.invalidJSON) { try CapabilityOutput(reading: text, of: .meetingsSummary) }
    }

    @Test func `another version is told apart from another shape`() {
        #expect(throws: ContractFailure.versionMismatch) {
            try CapabilityOutput(
                reading: Self.summary.replacing("2026-02-15", with: "2027-01-01"), of: .meetingsSummary)
        }
    }

    @Test func `no more than eight paths are told`() throws {
        let items = Array(repeating: "1", count: 20).joined(separator: ",")
        do {
            _ = try CapabilityOutput(
                reading: Self.summary.replacing(#"["a"]"#, with: "[\(items)]"), of: .meetingsSummary)
            Issue.record("accepted")
        } catch ContractFailure.schemaViolation(let paths) {
            #expect(paths.count == 8)
        }
    }

    @Test(arguments: Capability.allCases)
    func `schemas are strict at every level and use nothing that providers refuse`(capability: Capability) throws {
        func check(_ schema: JSONValue) throws {
            guard schema["type"]?.string == "object" else { return }
            let properties = try #require(schema["properties"])
            guard case .object(let members) = properties else { return }
            #expect(schema["additionalProperties"]?.bool == false)
            #expect(schema["required"]?.array?.compactMap(\.string) == members.keys.sorted())
            for member in members.values { try check(member) }
        }
        try check(capability.schema)
        for word in ["$ref", "maxLength", "minLength", "maxItems", "minItems", "pattern"] {
            #expect(!capability.schema.text.contains(word))
        }
    }

    @Test func `JSON is written in the order of names, and escaped`() throws {
        let value = JSONValue.object(["b": .array([.integer(1), .null]), "a": .string("\"\\\n\u{1}é")])
        #expect(value.text == #"{"a":"\"\\\n\u0001é","b":[1,null]}"#)
        #expect(JSONValue(parsing: value.text) == value)
        #expect(JSONValue(parsing: value.prettyText) == value)
        #expect(
            JSONValue.object(["a": .array([]), "b": .bool(true)]).prettyText == "{\n  \"a\": [],\n  \"b\": true\n}\n")
    }
}
