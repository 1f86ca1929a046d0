/// The fields of a JSON request body; unknown ones are ignored, `null` equals absent.
struct RequestFields: Sendable {
    private let members: [String: JSONValue]

    private init(members: [String: JSONValue]) { self.members = members }

    /// No body.
    static let none = RequestFields(members: [:])

    /// - Throws: `invalid_json`; `invalid_request_body` when the body is no object.
    init(_ body: [UInt8]) throws(APIError) {
        let value: JSONValue
        do throws(InvalidJSON) { value = try JSONReader.read(body) } catch { throw APIError(.invalidJSON) }
        guard case .members(let members) = value else { throw APIError(.invalidRequestBody) }
        self.members = Dictionary(members.map { ($0.name, $0.value) }) { first, _ in first }
    }

    /// The same bytes for the same fields, whatever their order and spacing; fields that are `null` are left out.
    var canonical: [UInt8] {
        let present = members.filter { $0.value != .null }.map { JSONValue.Member(name: $0.key, value: $0.value) }
        return JSONValue.members(present).canonical.encoded()
    }

    private func present(_ name: StaticString) -> JSONValue? {
        guard let value = members["\(name)"], value != .null else { return nil }
        return value
    }

    func optionalText(_ name: StaticString) throws(APIError) -> String? {
        guard let value = present(name) else { return nil }
        guard case .string(let text) = value else { throw APIError(.invalidRequestBody, field: name) }
        return text
    }

    func text(_ name: StaticString) throws(APIError) -> String {
        guard let text = try optionalText(name) else { throw APIError(.invalidRequestBody, field: name) }
        return text
    }

    func integer(_ name: StaticString) throws(APIError) -> Int {
        guard case .integer(let number) = present(name) else { throw APIError(.invalidRequestBody, field: name) }
        return number
    }

    func bool(_ name: StaticString) throws(APIError) -> Bool {
        guard case .bool(let flag) = present(name) else { throw APIError(.invalidRequestBody, field: name) }
        return flag
    }

    /// One of the raw values of `Choice`.
    func choice<Choice: RawRepresentable<String>>(_ name: StaticString) throws(APIError) -> Choice {
        guard let choice = Choice(rawValue: try text(name)) else { throw APIError(.invalidRequestBody, field: name) }
        return choice
    }
}
