import ArgumentParser
import AttestationVerifier

/// Shows what evidence or a document states, without judging it.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what evidence or a document states; judges nothing.",
        discussion: "Documents of a secure module are shown as far as they can be read, broken ones and NitroTPM's too."
    )

    @Argument(help: "A file, a case folder of attestation-fixtures, or - for standard input") var source: String
    @Flag(help: "Print one JSON object.") var json = false

    private struct Field: Encodable {
        let name: String
        let value: String
    }
    private struct Result: Encodable {
        var evidence: [Field]?
        var nitro_document: [Field]?
        var problem: String?
    }

    mutating func run() throws {
        var result = Result()
        let document: [UInt8]?
        switch try AttestInput(source) {
        case .record(let evidence):
            guard let fields = evidence.statement() else {
                throw CommandFailure.failed("attest inspect: the evidence does not decode")
            }
            result.evidence = fields.map { Field(name: $0.name, value: $0.value) }
            document = evidence.nitroDocument
        case .document(let bytes, _): document = bytes
        }
        if let document {
            let inspection = NitroInspection(of: document)
            result.nitro_document = inspection.lines.map { Field(name: $0.name, value: $0.value) }
            result.problem = inspection.problem
        }
        if json { Output.json(result) } else { show(result) }
        if let problem = result.problem {
            throw CommandFailure.failed("attest inspect: unreadable from here: \(problem)")
        }
    }

    private func show(_ result: Result) {
        let fields = (result.evidence ?? []) + (result.nitro_document ?? [])
        let width = fields.map(\.name.count).max() ?? 0
        for field in fields {
            Output.line(field.name + String(repeating: " ", count: width - field.name.count + 2) + field.value)
        }
    }
}
