import AttestedSession
import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Sodium
import Testing

extension HostileHost {
    /// Sealed values and connectors open for their owner and purpose only, whichever rows the host presents.
    @Suite struct SealedDataTests {
        @Test(.timeLimit(.minutes(1))) func c2_swappedRowsOfTwoUsersDoNotOpen() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            let bob = try await stage.connect(over: api)
            let calls = try await stage.control.calls()
            try await stage.withstands {
                stage.records.lie(ada.reference, .row(of: bob.reference))
                stage.records.lie(bob.reference, .row(of: ada.reference))
                for person in [ada, bob] {
                    #expect(await api.outcome(.googleGet, person.read) == .refused(.sealedDataRejected))
                    #expect(await api.outcome(.googleRefresh, person.reference) == .refused(.sealedDataRejected))
                    #expect(await api.outcome(.googleRevoke, person.reference) == .refused(.sealedDataRejected))
                }
            }
            #expect(try await stage.control.calls() == calls, "Google heard nothing of it")
            for person in [ada, bob] {
                stage.records.lie(person.reference, nil)
                #expect(await api.outcome(.googleGet, person.read) == .answered)
            }
        }

        @Test(.timeLimit(.minutes(1))) func c2_hostDataOpensForItsUserRecordPurposeAndVersionOnly() async throws {
            let stage = try Stage.required()
            let worker = try await stage.session(.worker)
            let plain = DataItem(
                purpose: .jobPayload, user: UserID(UUID()), recordID: UUID().lowercased, recordVersion: 3,
                content: Array("nobody else reads this".utf8))
            let sealed = plain.with(content: try await worker.seal(plain))
            #expect(try await worker.open(sealed) == .success(plain.content))
            try await stage.withstands {
                for moved in [
                    sealed.with(user: UserID(UUID())), sealed.with(recordID: UUID().lowercased),
                    sealed.with(recordID: sealed.recordID.uppercased()), sealed.with(purpose: .pushPayload),
                    sealed.with(purpose: .llmCache), sealed.with(recordVersion: 2), sealed.with(recordVersion: 4),
                ] {
                    #expect(try await worker.open(moved) == .failure(.sealedDataRejected))
                }
                for index in sealed.content.indices {
                    var changed = sealed.content
                    changed[index] ^= 1
                    let result = try await worker.open(sealed.with(content: changed))
                    let expected: EnclaveErrorCode = (1..<21).contains(index) ? .keyPolicyMismatch : .sealedDataRejected
                    #expect(result == .failure(expected), "byte \(index)")
                }
                for length in [0, 1, 84, 85, 100, sealed.content.count - 1] {
                    let cut = sealed.with(content: Array(sealed.content.prefix(length)))
                    #expect(try await worker.open(cut) == .failure(.sealedDataRejected), "\(length) bytes")
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func c2_whatOnlyTheEnclaveSealsIsOpenedForNoHost() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let worker = try await stage.session(.worker)
            let ada = try await stage.connect(over: api)
            let consent = try await stage.consent(over: api, ada)
            let record = try #require(stage.records.row(ada.reference))
            let token = DataItem(
                purpose: .connectorRefreshToken, user: ada.reference.user,
                recordID: ada.reference.connector.uuid.lowercased, recordVersion: record.recordVersion,
                content: record.sealed)
            let verifier = DataItem(
                purpose: .oauthPKCEVerifier, user: ada.reference.user, recordID: consent.stateID.uuid.lowercased,
                content: consent.sealedVerifier)
            try await stage.withstands {
                for item in [token, verifier] {
                    for session in [api, worker] {
                        #expect(try await session.open(item) == .failure(.roleNotAllowed))
                        for purpose in DataPurpose.allCases where !purpose.openers.isEmpty {
                            let renamed = try await session.open(item.with(purpose: purpose))
                            #expect([.failure(.roleNotAllowed), .failure(.sealedDataRejected)].contains(renamed))
                        }
                        let made = try await session.answer(
                            .dataSeal, DataItems([item.with(content: [1])]), DataResults.self)
                        #expect(made.results == [.failure(.roleNotAllowed)])
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(1))) func c2_aVerifierServesItsUserAndStateOnly() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = Person()
            let bob = Person()
            let hers = try await stage.consent(over: api, ada)
            let his = try await stage.consent(over: api, bob)
            let exchanges = try await stage.control.count(of: .exchange)
            try await stage.withstands {
                func complete(
                    user: Person, stateID: OAuthStateID? = nil, state: String? = nil, verifier: [UInt8]? = nil
                ) async -> Outcome {
                    await api.outcome(
                        .googleConnectComplete,
                        GoogleConnectComplete(
                            user: user.reference.user, connector: user.reference.connector,
                            stateID: stateID ?? hers.stateID, state: state ?? hers.state,
                            sealedVerifier: verifier ?? hers.sealedVerifier, code: hers.code))
                }
                // Bob's account would be Ada's Google account if any of these went through.
                #expect(await complete(user: bob) == .refused(.sealedDataRejected))
                #expect(
                    await complete(user: bob, stateID: his.stateID, state: his.state) == .refused(.sealedDataRejected))
                #expect(await complete(user: ada, stateID: his.stateID) == .refused(.sealedDataRejected))
                #expect(await complete(user: ada, state: his.state) == .refused(.sealedDataRejected))
                #expect(await complete(user: ada, verifier: his.sealedVerifier) == .refused(.sealedDataRejected))
            }
            #expect(try await stage.control.count(of: .exchange) == exchanges, "no code was spent")
            #expect(await api.outcome(.googleConnectComplete, hers) == .answered)
        }

        @Test(.timeLimit(.minutes(1))) func c3_aCachedTokenServesItsOwnerOnly() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            let bob = try await stage.connect(over: api)
            try await stage.withstands { try await Self.takeConnector(of: ada, as: bob, stage, api) }
            #expect(await api.outcome(.googleGet, ada.read) == .answered)
        }

        @Test(.timeLimit(.minutes(1))) func c3_aRefreshUnderWayServesItsOwnerOnly() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            let bob = try await stage.connect(over: api)
            try await stage.control.expireAccessTokens(account: ada.account)
            try await stage.control.setFault(Fault(.refresh, latencyMilliseconds: 700, times: 1))
            let refreshes = try await stage.control.count(of: .refresh)
            async let hers = api.outcome(.googleGet, ada.read)
            _ = try await eventually("her refresh reached Google") {
                try await stage.control.count(of: .refresh) > refreshes ? true : nil
            }
            try await stage.withstands { try await Self.takeConnector(of: ada, as: bob, stage, api) }
            #expect(await hers == .answered)
            #expect(try await stage.control.count(of: .refresh) == refreshes + 1)
        }

        /// Every method that uses a connector, with the thief's user id and the owner's connector.
        private static func takeConnector(
            of owner: Person, as thief: Person, _ stage: Stage, _ session: Session
        ) async throws {
            let reference = thief.reference(connectorOf: owner)
            let before = try await stage.control.calls().filter { $0.call != .refresh }
            for row in [owner.reference, thief.reference] {
                stage.records.lie(reference, .row(of: row))
                #expect(
                    await session.outcome(.googleGet, thief.read(connectorOf: owner)) == .refused(.sealedDataRejected))
                #expect(await session.outcome(.googleRefresh, reference) == .refused(.sealedDataRejected))
                #expect(await session.outcome(.googleRevoke, reference) == .refused(.sealedDataRejected))
            }
            stage.records.lie(reference, nil)
            #expect(await session.outcome(.googleGet, thief.read(connectorOf: owner)) == .refused(.recordMissing))
            #expect(try await stage.control.calls().filter { $0.call != .refresh } == before)
        }
    }
}
