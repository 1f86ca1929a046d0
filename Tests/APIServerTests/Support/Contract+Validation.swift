import Foundation
import Yams

extension Contract {
    /// What is wrong with a JSON value by the schema, nothing when it fits. Knows the keywords that the contract uses.
    func faults(of value: Any, by schema: Node, at place: String = "$") throws -> [String] {
        let schema = try resolved(schema)
        if let options = schema["anyOf"]?.array() {
            let all = try options.map { try self.faults(of: value, by: $0, at: place) }
            return all.contains([]) ? [] : all.flatMap { $0 }
        }
        var faults: [String] = []
        if let types = schema["type"].map({ $0.string.map { [$0] } ?? $0.texts }), !types.contains(kind(of: value)),
            !(types.contains("number") && kind(of: value) == "integer")
        {
            return ["\(place) is \(kind(of: value)), not \(types.joined(separator: " or "))"]
        }
        if let text = value as? String {
            if let constant = schema["const"]?.string, constant != text { faults.append("\(place) is not \(constant)") }
            if let words = schema["enum"]?.texts, !words.contains(text) {
                faults.append("\(place) is no word of its list")
            }
            if let pattern = schema["pattern"]?.string, try !isMatch(text, pattern) {
                faults.append("\(place) does not match \(pattern)")
            }
            if let most = schema["maxLength"]?.int, text.unicodeScalars.count > most {
                faults.append("\(place) is too long")
            }
        }
        if let items = value as? [Any], let inner = schema["items"] {
            if let most = schema["maxItems"]?.int, items.count > most { faults.append("\(place) has too many items") }
            for (index, item) in items.enumerated() {
                faults += try self.faults(of: item, by: inner, at: "\(place)[\(index)]")
            }
        }
        if let object = value as? [String: Any] {
            let properties = Dictionary(members(of: schema["properties"] ?? [:]).map { ($0.name, $0.node) }) { one, _ in
                one
            }
            for name in schema["required"]?.texts ?? [] where object[name] == nil {
                faults.append("\(place).\(name) is missing")
            }
            for (name, inner) in object {
                if let property = properties[name] {
                    faults += try self.faults(of: inner, by: property, at: "\(place).\(name)")
                } else if let others = schema["additionalProperties"] {
                    guard others.mapping != nil else {
                        faults.append("\(place).\(name) is not in the contract")
                        continue
                    }
                    faults += try self.faults(of: inner, by: others, at: "\(place).\(name)")
                }
            }
        }
        return faults
    }

    /// Swift's own expressions do not take every range of the contract's.
    private func isMatch(_ text: String, _ pattern: String) throws -> Bool {
        let all = NSRange(text.startIndex..., in: text)
        return try NSRegularExpression(pattern: pattern).firstMatch(in: text, range: all) != nil
    }

    private func kind(of value: Any) -> String {
        switch value {
        case is NSNull: "null"
        case is String: "string"
        case is [Any]: "array"
        case is [String: Any]: "object"
        case let number as NSNumber:
            String(cString: number.objCType) == "c"
                ? "boolean" : number.doubleValue.rounded() == number.doubleValue ? "integer" : "number"
        default: "\(type(of: value))"
        }
    }

    /// A part of the contract as JSON values.
    func json(_ node: Node) throws -> Any {
        if let mapping = node.mapping {
            return try Dictionary(mapping.map { ($0.key.string ?? "", try json($0.value)) }) { one, _ in one }
        }
        if node.sequence != nil { return try node.array().map(json) }
        if node.null != nil { return NSNull() }
        if node.scalar?.style == .plain {
            if let flag = node.bool { return NSNumber(value: flag) }
            if let number = node.int { return NSNumber(value: number) }
        }
        return node.string ?? ""
    }
}
