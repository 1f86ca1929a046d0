import AttestationCases
import AttestationVerifier
import Foundation
import Synchronization

/// Writes the generated folders of `attestation-fixtures`, or judges mutations of good evidence.
@main
struct AttestationCasesCommand {
    private static let usage = """
        usage: attestation-cases write FOLDER           every generated case, one folder each
               attestation-cases check FOLDER           whether they are there, byte for byte, and judged as they demand
               attestation-cases fuzz COUNT [SEED]      mutations; exit status 1 when one is accepted
               attestation-cases show NUMBER SEED       one mutation, in base64

        """
    /// A mutation that is judged for so long counts as a hang.
    private static let hangSeconds = 30.0

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.dropFirst().compactMap { UInt64($0) }) {
        case ("write", []) where arguments.count == 2: try write(to: arguments[1])
        case ("check", []) where arguments.count == 2: try check(arguments[1])
        case ("fuzz", let numbers) where (1...2).contains(numbers.count) && numbers[0] > 0:
            let seed = numbers.count == 2 ? numbers[1] : UInt64.random(in: 0...UInt64(UInt32.max))
            try fuzz(count: Int(clamping: numbers[0]), seed: seed)
        case ("show", let numbers) where numbers.count == 2:
            let (kind, document, evidence) = try MutationRun(seed: numbers[1]).describe(Int(clamping: numbers[0]))
            print("\(kind)\ndocument \(Data(document).base64EncodedString())")
            print("evidence \(Data(evidence).base64EncodedString())")
        default:
            FileHandle.standardError.write(Data(usage.utf8))
            exit(2)
        }
    }

    private static func write(to folder: String) throws {
        let cases = try GeneratedCase.all()
        for made in cases {
            let folder = URL(filePath: folder).appending(path: made.name, directoryHint: .isDirectory)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, bytes) in made.files { try Data(bytes).write(to: folder.appending(path: name)) }
        }
        print("\(cases.count) cases written")
    }

    private static func check(_ folder: String) throws {
        let cases = try GeneratedCase.all()
        var faults = 0
        for made in cases {
            let folder = URL(filePath: folder).appending(path: made.name, directoryHint: .isDirectory)
            for (name, bytes) in made.files where (try? Data(contentsOf: folder.appending(path: name))) != Data(bytes) {
                print("\(made.name)/\(name) is not what is generated")
                faults += 1
            }
            if let verdict = try made.contradiction() {
                print("\(made.name): \(verdict)")
                faults += 1
            }
        }
        print("\(cases.count) cases, \(faults) faults")
        exit(faults == 0 ? 0 : 1)
    }

    // MARK: Mutations

    /// Numbers that the threads are at, and since when.
    private final class Progress: Sendable {
        struct Place {
            var number = 0
            var since = Date()
        }
        private let places: Mutex<[Place]>
        private let ticks = Atomic(0)
        let total = Mutex(MutationRun.Tally())

        init(threads: Int) { places = Mutex([Place](repeating: Place(), count: threads)) }

        func enter(_ number: Int, thread: Int) { places.withLock { $0[thread] = Place(number: number) } }

        /// How far the slowest thread is, every ten seconds.
        func tell() {
            guard let place = places.withLock({ $0.filter { $0.since < .distantFuture }.map(\.number).min() }),
                ticks.wrappingAdd(1, ordering: .relaxed).newValue.isMultiple(of: 10)
            else { return }
            print("  \(place) …")
            fflush(nil)
        }

        func leave(_ thread: Int) { places.withLock { $0[thread].since = .distantFuture } }

        /// A number that was entered too long ago.
        func hanging() -> Int? {
            places.withLock { $0.first { -$0.since.timeIntervalSinceNow > hangSeconds }?.number }
        }
    }

    private static func fuzz(count: Int, seed: UInt64) throws {
        let begin = Date()
        let run = try MutationRun(seed: seed)
        guard run.acceptsTheOriginals() else {
            print("the evidence to start from is not accepted")
            exit(1)
        }
        let threads = ProcessInfo.processInfo.activeProcessorCount
        print("\(count) mutations with seed \(seed) in \(threads) threads")
        let progress = Progress(threads: threads)
        let watch = DispatchSource.makeTimerSource()
        watch.schedule(deadline: .now() + 1, repeating: 1)
        watch.setEventHandler {
            progress.tell()
            guard let number = progress.hanging() else { return }
            print("mutation \(number) with seed \(seed) is judged for more than \(Int(hangSeconds)) s")
            exit(1)
        }
        watch.resume()
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            // A run of its own: verifiers and their caches are not shared, so that threads do not wait for each other.
            guard let run = try? MutationRun(seed: seed) else { return }
            let tally = run.run(stride(from: thread, to: count, by: threads)) { progress.enter($0, thread: thread) }
            progress.total.withLock { $0.add(tally) }
            progress.leave(thread)
        }
        watch.cancel()
        report(progress.total.withLock { $0 }, count: count, seed: seed, seconds: -begin.timeIntervalSinceNow)
    }

    private static func report(_ tally: MutationRun.Tally, count: Int, seed: UInt64, seconds: Double) {
        for kind in MutationKind.allCases {
            let unchanged = tally.unchanged[kind].map { ", of which \($0) say the same and were accepted" } ?? ""
            print("  \(kind): \(tally.made[kind] ?? 0)\(unchanged)")
        }
        for (reason, number) in tally.refused.sorted(by: { $0.value > $1.value }) {
            print("  \(reason.rawValue): \(number)")
        }
        for (fault, number) in tally.faults.sorted(by: { $0.value > $1.value }) {
            print("    \(fault.rawValue): \(number)")
        }
        let made = tally.made.values.reduce(0, +)
        print("\(made) mutations in \(Int(seconds)) s, \(tally.findings.count) wrongly accepted")
        for number in tally.findings.sorted().prefix(20) { print("accepted: attestation-cases show \(number) \(seed)") }
        exit(made == count && tally.findings.isEmpty ? 0 : 1)
    }
}
