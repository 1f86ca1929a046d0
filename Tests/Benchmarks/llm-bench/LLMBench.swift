import ArgumentParser
import AsyncHTTPClient
import Foundation
import HostRuntime
import HostStorage
import LLMGateway
import NIOCore
import NIOHTTP1

/// The gateway beside a bare call of the same HTTP client to the same server, both with a request that is ready: a
/// question about meetings with limits, cache, breaker and budget in Redis, the answer checked against contract and
/// policy, log and metrics on. The capability around it also sanitises the context and writes the prompt.
///
/// `scripts/bench llm` starts the servers and runs LiteLLM beside it. Prints one figure per line, `name value`; the log
/// goes to standard error, as in a program.
@main
struct LLMBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "llm-bench", abstract: "What the language model gateway adds to a call.")

    @Option(help: "URL of the chat completions.")
    var completions: String
    @Option(help: "URL of Redis.")
    var redis: String
    @Option(help: "Calls per second of the latency figures.")
    var rate = 500
    @Option(help: "Seconds of each figure.")
    var seconds = 8
    @Option(help: "Calls at once of the throughput figures.")
    var concurrency = 32

    @Flag(help: "Only print the body of the bare call, as the peers send it.")
    var body = false

    func run() async throws {
        let question = try DirectCall.body(of: BenchGateway.request(0))
        guard !body else { return print(String(decoding: question, as: UTF8.self)) }
        let gateway = try BenchGateway(completions: completions, redis: redis)
        let direct = try DirectCall(completions: completions, body: question)
        let asked = Counter()
        let viaGateway: Load.Call = { await gateway.send(asked.next()) }
        let viaCapability: Load.Call = { await gateway.ask(asked.next()) }
        let viaNothing: Load.Call = { await direct.send() }
        let calls = [("gateway", viaGateway), ("direct", viaNothing), ("capability", viaCapability)]
        try await gateway.run { await measure(calls) }
        try await direct.shutdown()
        try await gateway.shutdown()
    }

    private func measure(_ calls: [(String, Load.Call)]) async {
        for (_, call) in calls { _ = await Load.closed(concurrency, seconds: 1, call) }
        for (name, call) in calls {
            // The better of two: other work on the machine only slows it.
            let first = await Load.open(rate, seconds: seconds, call)
            let second = await Load.open(rate, seconds: seconds, call)
            let best = first.percentile(99) < second.percentile(99) ? first : second
            figure("\(name)_p50_microseconds", best.percentile(50))
            figure("\(name)_p99_microseconds", best.percentile(99))
            figure("\(name)_failed", Double(first.failures + second.failures))
        }
        for (name, call) in calls {
            let result = await Load.closed(concurrency, seconds: seconds, call)
            figure("\(name)_per_second", Double(result.microseconds.count) / Double(seconds))
            figure("\(name)_closed_p50_microseconds", result.percentile(50))
            figure("\(name)_closed_p99_microseconds", result.percentile(99))
            figure("\(name)_closed_failed", Double(result.failures))
            figure("\(name)_resident_megabytes", residentMegabytes())
        }
    }
}

/// A call with the HTTP client alone, its body made once.
struct DirectCall: Sendable {
    private let client: HTTPClient
    private let url: String
    private let body: ByteBuffer

    init(completions: String, body: Data) throws {
        client = HTTPClient(eventLoopGroupProvider: .singleton)
        url = completions
        self.body = ByteBuffer(bytes: body)
    }

    /// The request as OpenAI's shape has it, with the schema.
    static func body(of request: LLMRequest) throws -> Data {
        let schema = try JSONSerialization.jsonObject(with: Data(request.output.schema.utf8))
        let format: [String: Any] = ["name": request.output.name, "strict": true, "schema": schema]
        let value: [String: Any] = [
            "model": "openai/gpt-4o-mini", "max_tokens": 600, "temperature": 0,
            "messages": request.messages.map { ["role": $0.role.rawValue, "content": $0.text] },
            "response_format": ["type": "json_schema", "json_schema": format],
        ]
        return try JSONSerialization.data(withJSONObject: value)
    }

    /// Whether an answer came whole.
    func send() async -> Bool {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "authorization", value: "Bearer sk-bench")
        request.body = .bytes(body)
        guard let response = try? await client.execute(request, timeout: .seconds(5)), response.status == .ok,
            let answer = try? await response.body.collect(upTo: 1 << 20)
        else { return false }
        return answer.readableBytes > 0
    }

    func shutdown() async throws { try await client.shutdown() }
}

private func figure(_ name: String, _ value: Double) {
    print(name, value.formatted(.number.precision(.fractionLength(2)).grouping(.never).locale(.init(identifier: "C"))))
}

private func residentMegabytes() -> Double {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return (Double(line.split(separator: " ").dropFirst().first ?? "") ?? 0) * 1024 / 1e6
}
