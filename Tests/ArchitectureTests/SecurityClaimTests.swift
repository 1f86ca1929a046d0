import Foundation
import Testing

/// SECURITY.md may claim only what a test shows.
@Suite struct SecurityClaimTests {
    struct Claim {
        let id: String
        let files: [String]
        let tests: [String]
    }

    /// Rows of the table of claims: `| C1 | claim | files | tests |`, files and tests in back-quotes.
    static func claims() throws -> [Claim] {
        try Repository.text("SECURITY.md").split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4, cells[0].wholeMatch(of: /C[0-9]+/) != nil else { return nil }
            return Claim(id: cells[0], files: quoted(cells[2]), tests: quoted(cells[3]))
        }
    }

    private static func quoted(_ cell: String) -> [String] {
        cell.matches(of: /`([^`]+)`/).map { String($0.1) }
    }

    @Test func everyClaimNamesAnExistingFileAndAnExistingTest() throws {
        let claims = try Self.claims()
        #expect(claims.count >= 10)
        #expect(Set(claims.map(\.id)).count == claims.count)
        let sources = try Self.sources()
        for claim in claims {
            #expect(!claim.files.isEmpty && !claim.tests.isEmpty, "\(claim.id) names no file or no test")
            for file in claim.files {
                let path = Repository.root.appending(path: file).path
                #expect(FileManager.default.fileExists(atPath: path), "\(claim.id): \(file)")
            }
            for test in claim.tests { #expect(Self.exists(test, in: sources), "\(claim.id): no test \(test)") }
        }
    }

    /// `Folder/test` in back-quotes, wherever it stands: the attacks, too, name the tests that show them refused.
    @Test func everyTestNamedAnywhereExists() throws {
        let sources = try Self.sources()
        let text = try Repository.text("SECURITY.md")
        let named = Set(text.matches(of: /`([A-Za-z]+Tests\/[^`]+)`/).map { String($0.1) })
        #expect(named.count >= 50)
        for test in named where !test.hasSuffix(".swift") {
            #expect(Self.exists(test, in: sources), "no test \(test)")
        }
    }

    private static func sources() throws -> [String: String] {
        try Dictionary(
            uniqueKeysWithValues: Repository.files(under: "Tests", "swift").map { ($0, try Repository.text($0)) })
    }

    private static func exists(_ test: String, in sources: [String: String]) -> Bool {
        let parts = test.split(separator: "/").map(String.init)
        return parts.count == 2
            && sources.contains { path, text in
                path.hasPrefix("Tests/\(parts[0])/")
                    && (text.contains("func \(parts[1])(") || text.contains("func `\(parts[1])`("))
            }
    }

    @Test func everyTestNamedAfterAClaimIsListedUnderIt() throws {
        let claims = try Self.claims()
        for path in Repository.files(under: "Tests", "swift") {
            for match in try Repository.text(path).matches(of: /func ((c[0-9]+)_\w+)\(/) {
                let claim = claims.first { $0.id.lowercased() == String(match.2) }
                #expect(
                    claim?.tests.contains { $0.hasSuffix("/\(match.1)") } == true,
                    "\(path): \(match.1) is not listed under \(match.2.uppercased())")
            }
        }
    }
}
