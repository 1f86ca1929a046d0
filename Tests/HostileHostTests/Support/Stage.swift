import AttestationVerifier
import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Sodium
import Testing

@testable import AttestedSession

/// A real enclave and its Google, and everything that a hostile host has against it.
final class Stage: Sendable {
    /// The stage of the suite that runs.
    @TaskLocal static var current: Stage?

    let stack: LocalStack
    let environment: StackEnvironment
    let control: SimulatorControl
    let enclave: ManagedProcess
    let endpoint: Endpoint
    let policy: AttestationPolicy
    /// What the host calls its database.
    let records = RecordStore()
    private let keys: HostKeys

    /// Starts simulators and enclave; nothing else of the product runs.
    init(_ name: String, _ overrides: [String: String]) async throws {
        var settings = StackSettings.forTest(name)
        settings.withoutServers = true
        settings.overrides = overrides.merging([
            "ENCLAVE_USER_GOOGLE_PER_MINUTE": "100000", "ENCLAVE_USER_OPENS_PER_MINUTE": "1000000",
        ]) { own, _ in own }
        stack = LocalStack(settings)
        do {
            try await stack.prepare()
            try await stack.start(.simulators)
            try await stack.start(.enclave)
            environment = try #require(await stack.environment)
            control = try await stack.control
            enclave = try await stack.process(.enclave)
            endpoint = .tcp(host: "127.0.0.1", port: UInt16(environment.ports.enclave))
            keys = try HostKeys(settings.state.appending(path: "keys"))
            policy = AttestationPolicy(
                expectedRuntime: "nitro", environment: "local", allowedMeasurements: [.init("dev-local-enclave")],
                publicKeys: [try #require(Base64.decode(environment.variables["TEE_ATTESTATION_PUBLIC_KEY"] ?? ""))],
                maximumAgeSeconds: UInt64(overrides["TEE_ATTESTATION_MAX_AGE_SECONDS"] ?? "") ?? 300)
        } catch {
            await stack.remove()
            throw error
        }
    }

    /// The stage of this test.
    static func required() throws -> Stage { try #require(current, "the suite has no stage") }

    func end() async { await stack.remove() }

    // MARK: - Sessions

    /// A session with this role's key and verified evidence; callbacks are answered from `records`.
    func session(_ role: Role, with handler: (any CallHandler)? = nil, at address: Endpoint? = nil) async throws
        -> Session
    {
        try await whenNotOverloaded {
            let connection = try PlainConnection(to: address ?? self.endpoint, deadline: soon())
            let verifier = Verifier(policy: self.policy)
            let challenge = verifier.challenge(purpose: "session", requestID: "hostile", now: unixNow())
            let answer = try connection.challenge(challenge, deadline: soon())
            let verified = try verifier.verify(answer: answer, to: challenge, now: unixNow())
            return try self.keys.with(role) { key in
                try connection.openSession(
                    hostKey: key, enclaveKey: verified.sessionKey, handler: handler ?? self.records, maximumAge: 3600,
                    deadline: soon())
            }
        }
    }

    /// A host that holds this role's key and speaks byte by byte; its handshake is done.
    func rawHost(_ role: Role) async throws -> RawHost {
        try await whenNotOverloaded {
            let raw = try RawHost(self.endpoint)
            try self.keys.with(role) { try raw.shakeHands($0) }
            return raw
        }
    }

    /// The challenge that a host makes now.
    func challenge(purpose: String = Challenge.sessionPurpose) -> Challenge {
        Challenge(
            nonce: Random.bytes(32), issuedAt: unixNow(), expiresAt: unixNow() + policy.maximumAgeSeconds,
            purpose: purpose, requestID: "hostile")
    }

    /// Evidence for `challenge`, as the enclave gives it to anybody.
    func evidence(for challenge: Challenge) async throws -> ChallengeAnswer {
        try await whenNotOverloaded {
            try PlainConnection(to: self.endpoint, deadline: soon()).challenge(challenge, deadline: soon())
        }
    }

    /// Repeats what met the limit of challenges per second.
    func whenNotOverloaded<Value>(_ body: () throws -> Value) async throws -> Value {
        let deadline = soon(30)
        while true {
            do {
                return try body()
            } catch SessionError.refused(.overloaded) where MonotonicInstant.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    // MARK: - The enclave afterwards

    /// Carries out an attack; afterwards the enclave lives, serves another host, and has not grown.
    func withstands(growth mebibytes: Int = 48, _ attack: () async throws -> Void) async throws {
        let before = try residentKibibytes()
        try await attack()
        #expect(enclave.isRunning)
        try await serveOther()
        let grown = try residentKibibytes() - before
        #expect(grown < mebibytes * 1024, "the enclave grew by \(grown) KiB")
    }

    /// Another host seals a value and opens it again.
    func serveOther() async throws {
        let other = try await session(.worker)
        defer { other.close() }
        let item = DataItem(
            purpose: .jobPayload, user: UserID(UUID()), recordID: UUID().lowercased, content: Random.bytes(100))
        let sealed = try #require(try await other.answer(.dataSeal, DataItems([item]), DataResults.self).results.first)
        let sealedItem = DataItem(
            purpose: item.purpose, user: item.user, recordID: item.recordID, content: try sealed.get())
        let opened = try await other.answer(.dataOpen, DataItems([sealedItem]), DataResults.self)
        #expect(opened.results == [.success(item.content)])
    }

    private func residentKibibytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(enclave.pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int(line.filter(\.isNumber)))
    }
}

/// The private keys of the three roles, as the host has them in its files.
private final class HostKeys: Sendable {
    private let api, worker, operation: X25519.PrivateKey

    init(_ folder: URL) throws {
        func key(_ name: String) throws -> X25519.PrivateKey {
            let text = try String(contentsOf: folder.appending(path: "\(name).key"), encoding: .utf8)
            guard let bytes = Base64.decode(text), let key = X25519.PrivateKey(SecretBytes(copying: bytes)) else {
                throw StackError("\(name).key holds no key")
            }
            return key
        }
        api = try key("api")
        worker = try key("worker")
        operation = try key("operator")
    }

    func with<R>(_ role: Role, _ body: (borrowing X25519.PrivateKey) throws -> R) rethrows -> R {
        switch role {
        case .api: try body(api)
        case .worker: try body(worker)
        case .operation: try body(operation)
        }
    }
}

/// Gives a suite one stage, and removes it whatever happens.
struct StageTrait: SuiteTrait, TestScoping {
    let name: String
    let overrides: [String: String]

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let stage = try await Stage(name, overrides)
        do {
            try await Stage.$current.withValue(stage) { try await function() }
            await stage.end()
        } catch {
            await stage.end()
            throw error
        }
    }
}

extension Trait where Self == StageTrait {
    static func stage(_ name: String, _ overrides: [String: String] = [:]) -> Self {
        StageTrait(name: name, overrides: overrides)
    }
}

func soon(_ seconds: Int = 10) -> MonotonicInstant { MonotonicInstant.now.advanced(bySeconds: seconds) }

func unixNow() -> UInt64 { UInt64(Date().timeIntervalSince1970) }
