import AttestationVerifier
import SimulatedNitro
import Sodium
import Testing

@Suite struct NitroChainTests {
    @Test func acceptsChainsAsAWSMakesThem() throws {
        #expect(try NitroStage.fault(NitroStage.document()) == nil)
        #expect(try NitroStage.fault(NitroStage.document(NitroPKI(shape: .beforeMid2024))) == nil)
        var long = NitroPKI()
        long.extraIssuers = 4
        #expect(try NitroStage.fault(NitroStage.document(long)) == nil)
    }

    @Test func trustsNoOtherRoot() throws {
        let document = NitroStage.document(NitroPKI(seed: "somebody else"))
        #expect(try NitroStage.fault(document) == .rootNotPinned)
        #expect(try NitroStage.fault(NitroStage.document(), root: .aws) == .rootNotPinned)
        #expect(try NitroStage.fault(NitroStage.document(), root: NitroRoot.none) == .rootNotPinned)
        let leafFirst = NitroStage.document { $0.cabundle.reverse() }
        #expect(try NitroStage.fault(leafFirst) == .rootNotPinned)
    }

    @Test func refusesAnotherSignerThanTheCertifiedKey() throws {
        let other = NitroStage.document { $0.signer = CurveKey(seed: "other") }
        #expect(try NitroStage.fault(other) == .documentSignature)
        let changed = NitroStage.document { draft in
            draft.alterEnvelope = { item in
                guard case .array(var parts, _) = item, case .bytes(var payload) = parts[2] else { return item }
                payload[payload.count - 60] ^= 1
                parts[2] = .bytes(payload)
                return .array(parts)
            }
        }
        #expect(try NitroStage.fault(changed) != nil)
    }

    @Test func refusesAChainThatWasSplicedOrShortened() throws {
        var other = NitroPKI()
        other.instanceID = "i-0fedcba9876543210"
        let foreign = other.chain(moduleID: "m", at: NitroStage.now)
        #expect(try NitroStage.fault(NitroStage.document { $0.cabundle[3] = foreign.cabundle[3] }) == .nameChaining)
        #expect(try NitroStage.fault(NitroStage.document { $0.certificate = foreign.leaf }) == .nameChaining)
        #expect(try NitroStage.fault(NitroStage.document { $0.cabundle.remove(at: 2) }) == .nameChaining)
        #expect(try NitroStage.fault(NitroStage.document { $0.certificate = $0.cabundle[3] }) == .leafIsIssuer)
        let asIssuer = NitroStage.document { draft in draft.cabundle.append(draft.certificate) }
        #expect(try NitroStage.fault(asIssuer) == .pathTooLong)
    }

    @Test(arguments: RefusedChain.all) func refuses(_ refused: RefusedChain) throws {
        let document = NitroStage.document(altering: { level, draft in
            if level == refused.level { refused.change(&draft) }
        })
        #expect(try NitroStage.fault(document) == refused.fault)
    }

    // MARK: Time

    @Test(
        arguments: [
            (NitroStage.now, nil), (NitroStage.now - 30, nil), (NitroStage.now - 31, .timestamp),
            (NitroStage.now + 3 * 3600 - 1, nil), (NitroStage.now + 3 * 3600, .expired),
        ] as [(UInt64, NitroFault?)])
    func judgesAtTheLaterOfClockAndDocument(_ time: UInt64, fault: NitroFault?) throws {
        #expect(try NitroStage.fault(NitroStage.document(), at: time) == fault)
    }

    @Test func keptDocumentsAreJudgedAtTheirOwnTime() throws {
        let document = try NitroDocument(parsing: NitroStage.document())
        let verifier = NitroChainVerifier(root: try NitroStage.root())
        #expect(try verifier.verifyAtItsOwnTime(document).document == document)
        #expect(throws: NitroRefusal.self) { try verifier.verify(document, at: NitroStage.now + 86_400) }
    }

    @Test func refusesATimeOutsideTheLeafsLife() throws {
        let old = NitroStage.document { $0.timestamp = (NitroStage.now - 3600) * 1000 }
        #expect(try NitroStage.fault(old) == .timestamp)
    }

    // MARK: Memory

    @Test func remembersLinksButJudgesTheirTimeEachTime() throws {
        let verifier = NitroChainVerifier(root: try NitroStage.root())
        let first = try NitroDocument(
            parsing: NitroStage.document(altering: { level, draft in
                if level == .zonal { draft.notAfter = NitroStage.now + 60 }
            }))
        #expect(try verifier.verify(first, at: NitroStage.now).chainValidUntil == NitroStage.now + 60)
        #expect(verifier.rememberedLinks == 4)
        let refusal = #expect(throws: NitroRefusal.self) { try verifier.verify(first, at: NitroStage.now + 61) }
        #expect(refusal?.fault == .expired)
        #expect(refusal?.place == "cabundle[2]")
    }

    @Test func countsOneSignatureForASecondDocumentOfTheSameEnclave() throws {
        let verifier = NitroChainVerifier(root: try NitroStage.root())
        _ = try verifier.verify(NitroDocument(parsing: NitroStage.document()), at: NitroStage.now)
        #expect(verifier.signatureChecks == 5)
        let second = NitroStage.document(nonce: [9]) { $0.timestamp += 1 }
        _ = try verifier.verify(NitroDocument(parsing: second), at: NitroStage.now)
        #expect(verifier.signatureChecks == 6)
        var sibling = NitroStage.pki.chain(moduleID: "another enclave", at: NitroStage.now)
        sibling.cabundle = NitroStage.pki.chain(moduleID: NitroStage.moduleID, at: NitroStage.now).cabundle
        let third = NitroStage.document { draft in
            draft.certificate = sibling.leaf
            draft.signer = sibling.leafKey
        }
        _ = try verifier.verify(NitroDocument(parsing: third), at: NitroStage.now)
        #expect(verifier.signatureChecks == 8)
    }

    @Test func remembersNothingOfARefusedChain() throws {
        let verifier = NitroChainVerifier(root: try NitroStage.root())
        let forged = NitroStage.document(altering: { level, draft in
            if level == .instance { draft.signer = CurveKey(seed: "other") }
        })
        for _ in 0..<2 {
            #expect(throws: NitroRefusal.self) {
                try verifier.verify(NitroDocument(parsing: forged), at: NitroStage.now)
            }
        }
        #expect(verifier.rememberedLinks == 0)
    }

    @Test func aRememberedLeafUnderOtherIssuersIsVerifiedAnew() throws {
        let verifier = NitroChainVerifier(root: try NitroStage.root())
        _ = try verifier.verify(NitroDocument(parsing: NitroStage.document()), at: NitroStage.now)
        let renewed = NitroStage.document(altering: { level, draft in
            if level == .instance { draft.serial = [5] }
        })
        _ = try verifier.verify(NitroDocument(parsing: renewed), at: NitroStage.now)
        #expect(verifier.signatureChecks == 5 + 3)
    }

    @Test func servesManyThreadsAtOnce() async throws {
        let verifier = NitroChainVerifier(root: try NitroStage.root())
        let documents = try (0..<8).map { index in
            try NitroDocument(parsing: NitroStage.document(nonce: [UInt8(index)]))
        }
        let accepted = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<64 {
                group.addTask { (try? verifier.verify(documents[index % 8], at: NitroStage.now)) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(accepted == 64)
        #expect(verifier.rememberedLinks == 4)
    }

    @Test func forgetsTheLongestUnusedBeyondItsBound() throws {
        let verifier = NitroChainVerifier(root: try NitroStage.root(), rememberedLinks: 8)
        for index in 0..<6 {
            let time = NitroStage.now + UInt64(index)
            let document = try NitroDocument(parsing: NitroStage.document(at: time))
            _ = try verifier.verify(document, at: time)
        }
        #expect(verifier.rememberedLinks <= 8)
    }

    // MARK: Roots

    @Test func aTestRootMustBeAnIssuer() throws {
        let leaf = NitroStage.pki.chain(moduleID: "m", at: NitroStage.now).leaf
        #expect(throws: NitroRefusal.self) { try NitroRoot(testCertificate: leaf) }
        #expect(throws: NitroRefusal.self) { try NitroRoot(testPEM: "-----BEGIN CERTIFICATE-----\n") }
        #expect(try !NitroStage.root().isAWS)
        #expect(NitroRoot.aws.isAWS)
        #expect(NitroRoot.aws.certificate.count == 533)
        #expect(Hex.encode(NitroRoot.aws.fingerprint) == NitroRoot.awsFingerprint)
        #expect(throws: Never.self) { try NitroRoot(testCertificate: NitroRoot.aws.certificate) }
    }
}
