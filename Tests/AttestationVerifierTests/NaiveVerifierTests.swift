import AttestationVerifier
import Foundation
import SimulatedNitro
import Testing

/// What `openssl verify` with its defaults lets pass, and this verifier refuses: why its checks are its own.
@Suite struct NaiveVerifierTests {
    /// Whether openssl accepts the chain under `root`, which is the first of the bundle unless stated.
    private func opensslAccepts(_ pki: NitroPKI, root: [UInt8]? = nil) throws -> Bool {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let chain = pki.chain(moduleID: NitroStage.moduleID, at: NitroStage.now)
        func write(_ certificates: [[UInt8]], _ name: String) throws -> String {
            let file = folder.appending(path: name)
            let text = certificates.map {
                "-----BEGIN CERTIFICATE-----\n"
                    + Data($0).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
                    + "\n-----END CERTIFICATE-----\n"
            }
            try Data(text.joined().utf8).write(to: file)
            return file.path
        }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "openssl", "verify", "-attime", "\(NitroStage.now)",
            "-CAfile", try write([root ?? chain.cabundle[0]], "root.pem"),
            "-untrusted", try write(Array(chain.cabundle.dropFirst()), "issuers.pem"),
            try write([chain.leaf], "leaf.pem"),
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test func aRootOutOfTheDocumentItselfVouchesForAnybody() throws {
        let stranger = NitroPKI(seed: "somebody else")
        #expect(try opensslAccepts(stranger), "the chain is good, if the document says what its root is")
        #expect(try !opensslAccepts(stranger, root: NitroStage.pki.root))
        #expect(try NitroStage.fault(NitroStage.document(stranger)) == .rootNotPinned)
    }

    @Test func aToolThatKnowsNoNitroAcceptsChainsThatAreRefusedHere() throws {
        var accepted: Set<String> = []
        for refused in RefusedChain.all {
            var pki = NitroStage.pki
            pki.alter = { level, draft in if level == refused.level { refused.change(&draft) } }
            guard try opensslAccepts(pki, root: NitroStage.pki.root) else { continue }
            accepted.insert(refused.testDescription)
            #expect(try NitroStage.fault(NitroStage.document(pki)) == refused.fault)
        }
        let known: Set = [
            "constraints that are not critical", "a leaf with keyCertSign", "a leaf without digitalSignature",
            "ecdsa-with-SHA256", "a P-256 key",
        ]
        #expect(known.isSubset(of: accepted), "accepted: \(accepted.sorted())")
        #expect(!accepted.contains("another signature") && !accepted.contains("an expired leaf"))
    }
}
