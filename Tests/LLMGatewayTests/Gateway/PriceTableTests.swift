import Foundation
import Testing

@testable import LLMGateway

@Suite struct PriceTableTests {
    private func table(_ models: String, other: String = #"{"in":5000000,"out":25000000}"#) throws -> PriceTable {
        let text = #"{"version":3,"currency":"micro-USD per million tokens","models":\#(models),"other":\#(other)}"#
        return try PriceTable(json: Array(text.utf8))
    }

    @Test func `the built-in table knows its models, whatever the case, and charges others the most`() throws {
        let table = try PriceTable(path: nil)
        #expect(table.version >= 1 && table.knows("OpenAI/GPT-4o-mini:floor") && !table.knows("openai/gpt-5"))
        #expect(table.cost(TokenUsage(input: 1_000_000, output: 1_000_000), of: "openai/gpt-4o-mini") == 750_000)
        #expect(table.cost(TokenUsage(input: 1_000_000, output: 1_000_000), of: "someone/else") == 30_000_000)
    }

    @Test func `the longest beginning of a name wins`() throws {
        let table = try table(#"{"a/":{"in":1,"out":1},"a/bc":{"in":3,"out":3},"a/b":{"in":2,"out":2}}"#)
        #expect(table.price(of: "a/bcd").input == 3 && table.price(of: "a/bx").input == 2)
        #expect(table.price(of: "a/x").input == 1)
    }

    @Test func `costs are rounded up to a micro-dollar, and nothing costs nothing`() throws {
        let table = try PriceTable(path: nil)
        #expect(table.cost(TokenUsage(input: 1, output: 0), of: "openai/gpt-4o-mini") == 1)
        #expect(table.cost(TokenUsage(input: 20, output: 0), of: "openai/gpt-4o-mini") == 3)
        #expect(table.cost(TokenUsage(input: 21, output: 0), of: "openai/gpt-4o-mini") == 4)
        #expect(table.cost(TokenUsage(), of: "openai/gpt-4o-mini") == 0)
    }

    @Test(arguments: 1...20) func `what is set aside is never less than what a try can cost`(seed: UInt64) throws {
        var random = SeededGenerator(seed)
        let (input, output) = (
            Int.random(in: 0...9_000_000, using: &random), Int.random(in: 0...9_000_000, using: &random)
        )
        let table = try table(#"{"m":{"in":\#(input),"out":\#(output)}}"#)
        for _ in 0..<200 {
            let (bytes, maximum) = (
                Int.random(in: 0...50_000, using: &random), Int.random(in: 16...32_768, using: &random)
            )
            let usage = TokenUsage(
                input: UInt32(Int.random(in: 0...bytes + 64, using: &random)),
                output: UInt32(Int.random(in: 0...maximum, using: &random)))
            let ceiling = table.ceiling(of: "m", messageBytes: bytes, maximumOutputTokens: maximum)
            #expect(table.cost(usage, of: "m") <= ceiling)
        }
    }

    @Test(arguments: [
        "", "{}", "[]",
        #"{"version":0,"currency":"micro-USD per million tokens","models":{},"other":{"in":1,"out":1}}"#,
        #"{"version":1,"currency":"USD","models":{},"other":{"in":1,"out":1}}"#,
        #"{"version":1,"currency":"micro-USD per million tokens","models":{"a":{"in":-1,"out":1}},"other":{"in":1,"out":1}}"#,
        #"{"version":1,"currency":"micro-USD per million tokens","models":{},"other":{"in":1,"out":9000000000000000}}"#,
        #"{"version":1,"currency":"micro-USD per million tokens","models":{}}"#,
    ])
    func `a table out of rule is refused`(text: String) {
        #expect(throws: PriceTable.Failure.malformed) { try PriceTable(json: Array(text.utf8)) }
    }

    @Test func `a table that is not there is refused`() {
        #expect(throws: PriceTable.Failure.unreadable) { try PriceTable(path: "/nowhere/prices.json") }
    }
}
