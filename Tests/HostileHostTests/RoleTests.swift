import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Sodium
import Testing

@testable import AttestedSession

extension HostileHost {
    /// Only listed host keys get a session, and each role its own methods and purposes.
    @Suite struct RoleTests {
        @Test(.timeLimit(.minutes(1))) func c7_aKeyThatIsNotListedGetsNoSession() async throws {
            let stage = try Stage.required()
            try await stage.withstands {
                for _ in 0..<3 {
                    await #expect(throws: SessionError.refused(.roleNotAllowed)) {
                        try await stage.whenNotOverloaded {
                            let raw = try RawHost(stage.endpoint)
                            try raw.shakeHands(X25519.PrivateKey())
                        }
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func c7_eachRoleCallsItsOwnMethodsOnly() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            let calls = try await stage.control.calls()
            try await stage.withstands {
                for role in Role.allCases {
                    let session = try await stage.session(role)
                    for method in Method.allCases where !method.roles.contains(role) {
                        let outcome = Outcome(await session.send(method, Self.request(method, ada).encoded()))
                        #expect(
                            outcome == .refused(method.isCallback ? .unknownMethod : .roleNotAllowed),
                            "\(role) calls \(method.name)")
                    }
                    session.close()
                }
            }
            #expect(try await stage.control.calls() == calls)
            #expect(await api.outcome(.googleGet, ada.read) == .answered)
        }

        @Test(.timeLimit(.minutes(1))) func c7_eachRoleSealsAndOpensItsOwnPurposesOnly() async throws {
            let stage = try Stage.required()
            let sessions = [Role.api: try await stage.session(.api), .worker: try await stage.session(.worker)]
            try await stage.withstands {
                for purpose in DataPurpose.allCases {
                    let item = DataItem(
                        purpose: purpose, user: UserID(UUID()), recordID: "row", content: Array("secret".utf8))
                    var sealed: [UInt8]?
                    for (role, session) in sessions {
                        let results = try await session.answer(.dataSeal, DataItems([item]), DataResults.self).results
                        if purpose.sealers.contains(role) {
                            sealed = try results.first?.get()
                        } else {
                            #expect(results == [.failure(.roleNotAllowed)], "\(role) seals \(purpose.rawValue)")
                        }
                    }
                    for (role, session) in sessions {
                        let result = try await session.open(item.with(content: sealed ?? Random.bytes(200)))
                        if purpose.openers.contains(role) {
                            #expect(result == .success(item.content), "\(role) opens \(purpose.rawValue)")
                        } else {
                            #expect(result == .failure(.roleNotAllowed), "\(role) opens \(purpose.rawValue)")
                        }
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func c7_unknownMethodsAreRefused() async throws {
            let stage = try Stage.required()
            try await stage.withstands {
                let raw = try await stage.rawHost(.worker)
                var id: UInt32 = 1
                for number in [0, 1, 15, 21, 31, 40, 63, 68, 0xFFFF] as [UInt16] {
                    let envelope = CallEnvelope(
                        method: number, deadlineMilliseconds: 1000, requestID: "raw", traceparent: nil, body: [0x80])
                    raw.send(try raw.seal(id, .request, envelope.encoded()))
                    let record = try #require(try raw.record(), "method \(number)")
                    #expect(record.header == RecordHeader(callID: id, kind: .error, hasMore: false))
                    #expect(try EnclaveFailure(decoding: record.body).code == .unknownMethod, "method \(number)")
                    id += 2
                }
            }
        }

        /// A request that the method's own role could make.
        static func request(_ method: Method, _ person: Person) -> any WireMessage {
            switch method {
            case .googleConnectBegin:
                GoogleConnectBegin(
                    user: person.reference.user, stateID: OAuthStateID(UUID()), redirectURI: "x", state: "x")
            case .googleConnectComplete:
                GoogleConnectComplete(
                    user: person.reference.user, connector: person.reference.connector, stateID: OAuthStateID(UUID()),
                    state: "x", sealedVerifier: Random.bytes(200), code: "x")
            case .googleGet: person.read
            case .googleRefresh, .googleRevoke, .connectorRewrap, .recordGet: person.reference
            case .dataSeal, .dataOpen, .dataRewrap:
                DataItems([
                    DataItem(purpose: .jobPayload, user: person.reference.user, recordID: "row", content: [1])
                ])
            case .vaultForget: VaultForget(user: person.reference.user)
            case .metrics, .keysStatus: EmptyMessage()
            case .kmsCredentials:
                KMSCredentials(accessKeyID: "AKIAEXAMPLE", secretAccessKey: Array("x".utf8))
            case .recordPut:
                RecordPut(
                    reference: person.reference, provider: "google", expectedVersion: 0,
                    record: SealedRecord(sealed: [1], recordVersion: 1, keyID: "x", keyVersion: 1))
            case .wrappedKeyGet: WrappedKeyReference(keyID: "x", keyVersion: 1)
            case .wrappedKeyPut:
                WrappedKeyPut(
                    reference: WrappedKeyReference(keyID: "x", keyVersion: 1),
                    key: WrappedKey(provider: "local", wrapped: [1], lineageMAC: nil))
            }
        }
    }
}
