import AsyncHTTPClient
import AttestedSession
import EnclaveProtocol
import Foundation
import LocalStack
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// The calls that the enclave is measured under; any that fails ends the measurement.
final class Load: Sendable {
    /// How many calls were made, and how fast.
    struct Pace {
        let count: Int
        let perSecond: Double
    }

    private static let inFlight = 32
    private let browser: HTTPClient
    private let redirectURI: String
    private let connected = Mutex<[ConnectorReference]>([])

    init(_ stage: Stage) async throws {
        redirectURI = try await stage.redirectURI
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.tlsConfiguration = .makeClientConfiguration()
        configuration.tlsConfiguration?.trustRoots = .file(
            stage.stack.settings.state.appending(path: "simulators/ca.pem").path)
        browser = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func end() async throws { try await browser.shutdown() }

    // MARK: - The three kinds of calls

    /// Connects up to `count` new users, each with an account of their own; afterwards each has a cached access token.
    func connect(_ count: Int, over session: Session, within limit: Duration) async throws -> Pace {
        let end = ContinuousClock.now.advanced(by: limit)
        return try await repeated(count, until: end) { [self] number in
            let reference = ConnectorReference(user: UserID(UUID()), connector: ConnectorID(UUID()))
            let (stateID, state) = (OAuthStateID(UUID()), UUID().uuidString.lowercased())
            let begun = try await session.answer(
                .googleConnectBegin,
                GoogleConnectBegin(user: reference.user, stateID: stateID, redirectURI: redirectURI, state: state),
                GoogleConnectBeginAnswer.self)
            let code = try await consent(begun.authorizationURL, account: "user\(number)@example.com")
            _ = try await session.answer(
                .googleConnectComplete,
                GoogleConnectComplete(
                    user: reference.user, connector: reference.connector, stateID: stateID, state: state,
                    sealedVerifier: begun.sealedVerifier, code: code),
                GoogleConnectCompleteAnswer.self)
            connected.withLock { $0.append(reference) }
        }
    }

    /// Reads the calendar once for each connector.
    func readEach(over session: Session) async throws -> Pace {
        let references = connected.withLock { $0 }
        return try await repeated(references.count) { number in
            let resource = GoogleResource.calendarEvents(
                timeMin: "2026-11-25T08:00:00Z", timeMax: "2026-11-25T09:00:00Z", maxResults: 10, pageToken: nil)
            _ = try await session.answer(
                .googleGet, GoogleGet(reference: references[number], resource: resource), GoogleGetAnswer.self)
        }
    }

    /// Seals 1 KiB and opens it again for one user after the other, until at least `count` calls are made.
    func sealAndOpen(_ count: Int, over session: Session) async throws -> Pace {
        let references = connected.withLock { $0 }
        let pairs = try await repeated((count + 1) / 2) { number in
            let user = references[number % references.count].user
            let content = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1024)
            let sealed = try await session.result(.dataSeal, user, content)
            guard try await session.result(.dataOpen, user, sealed) == content else {
                throw StackError("opened something else than was sealed")
            }
        }
        return Pace(count: pairs.count * 2, perSecond: pairs.perSecond * 2)
    }

    // MARK: - Parts

    /// Opens the consent page as `account`, who consents at once; returns the code of the redirect.
    private func consent(_ page: String, account: String) async throws -> String {
        let request = HTTPClientRequest(url: "\(page)&simulator_account=\(account)")
        let response = try await browser.execute(request, timeout: .seconds(20))
        _ = try await response.body.collect(upTo: 1 << 20)
        let location = response.headers.first(name: "location") ?? ""
        guard let code = URLComponents(string: location)?.queryItems?.first(where: { $0.name == "code" })?.value else {
            throw StackError("Google's consent page answered \(response.status.code) without a code")
        }
        return code
    }

    /// Runs `body` with 0, 1, 2… a number of times at once; starts no more than `count`, and none after `end`.
    private func repeated(
        _ count: Int, until end: ContinuousClock.Instant? = nil, _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws -> Pace {
        let begin = ContinuousClock.now
        var made = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            while made < count, end.map({ ContinuousClock.now < $0 }) ?? true {
                if made >= Self.inFlight { try await group.next() }
                group.addTask { [made] in try await body(made) }
                made += 1
            }
            try await group.waitForAll()
        }
        return Pace(count: made, perSecond: Double(made) / ((ContinuousClock.now - begin) / .seconds(1)))
    }
}

extension Session {
    /// The result of one item.
    fileprivate func result(
        _ method: EnclaveProtocol.Method, _ user: UserID, _ content: [UInt8]
    ) async throws -> [UInt8] {
        let item = DataItem(purpose: .jobPayload, user: user, recordID: "bench", content: content)
        guard let result = try await answer(method, DataItems([item]), DataResults.self).results.first else {
            throw StackError("no result")
        }
        return try result.get()
    }

    /// The answer of a call that must succeed.
    fileprivate func answer<Answer: WireMessage>(
        _ method: EnclaveProtocol.Method, _ request: some WireMessage, _ type: Answer.Type
    ) async throws -> Answer {
        let call = OutgoingCall(
            method: method, body: request.encoded(), deadline: MonotonicInstant.now.advanced(bySeconds: 30),
            requestID: "bench")
        let bytes = try await withCheckedThrowingContinuation { continuation in
            _ = start(call) { continuation.resume(with: $0) }
        }
        return try Answer(decoding: bytes)
    }
}
