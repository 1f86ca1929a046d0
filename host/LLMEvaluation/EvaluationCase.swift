import Foundation
public import LLMGateway

/// One case: what a model is shown, what it answers when it is mocked, and what must come of it.
public struct EvaluationCase: Sendable, Equatable {
    public let id: String
    public let description: String
    public let capability: Capability
    public let isLive: Bool
    public let payload: JSONValue
    /// The answer's text; nil when the case has none.
    public let mockedAnswer: String?
    public let expectsValidSchema: Bool
    public let expectedSource: OutputSource?
    /// Least number of items by the name of the list in the contract.
    public let minimums: [String: Int]

    private static let lists = [
        "min_key_points": "key_points", "min_follow_ups": "follow_ups", "min_priorities": "priorities",
        "min_schedule": "schedule", "min_alerts": "alerts", "min_suggested_actions": "suggested_actions",
    ]

    public init(parsing text: String) throws(EvaluationError) {
        guard let json = JSONValue(parsing: text), case .object(let fields) = json else {
            throw .unreadable("not a JSON object")
        }
        try Self.refuseUnknown(
            fields,
            [
                "case_id", "description", "capability", "include_in_live_smoke", "context_payload",
                "mocked_model_output", "expectations",
            ])
        guard let id = fields["case_id"]?.string, Self.isName(id) else { throw .unreadable("case_id") }
        guard let description = fields["description"]?.string else { throw .unreadable("description") }
        guard let capability = fields["capability"]?.string.flatMap(Capability.init) else {
            throw .unreadable("capability")
        }
        guard let payload = fields["context_payload"], case .object = payload else {
            throw .unreadable("context_payload")
        }
        guard case .object(let expectations) = fields["expectations"] else { throw .unreadable("expectations") }
        try Self.refuseUnknown(expectations, ["schema_valid", "safe_output_source", "quality"])
        self.id = id
        self.description = description
        self.capability = capability
        self.payload = payload
        isLive = try Self.flag(fields["include_in_live_smoke"], "include_in_live_smoke", or: false)
        // A text stands for itself, so that answers that are no JSON can be written down.
        mockedAnswer = fields["mocked_model_output"].map { $0.string ?? $0.text }
        expectsValidSchema = try Self.flag(expectations["schema_valid"], "schema_valid", or: true)
        if let source = expectations["safe_output_source"] {
            guard let known = source.string.flatMap(OutputSource.init) else { throw .unreadable("safe_output_source") }
            expectedSource = known
        } else {
            expectedSource = nil
        }
        minimums = try Self.minimums(expectations["quality"])
    }

    private static func minimums(_ quality: JSONValue?) throws(EvaluationError) -> [String: Int] {
        guard let quality else { return [:] }
        guard case .object(let fields) = quality else { throw .unreadable("quality") }
        var found: [String: Int] = [:]
        for (name, value) in fields {
            guard let list = lists[name] else { throw .unreadable("unknown field \(name)") }
            guard let least = value.integer, least >= 0 else { throw .unreadable(name) }
            found[list] = least
        }
        return found
    }

    private static func flag(_ value: JSONValue?, _ name: String, or other: Bool) throws(EvaluationError) -> Bool {
        guard let value else { return other }
        guard let flag = value.bool else { throw .unreadable(name) }
        return flag
    }

    private static func refuseUnknown(
        _ fields: [String: JSONValue], _ known: Set<String>
    ) throws(EvaluationError) {
        if let name = fields.keys.sorted().first(where: { !known.contains($0) }) {
            throw .unreadable("unknown field \(name)")
        }
    }

    /// It becomes a file's name.
    private static func isName(_ id: String) -> Bool {
        (1...80).contains(id.utf8.count) && id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }
}

/// Why nothing could be evaluated.
public enum EvaluationError: Error, Equatable, Sendable {
    /// What is wrong with a fixture.
    case unreadable(String)
    case unwritable(String)
    /// What is wrong with the environment; names and rules, no values.
    case configuration(String)
    /// None of the chosen cases is meant for a real model.
    case noLiveCase

    public var text: String {
        switch self {
        case .unreadable(let what): "unreadable fixture: \(what)"
        case .unwritable(let path): "not writable: \(path)"
        case .configuration(let text): text
        case .noLiveCase: "no chosen case has include_in_live_smoke"
        }
    }
}

/// The fixtures on disk.
public enum EvaluationFixtures {
    /// Longest file that is read.
    static let maximumBytes = 1 << 20

    /// The cases below a directory, sorted by path.
    public static func cases(in directory: String) throws(EvaluationError) -> [EvaluationCase] {
        guard let names = try? FileManager.default.subpathsOfDirectory(atPath: directory) else {
            throw .unreadable(directory)
        }
        var cases: [EvaluationCase] = []
        var known: Set<String> = []
        for name in names.sorted() where name.hasSuffix(".json") {
            let path = "\(directory)/\(name)"
            guard let text = text(of: path) else { throw .unreadable(path) }
            let found: EvaluationCase
            do throws(EvaluationError) {
                found = try EvaluationCase(parsing: text)
            } catch {
                throw .unreadable("\(path): \(error.text)")
            }
            guard known.insert(found.id).inserted else { throw .unreadable("\(path): duplicate case_id \(found.id)") }
            cases.append(found)
        }
        guard !cases.isEmpty else { throw .unreadable("\(directory): no case") }
        return cases
    }

    /// Files of the goldens' folder that belong to none of `cases`.
    static func strayGoldens(in directory: String, of cases: [EvaluationCase]) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return Set(names.filter { $0.hasSuffix(".golden.json") }).subtracting(cases.map { "\($0.id).golden.json" })
            .sorted()
    }

    /// Nil for what is absent, no UTF-8 or too long.
    static func text(of path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path),
            let data = try? file.read(upToCount: maximumBytes + 1), data.count <= maximumBytes
        else { return nil }
        return String(data: data, encoding: .utf8)
    }

    static func write(_ text: String, to path: String) throws(EvaluationError) {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw .unwritable(path)
        }
    }
}
