import AttestationVerifier
import Foundation

/// What it costs to verify a Nitro document, to set up an attested session with it, and to call through that session.
///
/// Documents are signed by a test authority of AWS's shape. Prints one `name value` per line.
/// Usage: `attestation-bench [seconds per figure]`
@main
enum AttestationBench {
    static func main() {
        let seconds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 3 : 3
        do {
            try DocumentFigures(seconds: Double(seconds)).run()
            try SessionFigures(rounds: seconds).run()
        } catch {
            fail("\(error)")
        }
    }

    static func figure(_ name: String, _ value: Double) {
        print(name, String(format: "%.2f", value))
        fflush(nil)
    }

    static func fail(_ reason: String) -> Never {
        try? FileHandle.standardError.write(contentsOf: Data("attestation-bench: \(reason)\n".utf8))
        exit(1)
    }
}
