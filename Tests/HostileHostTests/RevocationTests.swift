import AttestedSession
import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Testing

extension HostileHost {
    /// Every use re-reads the record, and within one enclave's life nothing brings an older one back.
    @Suite struct RevocationTests {
        @Test(.timeLimit(.minutes(1))) func c4_aCachedTokenIsUsedOnlyAfterItsRecordWasReadAgain() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            for count in 1...3 {
                let reads = stage.records.reads(ada.reference)
                #expect(await api.outcome(.googleGet, ada.read) == .answered)
                #expect(stage.records.reads(ada.reference) == reads + 1, "reading \(count)")
            }
            let calls = try await stage.control.count(of: .calendarEvents)
            let record = try #require(stage.records.row(ada.reference))
            try await stage.withstands {
                for nonsense in [[], [0x80], [0x81, 0xF5], RecordGetAnswer(record: record).encoded() + [0]] {
                    stage.records.lie(ada.reference, .bytes(nonsense))
                    #expect(await api.outcome(.googleGet, ada.read) == .refused(.recordPortFailed))
                }
            }
            #expect(try await stage.control.count(of: .calendarEvents) == calls, "Google heard nothing of it")
        }

        @Test(.timeLimit(.minutes(1))) func c4_eachEditedColumnIsRefusedWithItsOwnError() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            // A second version, so that one below it exists.
            _ = try await stage.connect(over: api, ada)
            let record = try #require(stage.records.row(ada.reference))
            let calls = try await stage.control.calls()
            try await stage.withstands {
                func expect(_ code: EnclaveErrorCode, _ edited: SealedRecord, _ what: String) async {
                    stage.records.lie(ada.reference, .record(edited))
                    #expect(await api.outcome(.googleGet, ada.read) == .refused(code), "\(what)")
                    #expect(await api.outcome(.googleRevoke, ada.reference) == .refused(code), "\(what)")
                }
                await expect(.sealedDataRejected, record.with(recordVersion: record.recordVersion + 1), "version up")
                await expect(.sealedDataRejected, record.with(recordVersion: record.recordVersion - 1), "version down")
                await expect(.keyPolicyMismatch, record.with(keyID: "kms/local/other"), "other key")
                await expect(.keyPolicyMismatch, record.with(keyVersion: record.keyVersion + 1), "other key version")
                func flipped(_ index: Int) -> SealedRecord {
                    var sealed = record.sealed
                    sealed[index] ^= 1
                    return record.with(sealed: sealed)
                }
                await expect(.sealedDataRejected, flipped(0), "format version")
                await expect(.keyPolicyMismatch, flipped(1), "key id hash")
                await expect(.keyPolicyMismatch, flipped(20), "sealed key version")
                await expect(.sealedDataRejected, flipped(28), "sealed record version")
                await expect(.sealedDataRejected, flipped(29), "nonce")
                await expect(.sealedDataRejected, flipped(53), "commitment")
                await expect(.sealedDataRejected, flipped(85), "ciphertext")
                await expect(.sealedDataRejected, flipped(record.sealed.count - 1), "tag")
                await expect(.sealedDataRejected, record.with(sealed: []), "nothing")
            }
            #expect(try await stage.control.calls() == calls, "Google heard nothing of it")
            stage.records.lie(ada.reference, nil)
            #expect(await api.outcome(.googleGet, ada.read) == .answered)
        }

        @Test(.timeLimit(.minutes(1))) func c4_aTokenInTheCacheDoesNotOutliveItsRecordInAnotherEnclave() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            try await stage.withSecondEnclave { other async throws in
                let revoked = try await stage.connect(over: api)
                let reconnected = try await stage.connect(over: api)
                let elsewhere = try await stage.session(.api, at: other)
                #expect(await elsewhere.outcome(.googleRevoke, revoked.reference) == .answered)
                _ = try await stage.connect(over: elsewhere, reconnected)
                let calls = try await stage.control.calls()
                #expect(await api.outcome(.googleGet, revoked.read) == .refused(.recordRevoked))
                #expect(try await stage.control.calls() == calls, "the token of the revoked record was not used")
                // The new record's token is asked for; the cached one belongs to the record before.
                let refreshes = try await stage.control.count(of: .refresh)
                #expect(await api.outcome(.googleGet, reconnected.read) == .answered)
                #expect(try await stage.control.count(of: .refresh) == refreshes + 1)
            }
        }

        @Test(.timeLimit(.minutes(1))) func c5_aLatePutOfARefreshUndoesNoRevocation() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            for lie in [nil, RecordPutAnswer.Outcome.stored] {
                let ada = try await stage.connect(over: api)
                try await stage.withstands {
                    let (outcome, held) = try await stage.whileRefreshIsHeld(ada, api) {
                        #expect(await api.outcome(.googleRevoke, ada.reference) == .answered)
                        return lie
                    }
                    let tombstone = try #require(stage.records.row(ada.reference))
                    #expect(tombstone.recordVersion == held.record.recordVersion && tombstone != held.record)
                    #expect(outcome == .refused(.recordRevoked), "what Google answered meanwhile is not used")
                    #expect(await api.outcome(.googleGet, ada.read) == .refused(.recordRevoked))
                    // The host tries the refresh's record in place of the tombstone.
                    stage.records.setRow(ada.reference, held.record)
                    #expect(await api.outcome(.googleGet, ada.read) == .refused(.recordRolledBack))
                    #expect(await api.outcome(.googleRefresh, ada.reference) == .refused(.recordRolledBack))
                }
                #expect(try await stage.control.isRevoked(account: ada.account))
            }
        }

        @Test(.timeLimit(.minutes(1))) func c5_aLatePutOfARefreshUndoesNoReconnection() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            try await stage.withstands {
                let (outcome, held) = try await stage.whileRefreshIsHeld(ada, api) {
                    _ = try await stage.connect(over: api, ada)
                    return nil
                }
                #expect(outcome == .answered, "it goes on with the new grant")
                let row = try #require(stage.records.row(ada.reference))
                #expect(row.sealed != held.record.sealed)
                #expect(await api.outcome(.googleGet, ada.read) == .answered)
                stage.records.lie(ada.reference, .record(held.record))
                #expect(await api.outcome(.googleGet, ada.read) == .refused(.recordRolledBack))
            }
        }

        @Test(.timeLimit(.minutes(1))) func c5_nothingBringsARevokedConnectorBack() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            let old = try #require(stage.records.row(ada.reference))
            #expect(await api.outcome(.googleRevoke, ada.reference) == .answered)
            let tombstone = try #require(stage.records.row(ada.reference))
            let calls = try await stage.control.calls()
            try await stage.withstands {
                for (lie, code) in [
                    (old, EnclaveErrorCode.recordRolledBack), (nil, .recordRolledBack), (tombstone, .recordRevoked),
                    (old.with(recordVersion: tombstone.recordVersion), .sealedDataRejected),
                ] {
                    stage.records.setRow(ada.reference, lie)
                    #expect(await api.outcome(.googleGet, ada.read) == .refused(code))
                    #expect(await api.outcome(.googleRefresh, ada.reference) == .refused(code))
                    #expect(await api.outcome(.googleRevoke, ada.reference) == .refused(code))
                }
            }
            #expect(try await stage.control.calls() == calls, "Google heard nothing of it")
        }

        @Test(.timeLimit(.minutes(1))) func c6_anOlderAnotherOrNoRecordIsARollBack() async throws {
            let stage = try Stage.required()
            let api = try await stage.session(.api)
            let ada = try await stage.connect(over: api)
            let first = try #require(stage.records.row(ada.reference))
            // Two authentic records of version 2: one stored by a reconnection, one of a refresh that came too late.
            let (_, held) = try await stage.whileRefreshIsHeld(ada, api) {
                _ = try await stage.connect(over: api, ada)
                return .refused
            }
            let second = try #require(stage.records.row(ada.reference))
            #expect(second.recordVersion == 2 && held.record.recordVersion == 2 && second.sealed != held.record.sealed)
            let calls = try await stage.control.calls()
            try await stage.withstands {
                for lie in [first, held.record, nil] {
                    stage.records.lie(ada.reference, .record(lie))
                    #expect(await api.outcome(.googleGet, ada.read) == .refused(.recordRolledBack))
                    #expect(await api.outcome(.googleRefresh, ada.reference) == .refused(.recordRolledBack))
                    #expect(await api.outcome(.googleRevoke, ada.reference) == .refused(.recordRolledBack))
                }
            }
            #expect(try await stage.control.calls() == calls, "Google heard nothing of it")
            stage.records.lie(ada.reference, nil)
            #expect(await api.outcome(.googleGet, ada.read) == .answered)
        }
    }
}

extension Stage {
    /// Lets a refresh rotate the token at Google, keeps its put waiting while `body` does something else to the
    /// connector, then lets the put through or answers it with the lie that `body` returns.
    ///
    /// - Returns: how the reading ended that needed the refresh, and the late put.
    func whileRefreshIsHeld(
        _ person: Person, _ session: Session, _ body: () async throws -> RecordPutAnswer.Outcome?
    ) async throws -> (Outcome, RecordPut) {
        try await control.setRotation(.grace)
        try await control.expireAccessTokens(account: person.account)
        records.holdNextPut(person.reference)
        async let outcome = session.outcome(.googleGet, person.read)
        let put = try await heldPut(person)
        let lie = try await body()
        records.releasePut(person.reference, saying: lie)
        let result = await outcome
        try await control.setRotation(.none)
        return (result, put)
    }

    /// Lends a second enclave with the same keys.
    func withSecondEnclave(_ body: (Endpoint) async throws -> Void) async throws {
        let port = Ports.free()
        try await stack.launch(
            .enclave, name: "enclave-2", extra: ["ENCLAVE_RUNTIME_BIND_ADDR": "127.0.0.1:\(port)"])
        let process = try await stack.process("enclave-2")
        _ = try await eventually("the second enclave") { Ports.isListening(port) ? true : nil }
        do {
            try await body(.tcp(host: "127.0.0.1", port: UInt16(port)))
            await process.kill9()
        } catch {
            await process.kill9()
            throw error
        }
    }
}
