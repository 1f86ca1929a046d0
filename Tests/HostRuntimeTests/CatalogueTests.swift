import Foundation
import HostRuntime
import Testing

private let withoutEffect: Set<String> = [
    "MIGRATIONS_DIR"
]

@Suite struct CatalogueTests {
    private func example() throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(".env.example"), encoding: .utf8)
    }

    /// Names of `.env.example`, those in comments included.
    private func exampleNames() throws -> [String] {
        try example().split(separator: "\n").compactMap { line in
            let text = line.hasPrefix("# ") ? line.dropFirst(2) : line
            guard let equals = text.firstIndex(of: "=") else { return nil }
            let name = text[..<equals]
            return name.allSatisfy({ $0.isUppercase || $0.isNumber || $0 == "_" }) ? String(name) : nil
        }
    }

    @Test func namesEachVariableOnce() {
        let names = EnvironmentCatalogue.rows.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.count > 130)
    }

    @Test func everyDefaultSatisfiesItsOwnRule() throws {
        let api = try Start().api()
        let worker = try Start().worker()
        #expect(api.api.bindAddress.description == "127.0.0.1:8080")
        #expect(worker.worker.lease == .seconds(60))
    }

    @Test func theExampleFileKnowsEveryVariable() throws {
        let names = Set(try exampleNames())
        for row in EnvironmentCatalogue.rows {
            let expected = row.belongsToEnclaveAlone ? row.fileName ?? row.name : row.name
            #expect(names.contains(expected), "\(expected) is missing in .env.example")
        }
    }

    @Test func theExampleFileHasNoUnknownOrDoubledVariable() throws {
        let names = try exampleNames()
        #expect(Set(names).count == names.count)
        for name in names {
            let known =
                EnvironmentCatalogue.row(named: name) != nil || EnvironmentCatalogue.row(withFileName: name) != nil
            #expect(known, "\(name) is not in the catalogue")
        }
    }

    @Test func theExampleFileHoldsNoSecretOfTheEnclave() throws {
        let names = try exampleNames()
        for row in EnvironmentCatalogue.rows where row.belongsToEnclaveAlone { #expect(!names.contains(row.name)) }
    }

    @Test func theExampleFileStartsAPIAndWorkerOnceTheKeysAreThere() throws {
        let start = try Start(
            Dictionary(uniqueKeysWithValues: localVariables.keys.map { ($0, nil as String?) }),
            dotEnv: example() + "\nTEE_ATTESTATION_PUBLIC_KEY=\(keyText)\n")
        #expect(start.apiViolations() == [])
        #expect(start.workerViolations() == [])
    }

    @Test func aProcessGetsOnlyItsOwnRows() {
        let api = EnvironmentCatalogue.names(for: .api)
        let worker = EnvironmentCatalogue.names(for: .worker)
        let enclave = EnvironmentCatalogue.names(for: .enclave)
        #expect(api.contains("CLERK_SECRET_KEY") && api.contains("CLERK_SECRET_KEY_FILE"))
        #expect(!worker.contains("CLERK_SECRET_KEY") && !enclave.contains("DATABASE_URL"))
        #expect(enclave.contains("GOOGLE_OAUTH_CLIENT_SECRET_FILE") && enclave.contains("KMS_LOCAL_KEY_PATH"))
        for host in [api, worker, EnvironmentCatalogue.names(for: .operator)] {
            #expect(
                host.isDisjoint(with: [
                    "GOOGLE_OAUTH_CLIENT_SECRET", "GOOGLE_OAUTH_CLIENT_SECRET_FILE", "KMS_LOCAL_KEY_PATH",
                    "TEE_ATTESTATION_SIGNING_PRIVATE_KEY", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY_FILE",
                ]))
        }
        let handed = EnvironmentCatalogue.variables(for: .worker, of: ["CLERK_SECRET_KEY": "x", "LOG_LEVEL": "warn"])
        #expect(handed == ["LOG_LEVEL": "warn"])
    }

    @Test func theRowsThatHaveNoEffectYetSaySo() {
        for row in EnvironmentCatalogue.rows {
            #expect((row.notReadYet != nil) == withoutEffect.contains(row.name), "\(row.name)")
        }
    }

    /// The comment above a row, or the one under its group's heading, tells the reader of the file.
    @Test func theExampleFileSaysWhatHasNoEffectYet() throws {
        let lines = try example().split(separator: "\n").map(String.init)
        for (line, comment) in zip(lines.dropFirst(), lines) {
            let name = String(line.trimmingPrefix("# ").prefix { $0 != "=" })
            guard line.contains("="), let row = EnvironmentCatalogue.row(named: name)
            else { continue }
            let reason = row.notReadYet.map { $0.hasPrefix("refused") ? "; \($0)" : "; no effect: \($0)" }
            let says = reason.map(comment.hasSuffix) ?? !comment.contains("no effect")
            #expect(says, "\(name): \(comment)")
        }
    }
}
