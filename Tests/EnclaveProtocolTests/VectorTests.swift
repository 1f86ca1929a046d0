import EnclaveProtocol
import Foundation
import Testing

/// The vectors of WIRE.md were made with another CBOR library; each must be what we write, and read back to the value.
@Suite struct VectorTests {
    static let user = UserID(UUID(uuidString: "4c412d1e-22cb-58fe-a15b-c5854d883a01") ?? UUID())
    static let connector = ConnectorID(UUID(uuidString: "0b9f6a3e-1111-4222-8333-444455556666") ?? UUID())
    static let state = OAuthStateID(UUID(uuidString: "0b9f6a3e-aaaa-4bbb-8ccc-ddddeeeeffff") ?? UUID())
    static let reference = ConnectorReference(user: user, connector: connector)
    static let challenge = Challenge(
        nonce: Array(0..<32), issuedAt: 1_764_057_600, expiresAt: 1_764_057_900, purpose: "session", requestID: "req-1")
    static let sessionKey = [UInt8](repeating: 0xA5, count: 32)
    static let signingKey = [UInt8](repeating: 0x5A, count: 32)
    static let evidence = Evidence(
        runtime: "nitro", environment: "local", measurement: "dev-local-enclave", challenge: challenge,
        issuedAt: 1_764_057_601, random: Array(32..<64), sessionKey: sessionKey, signingKey: signingKey)
    static let document = IdentityDocument(
        runtime: "nitro", environment: "local", measurement: "dev-local-enclave", mode: "dev-shim",
        issuedAt: 1_764_057_601, sessionKey: sessionKey, signingKey: signingKey)
    static let record = SealedRecord(
        sealed: [1, 2, 3, 4], recordVersion: 7, keyID: "kms/local/alfred-refresh-token", keyVersion: 1)
    static let calendar = GoogleGet(
        reference: reference,
        resource: .calendarEvents(
            timeMin: "2026-11-25T08:00:00Z", timeMax: "2026-11-25T09:00:00Z", maxResults: 50, pageToken: nil))

    static let messages: [(String, any Comparison)] = [
        ("health-request", Pair(HelloRequest.health)), ("document-request", Pair(HelloRequest.document)),
        ("challenge-request", Pair(HelloRequest.challenge(challenge))),
        ("handshake-request", Pair(HelloRequest.handshake([UInt8](repeating: 9, count: 96)))),
        (
            "health-answer",
            Pair(
                HelloAnswer.health(
                    HealthAnswer(status: .ok, environment: "local", mode: "dev-shim", uptimeSeconds: 3)))
        ),
        ("evidence", Pair(evidence)), ("document", Pair(document)),
        (
            "challenge-answer",
            Pair(
                HelloAnswer.challenge(
                    ChallengeAnswer(
                        evidence: evidence.encoded(), signature: [UInt8](repeating: 7, count: 64), nsmDocument: nil)))
        ),
        (
            "document-answer",
            Pair(
                HelloAnswer.document(
                    DocumentAnswer(document: document.encoded(), signature: nil, nsmDocument: nil)))
        ),
        ("refused-answer", Pair(HelloAnswer.refused(.overloaded))),
        ("session-terms", Pair(SessionTerms(lifetimeSeconds: 300))),
        (
            "call-envelope",
            Pair(
                CallEnvelope(
                    method: Method.googleGet.rawValue, deadlineMilliseconds: 20_000, requestID: "req-1",
                    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", body: calendar.encoded()))
        ),
        (
            "connect-begin",
            Pair(
                GoogleConnectBegin(
                    user: user, stateID: state, redirectURI: "http://127.0.0.1:8080/oauth/google/callback",
                    state: "st_a_b"))
        ),
        (
            "connect-begin-answer",
            Pair(
                GoogleConnectBeginAnswer(
                    authorizationURL: "https://accounts.google.com/o/oauth2/v2/auth?client_id=x",
                    sealedVerifier: [1, 2, 3], keyVersion: 1))
        ),
        (
            "connect-complete",
            Pair(
                GoogleConnectComplete(
                    user: user, connector: connector, stateID: state, state: "st_a_b", sealedVerifier: [1, 2, 3],
                    code: "4/code"))
        ),
        (
            "connect-complete-answer",
            Pair(
                GoogleConnectCompleteAnswer(
                    scopes: ["https://www.googleapis.com/auth/calendar.readonly"], recordVersion: 1,
                    accountChanged: false))
        ),
        ("connector-reference", Pair(reference)),
        ("refresh-answer", Pair(GoogleRefreshAnswer(expiresInSeconds: 3599, recordVersion: 8))),
        ("get-calendar", Pair(calendar)),
        (
            "get-messages",
            Pair(
                GoogleGet(
                    reference: reference, resource: .gmailMessages(newerThanDays: 2, unread: true, maxResults: 20)))
        ),
        ("get-metadata", Pair(GoogleGet(reference: reference, resource: .gmailMetadata(id: "18c0ffee")))),
        ("get-answer", Pair(GoogleGetAnswer(status: 429, body: Array("{}".utf8), retryAfterSeconds: 30))),
        ("revoke-answer", Pair(GoogleRevokeAnswer(outcome: .revoked, recordVersion: 9))),
        (
            "data-items",
            Pair(
                DataItems([
                    DataItem(purpose: .deviceAPNsToken, user: user, recordID: "iphone-1", content: Array("abc".utf8)),
                    DataItem(
                        purpose: .assistantMemory, user: user, recordID: connector.uuid.lowercased, recordVersion: 3,
                        content: []),
                ]))
        ),
        (
            "data-results",
            Pair(DataResults([.success(Array("xyz".utf8)), .failure(.sealedDataRejected)], keyVersion: 2))
        ),
        ("vault-forget", Pair(VaultForget(user: user))),
        (
            "metrics",
            Pair(EnclaveMetrics([.init(name: "enclave_refresh_total", resource: "", result: "ok", count: 1000)]))
        ),
        (
            "kms-credentials",
            Pair(
                KMSCredentials(
                    accessKeyID: "ASIAEXAMPLE0000", secretAccessKey: Array("secret/key".utf8),
                    sessionToken: Array("token==".utf8), expiresAt: 1_764_061_200,
                    clientSecret: .init(version: 3, ciphertext: [UInt8](repeating: 12, count: 8))))
        ),
        (
            "kms-credentials-lasting",
            Pair(KMSCredentials(accessKeyID: "AKIAEXAMPLE0000", secretAccessKey: Array("secret/key".utf8)))
        ),
        ("kms-credentials-answer", Pair(KMSCredentialsAnswer(.accepted, clientSecretVersion: 3))),
        (
            "keys-status",
            Pair(
                KeysStatus(
                    keyID: "kms/local/alfred-refresh-token", activeVersion: 2, decryptVersions: [1],
                    loadedVersions: [1, 2]))
        ),
        ("connector-rewrap-answer", Pair(ConnectorRewrapAnswer(.rewrapped, recordVersion: 10))),
        ("record-get-answer", Pair(RecordGetAnswer(record: record))),
        ("record-get-answer-none", Pair(RecordGetAnswer(record: nil))),
        ("record-put", Pair(RecordPut(reference: reference, provider: "google", expectedVersion: 6, record: record))),
        ("record-put-answer", Pair(RecordPutAnswer(.conflict))),
        (
            "wrapped-key-reference",
            Pair(WrappedKeyReference(keyID: "kms/local/alfred-refresh-token", keyVersion: 1))
        ),
        (
            "wrapped-key-get-answer",
            Pair(
                WrappedKeyGetAnswer(
                    key: WrappedKey(provider: "local", wrapped: [UInt8](repeating: 8, count: 40), lineageMAC: nil)))
        ),
        (
            "wrapped-key-put",
            Pair(
                WrappedKeyPut(
                    reference: WrappedKeyReference(keyID: "kms/local/alfred-refresh-token", keyVersion: 2),
                    key: WrappedKey(
                        provider: "local", wrapped: [UInt8](repeating: 8, count: 40),
                        lineageMAC: [UInt8](repeating: 6, count: 64))))
        ),
        ("wrapped-key-put-answer", Pair(WrappedKeyPutAnswer(inserted: true))),
        ("failure", Pair(EnclaveFailure(.providerFailed, providerStatus: 503, retryAfterSeconds: 120))),
        ("failure-plain", Pair(EnclaveFailure(.sealedDataRejected))),
    ]

    @Test func writesAndReadsEveryVectorOfTheDocument() throws {
        #expect(Set(Self.messages.map(\.0)) == Set(WireDocument.vectors.keys))
        for (name, message) in Self.messages {
            let vector = try #require(WireDocument.vectors[name], "\(name)")
            #expect(message.encoded() == vector, "\(name)")
            #expect(message.isReadBack(from: vector), "\(name)")
            #expect(!message.isReadBack(from: vector + [0]), "\(name) with a trailing byte")
            #expect(!message.isReadBack(from: Array(vector.dropLast())), "\(name) without its last byte")
        }
    }

    @Test func methodTableOfTheDocumentIsTheCode() {
        let rows = WireDocument.rows(after: "| No. | Name | Roles |")
        let documented = Set(rows.map { "\($0[0]) \($0[1])" })
        #expect(documented == Set(Method.allCases.map { "\($0.rawValue) `\($0.name)`" }))
        for row in rows where row[2] != "by purpose" && row[2] != "callback" {
            let roles = Set(row[2].split(separator: ", ").compactMap { Role(rawValue: String($0)) })
            let method = Method.allCases.first { "`\($0.name)`" == row[1] }
            #expect(method?.roles == roles, "\(row[1])")
        }
    }

    @Test func errorTableOfTheDocumentIsTheCode() {
        let documented = Set(WireDocument.rows(after: "| No. | Name | Meaning |").map { "\($0[0]) \($0[1])" })
        #expect(documented == Set(EnclaveErrorCode.allCases.map { "\($0.rawValue) `\($0.name)`" }))
    }

    @Test func recordHeadersReadBackAndRefuseUnknownKindsAndFlags() {
        let header = RecordHeader(callID: 0x0102_0304, kind: .response, hasMore: true)
        #expect(header.bytes == [1, 2, 3, 4, 2, 1])
        #expect(RecordHeader(header.bytes) == header)
        #expect(RecordHeader([0, 0, 0, 1, 6, 0]) == nil)
        #expect(RecordHeader([0, 0, 0, 1, 1, 2]) == nil)
        #expect(RecordHeader([0, 0, 0, 1, 1]) == nil)
    }
}

/// A message to compare with its vector, whatever its type.
protocol Comparison: Sendable {
    func encoded() -> [UInt8]
    func isReadBack(from bytes: [UInt8]) -> Bool
}

struct Pair<Message: WireMessage & Equatable>: Comparison {
    let message: Message
    init(_ message: Message) { self.message = message }
    func encoded() -> [UInt8] { message.encoded() }
    func isReadBack(from bytes: [UInt8]) -> Bool { (try? Message(decoding: bytes)) == message }
}
