import Foundation
import Yams

@testable import APIServer

/// The published contract, as a tree.
struct Contract {
    let root: Node

    /// One method of one path.
    struct Operation {
        let id: String
        let method: String
        let path: String
        let node: Node
        /// Of the path and of the method.
        let parameters: [Node]

        var name: String { "\(method) \(path)" }
    }

    struct Malformed: Error { let place: String }

    /// Reads `host/APIServer/openapi.yaml`.
    init(file: String = #filePath) throws {
        var folder = URL(filePath: file)
        while folder.path != "/", !FileManager.default.fileExists(atPath: folder.appending(path: "Package.swift").path)
        {
            folder.deleteLastPathComponent()
        }
        text = try String(contentsOf: folder.appending(path: "host/APIServer/openapi.yaml"), encoding: .utf8)
        sources = folder.appending(path: "host/APIServer")
        guard let root = try Yams.compose(yaml: text) else { throw Malformed(place: "/") }
        self.root = root
    }

    let text: String
    /// Where the handlers are.
    let sources: URL

    var operations: [Operation] {
        get throws {
            try members(of: node("paths")).flatMap { path, item in
                let shared = item["parameters"]?.array() ?? []
                return try members(of: item).filter { $0.name != "parameters" }.map { method, node in
                    guard let id = node["operationId"]?.string else { throw Malformed(place: path) }
                    let parameters = try (shared + (node["parameters"]?.array() ?? [])).map(resolved)
                    return Operation(
                        id: id, method: method.uppercased(), path: path, node: node, parameters: parameters)
                }
            }
        }
    }

    func node(_ path: String...) throws -> Node {
        var found = root
        for name in path {
            guard let next = found[name] else { throw Malformed(place: path.joined(separator: "/")) }
            found = next
        }
        return found
    }

    func members(of node: Node) -> [(name: String, node: Node)] {
        node.mapping?.map { ($0.key.string ?? "", $0.value) } ?? []
    }

    /// Follows `$ref`; what stands beside it is kept where the target says nothing.
    func resolved(_ node: Node) throws -> Node {
        guard let reference = node["$ref"]?.string else { return node }
        var found = root
        for name in reference.dropFirst(2).split(separator: "/") {
            guard let next = found[String(name)] else { throw Malformed(place: reference) }
            found = next
        }
        return try resolved(found)
    }

    /// Responses by status.
    func responses(of operation: Operation) throws -> [(status: Int, node: Node)] {
        guard let responses = operation.node["responses"] else { throw Malformed(place: operation.name) }
        return try members(of: responses).map { status, node in
            guard let status = Int(status) else { throw Malformed(place: operation.name) }
            return (status, try resolved(node))
        }
    }

    /// Schema of the JSON body that this operation takes.
    func bodySchema(of operation: Operation) throws -> Node? {
        try operation.node["requestBody"]?["content"]?["application/json"]?["schema"].map(resolved)
    }
}

extension Node {
    var isTrue: Bool { bool == true }
    var texts: [String] { array().compactMap(\.string) }
}
