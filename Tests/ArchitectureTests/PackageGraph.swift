import Foundation

/// Targets and their arrows, as `swift package dump-package` prints them.
struct PackageGraph {
    struct Target {
        let name: String
        let path: String
        let targets: Set<String>
        let products: Set<String>
    }

    let targets: [String: Target]
    let isWithoutPackages: Bool

    /// Reads the graph; with `enclaveOnly` the one that `ENCLAVE_ONLY=1` leaves.
    init(enclaveOnly: Bool = false) throws {
        let scratch = FileManager.default.temporaryDirectory.appending(path: "alfred-graph-\(UUID())")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let text = try Repository.run(
            "env",
            ["ENCLAVE_ONLY=\(enclaveOnly ? 1 : 0)", "swift", "package", "--scratch-path", scratch.path, "dump-package"])
        let package = try JSONDecoder().decode(Dump.self, from: Data(text.utf8))
        isWithoutPackages = package.dependencies.isEmpty
        var targets: [String: Target] = [:]
        for target in package.targets {
            targets[target.name] = Target(
                name: target.name, path: target.path ?? "", targets: Set(target.dependencies.compactMap(\.target)),
                products: Set(target.dependencies.compactMap(\.product)))
        }
        self.targets = targets
    }

    /// `name` and everything it depends on within this package.
    func closure(of name: String) -> [Target] {
        var seen: Set<String> = []
        var waiting = [name]
        while let next = waiting.popLast() {
            guard seen.insert(next).inserted, let target = targets[next] else { continue }
            waiting.append(contentsOf: target.targets)
        }
        return seen.compactMap { targets[$0] }
    }

    private struct Dump: Decodable {
        struct Anything: Decodable {}
        struct Target: Decodable {
            let name: String
            let path: String?
            let dependencies: [Dependency]
        }
        /// `{"byName": [name, condition]}`, `{"target": [...]}` or `{"product": [name, package, ...]}`.
        struct Dependency: Decodable {
            let target: String?
            let product: String?
            init(from decoder: any Decoder) throws {
                let kinds = try [String: [String?]](lossy: decoder)
                target = (kinds["byName"] ?? kinds["target"])?.first ?? nil
                product = kinds["product"]?.first ?? nil
            }
        }
        let targets: [Target]
        let dependencies: [Anything]
    }
}

/// A text, or nil for anything else.
private struct LossyText: Decodable {
    let value: String?
    init(from decoder: any Decoder) throws {
        value = try? decoder.singleValueContainer().decode(String.self)
    }
}

extension [String: [String?]] {
    /// Keeps the texts of arrays that hold other things too.
    fileprivate init(lossy decoder: any Decoder) throws {
        self = try [String: [LossyText]](from: decoder).mapValues { $0.map(\.value) }
    }
}
