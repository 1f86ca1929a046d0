import AttestationVerifier
import Foundation
import SimulatedNitro

/// The processor time of one verification, parsing included: what `openssl speed` counts too.
struct DocumentFigures {
    private static let now: UInt64 = 1_800_000_000
    private static let documentCount = 64

    private let seconds: Double
    private let root: NitroRoot
    private let documents: [[UInt8]]
    private let siblings: [[UInt8]]

    init(seconds: Double) throws {
        self.seconds = seconds
        let authority = NitroPKI()
        root = try NitroRoot(testCertificate: authority.root)
        documents = (0..<Self.documentCount).map { Self.document(authority, enclave: 0, number: $0) }
        siblings = (0..<Self.documentCount).map { Self.document(authority, enclave: $0, number: 0) }
    }

    func run() throws {
        // Nothing is remembered but the pinned root: four links and the document.
        try measure("cold", checks: 5) { index in
            let verifier = NitroChainVerifier(root: root)
            let start = CPUTime.now
            try verify(documents[index], verifier)
            return (verifier.signatureChecks, CPUTime.now - start)
        }
        // The same enclave again: the document alone.
        let known = NitroChainVerifier(root: root)
        try verify(documents[0], known)
        try measure("second", checks: 1) { index in
            let before = known.signatureChecks
            let start = CPUTime.now
            try verify(documents[index], known)
            return (known.signatureChecks - before, CPUTime.now - start)
        }
        // Another enclave of the same instance: its leaf and the document.
        try measure("sibling", checks: 2) { index in
            let verifier = NitroChainVerifier(root: root)
            try verify(siblings[0], verifier)
            let before = verifier.signatureChecks
            let start = CPUTime.now
            try verify(siblings[1 + index % (siblings.count - 1)], verifier)
            return (verifier.signatureChecks - before, CPUTime.now - start)
        }
        try measureParsing()
    }

    private func verify(_ bytes: [UInt8], _ verifier: NitroChainVerifier) throws {
        _ = try verifier.verify(NitroDocument(parsing: bytes), at: Self.now)
    }

    /// The median of as many runs as fit in the time; fails where another number of signatures is checked.
    private func measure(_ name: String, checks: Int, _ verify: (Int) throws -> (Int, Double)) throws {
        var samples: [Double] = []
        let end = ContinuousClock.now.advanced(by: .seconds(seconds))
        while ContinuousClock.now < end {
            let (made, took) = try verify(samples.count % Self.documentCount)
            guard made == checks else {
                AttestationBench.fail("\(name): \(made) signature checks instead of \(checks)")
            }
            samples.append(took)
        }
        samples.sort()
        AttestationBench.figure("\(name)_microseconds", samples[samples.count / 2])
    }

    private func measureParsing() throws {
        let start = CPUTime.now
        for index in 0..<1000 { _ = try NitroDocument(parsing: documents[index % Self.documentCount]) }
        AttestationBench.figure("parse_microseconds", (CPUTime.now - start) / 1000)
    }

    private static func document(_ authority: NitroPKI, enclave: Int, number: Int) -> [UInt8] {
        let module = "\(authority.instanceID)-enc\(enclave)"
        let registers = Registers.make(image: "bench", instanceID: authority.instanceID)
        return DocumentDraft(
            moduleID: module, timestamp: now * 1000,
            registers: registers.enumerated().map { (index: UInt64($0.offset), value: $0.element) },
            chain: authority.chain(moduleID: module, at: now), userData: [UInt8](repeating: 7, count: 64),
            nonce: [UInt8(number)]
        ).encoded()
    }
}

/// Processor time of this thread in microseconds.
private enum CPUTime {
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }
}
