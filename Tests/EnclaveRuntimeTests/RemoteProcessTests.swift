import AttestedSession
import EnclaveProtocol
import Foundation
import SimulatedNitro
import Testing

@testable import EnclaveRuntime

/// `enclave-runtime` as it was built, with a simulated secure module on a socket.
@Suite(.serialized) struct RemoteProcessTests {
    /// The port that the process says it listens on.
    private func port(_ errors: Pipe) throws -> UInt16 {
        var text = ""
        while true {
            let piece = errors.fileHandleForReading.availableData
            try #require(!piece.isEmpty, "ended: \(text)")
            text += String(decoding: piece, as: UTF8.self)
            if let match = text.firstMatch(of: /"enclave_ready","address":"tcp:\/\/127.0.0.1:([0-9]+)"/) {
                return try #require(UInt16(match.1))
            }
        }
    }

    @Test func servesInStateStartingUntilHostsBringCredentials() throws {
        let stand = try ModuleStand()
        let errors = Pipe()
        let process = try Executable.start(
            "enclave-runtime",
            remoteVariables([
                "NSM_DEVICE_PATH": stand.path, "KMS_ALLOWED_MEASUREMENTS": stand.measurement,
                "TEE_ATTESTATION_SIGNING_PRIVATE_KEY": "kms:AQID", "GOOGLE_OAUTH_CLIENT_SECRET": "kms:1:AQID",
            ]), errors: errors)
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: try port(errors))
        let deadline = MonotonicInstant.now.advanced(bySeconds: 20)
        let health = try PlainConnection(to: endpoint, deadline: deadline).health(deadline: deadline)
        #expect(health.status == .starting)
        #expect(health.mode == "remote")
        let answer = try PlainConnection(to: endpoint, deadline: deadline).document(deadline: deadline)
        let document = try IdentityDocument(decoding: answer.document)
        #expect(document.runtime == "nitro")
        #expect(document.measurement == stand.measurement)
        #expect(answer.nsmDocument != nil)
        // A module that fails costs the evidence, not the process.
        stand.module.misbehave(.error(.internalError))
        let now = UInt64(Date().timeIntervalSince1970)
        let challenge = Challenge(
            nonce: [UInt8](repeating: 1, count: 32), issuedAt: now, expiresAt: now + 60, purpose: "test",
            requestID: "r")
        let connection = try PlainConnection(to: endpoint, deadline: deadline)
        #expect(throws: SessionError.refused(.internalFailure)) {
            try connection.challenge(challenge, deadline: deadline)
        }
        stand.module.misbehave(nil)
        #expect(try connection.challenge(challenge, deadline: deadline).nsmDocument != nil)
    }

    @Test func theModulesTimeIsTheEnclavesTime() throws {
        let stand = try ModuleStand()
        stand.module.misbehave(.clock(offsetSeconds: 1000))
        let errors = Pipe()
        let process = try Executable.start(
            "enclave-runtime",
            remoteVariables(["NSM_DEVICE_PATH": stand.path, "KMS_ALLOWED_MEASUREMENTS": stand.measurement]),
            errors: errors)
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        let deadline = MonotonicInstant.now.advanced(bySeconds: 20)
        let connection = try PlainConnection(
            to: .tcp(host: "127.0.0.1", port: try port(errors)), deadline: deadline)
        let now = UInt64(Date().timeIntervalSince1970)
        let document = try IdentityDocument(decoding: try connection.document(deadline: deadline).document)
        #expect(document.issuedAt >= now + 990)
        // By that clock a challenge of ours was over long ago.
        let challenge = Challenge(
            nonce: [UInt8](repeating: 1, count: 32), issuedAt: now, expiresAt: now + 60, purpose: "test",
            requestID: "r")
        #expect(throws: SessionError.refused(.challengeRefused)) {
            try connection.challenge(challenge, deadline: deadline)
        }
    }

    @Test(arguments: [
        Misbehaviour.error(.internalError), .silence, .garbage, .truncated, .oversize, .hangUp, .otherNonce,
    ])
    func endsWithTwoWhenTheModuleIsNone(_ misbehaviour: Misbehaviour) throws {
        let stand = try ModuleStand()
        stand.module.misbehave(misbehaviour)
        let (status, text) = try Executable.run(
            "enclave-runtime",
            remoteVariables(["NSM_DEVICE_PATH": stand.path, "KMS_ALLOWED_MEASUREMENTS": stand.measurement]))
        #expect(status == 2)
        #expect(text.contains("enclave: NSM_DEVICE_PATH: "), "\(text)")
        #expect(!text.contains("enclave_ready"))
    }

    @Test func endsWithTwoWhereThereIsNoModule() throws {
        for path in ["/dev/null", "/etc/passwd", "/nowhere"] {
            let (status, text) = try Executable.run("enclave-runtime", remoteVariables(["NSM_DEVICE_PATH": path]))
            #expect(status == 2)
            #expect(text.contains("enclave: NSM_DEVICE_PATH: "), "\(text)")
        }
    }
}
