import Foundation
import Testing

@testable import KeyOperations

/// One bad policy per hole, and a good one.
@Suite struct PolicyLintTests {
    private static let administrator = "arn:aws:iam::111122223333:role/admin"
    private static let parent = "arn:aws:iam::111122223333:role/parent"
    private static let value = String(repeating: "ab", count: 48)
    private static let zeros = String(repeating: "0", count: 96)

    private func holes(_ statement: String) throws -> [PolicyHole.Kind] {
        let text = #"{"Version":"2012-10-17","Statement":[\#(statement)]}"#
        let lint = PolicyLint(administrators: [Self.administrator])
        return try #require(lint.holes(in: Array(text.utf8))).map(\.kind)
    }

    private func allow(
        _ actions: String, _ condition: String? = nil, principal: String = #"{"AWS":"\#(parent)"}"#
    ) -> String {
        let tail = condition.map { #","Condition":\#($0)"# } ?? ""
        return #"{"Effect":"Allow","Principal":\#(principal),"Action":\#(actions),"Resource":"*"\#(tail)}"#
    }

    private func registers(_ numbers: [Int], _ value: String = value, test: String = "StringEqualsIgnoreCase") -> String
    {
        let keys = numbers.map { #""kms:RecipientAttestation:PCR\#($0)":"\#(value)""# }.joined(separator: ",")
        return #"{"\#(test)":{\#(keys)}}"#
    }

    @Test func findsNothingInThePolicyItPrints() throws {
        let registers = (0...2).map { "pcr\($0)=\(Self.value)" }.joined(separator: "+")
        let release = try #require(RecommendedPolicy.Release("v1@\(registers)"))
        let policy = RecommendedPolicy(
            releases: [release, release], parentRole: Self.parent, operatorRole: "arn:aws:iam::111122223333:role/op",
            administrators: [Self.administrator])
        #expect(PolicyLint(administrators: [Self.administrator]).holes(in: Array(policy.json.utf8)) == [])
        let named = try #require(PolicyLint(administrators: []).holes(in: Array(policy.json.utf8)))
        #expect(named.map(\.kind) == [.administration], "an administrator is one only when named")
        for number in 0...3 { #expect(policy.json.contains("kms:RecipientAttestation:PCR\(number)")) }
        #expect(policy.json.contains(RecommendedPolicy.register3(ofRole: Self.parent)))
    }

    @Test(arguments: ["pcr-0=", "pcr00=", "pcr0=0x"])
    func refusesAReleaseWithAnIllWrittenRegister(_ first: String) {
        let rest = (1...2).map { "pcr\($0)=\(Self.value)" }.joined(separator: "+")
        #expect(RecommendedPolicy.Release("pcr0=\(Self.value)+\(rest)") != nil)
        #expect(RecommendedPolicy.Release("\(first)\(Self.value)+\(rest)") == nil)
        #expect(RecommendedPolicy.Release("pcr0=\(Self.value)+\(rest)+pcr3=\(Self.zeros)") == nil)
    }

    /// SHA384 over 48 zero bytes and the ARN, computed with coreutils.
    @Test func register3IsWhatTheSecureModuleExtends() {
        #expect(
            RecommendedPolicy.register3(ofRole: "arn:aws:iam::111122223333:role/p")
                == "3293ad1c55918615f354e1de02f50dc881289ad6aade34e85e260624d0922580071d644e0fc5e8c95e663ab8c3a2fd84")
    }

    @Test(arguments: [
        "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:DeriveSharedSecret",
        "kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateDataKeyPairWithoutPlaintext", "KMS:decrypt", "kms:Gen*",
        "kms:*", "*",
    ])
    func findsActionsWithoutAttestation(_ action: String) throws {
        #expect(try holes(allow(#""\#(action)""#)).contains(.withoutAttestation))
    }

    /// What the host reads beforehand is no secret that the enclave may make a key of.
    @Test func findsRandomnessWithoutAttestation() throws {
        #expect(try holes(allow(#""kms:GenerateRandom""#)) == [.withoutAttestation])
        #expect(try holes(allow(#""kms:GenerateR*""#)) == [.withoutAttestation])
        #expect(try holes(allow(#""kms:GenerateRandom""#, registers([0, 1, 2, 3]))) == [])
    }

    @Test func findsActionsThatNotActionLeavesOpen() throws {
        let statement = #"{"Effect":"Allow","Principal":{"AWS":"\#(Self.parent)"},"NotAction":"kms:Encrypt"}"#
        let found = try holes(statement)
        #expect(found.contains(.withoutAttestation) && found.contains(.administration) && found.contains(.reEncrypt))
    }

    @Test(arguments: [
        #"{"Service":"lambda.amazonaws.com"}"#, #"{"Federated":"cognito-identity.amazonaws.com"}"#, #"{"AWS":[]}"#,
        #"{"Service":"*"}"#, #"{"aws":"*"}"#, "{}", "7",
    ])
    func findsAdministrationByWhatIsNoNamedAdministrator(_ principal: String) throws {
        for action in ["kms:PutKeyPolicy", "kms:CreateGrant"] {
            #expect(try holes(allow(#""\#(action)""#, principal: principal)).contains(.administration))
        }
    }

    @Test func findsAdministrationByNobodyInParticular() throws {
        #expect(try holes(#"{"Effect":"Allow","Action":"kms:PutKeyPolicy","Resource":"*"}"#) == [.administration])
    }

    @Test(arguments: ["${aws:PrincipalTag/purpose}", "${kms:EncryptionContext:purpose}", "data${*}key"])
    func findsAPurposeThatTheCallerChooses(_ value: String) throws {
        for test in ["StringEquals", "StringLike"] {
            let condition = #"{"\#(test)":{"kms:EncryptionContext:purpose":"\#(value)"}}"#
            #expect(try holes(allow(#""kms:Encrypt""#, condition)) == [.encryptOfDataKeys])
        }
    }

    @Test func acceptsAnActionWithTheWholeDocument() throws {
        #expect(try holes(allow(#"["kms:Decrypt","kms:GenerateDataKey"]"#, registers([0, 1, 2, 3]))) == [])
        #expect(try holes(allow(#""kms:Decrypt""#, registers([0, 1, 2, 3], test: "StringEquals"))) == [])
    }

    @Test func findsAPolicyWithoutPCR3() throws {
        #expect(try holes(allow(#""kms:Decrypt""#, registers([0, 1, 2]))) == [.withoutPCR3])
    }

    @Test(arguments: [[0, 3], [1, 2, 3], [0, 1, 3], [3], [8, 3]])
    func findsAnImageThatIsNotPinned(_ numbers: [Int]) throws {
        #expect(try holes(allow(#""kms:Decrypt""#, registers(numbers))) == [.imageNotPinned])
    }

    @Test func findsRegistersOfADebugEnclave() throws {
        let found = try holes(allow(#""kms:Decrypt""#, registers([0, 1, 2, 3], Self.zeros)))
        #expect(Set(found) == [.debugRegister])
    }

    @Test(arguments: [
        "StringEqualsIfExists", "StringNotEquals", "StringEqualsIgnoreCaseIfExists", "ForAllValues:StringEquals",
    ])
    func findsConditionsThatFailOpen(_ test: String) throws {
        let found = try holes(allow(#""kms:Decrypt""#, registers([0, 1, 2, 3], test: test)))
        #expect(found.contains(.withoutAttestation) && found.contains(.weakCondition))
    }

    @Test(arguments: ["*", "ab*", "ab"])
    func findsRegistersThatAreNoWholeValue(_ value: String) throws {
        #expect(
            try holes(allow(#""kms:Decrypt""#, registers([0, 1, 2, 3], value, test: "StringLike"))).contains(
                .weakCondition))
    }

    @Test func findsAStatementThatMixesReleases() throws {
        let other = String(repeating: "cd", count: 48)
        for number in 0...2 {
            let mixed = registers([0, 1, 2, 3]).replacing(
                #"PCR\#(number)":"\#(Self.value)""#, with: #"PCR\#(number)":["\#(Self.value)","\#(other)"]"#)
            #expect(try holes(allow(#""kms:Decrypt""#, mixed)) == [.mixedReleases])
        }
        let roles = registers([0, 1, 2, 3]).replacing(
            #"PCR3":"\#(Self.value)""#, with: #"PCR3":["\#(Self.value)","\#(other)"]"#)
        #expect(try holes(allow(#""kms:Decrypt""#, roles)) == [], "one image on instances of two roles")
    }

    @Test func findsAPCR3OfAnotherRole() throws {
        let role = RecommendedPolicy.register3(ofRole: Self.parent)
        let lint = PolicyLint(administrators: [], parentRole: Self.parent)
        for (value, expected) in [(Self.value, [PolicyHole.Kind.otherRole]), (role, []), (role.uppercased(), [])] {
            let condition = registers([0, 1, 2, 3]).replacing(
                #"PCR3":"\#(Self.value)""#, with: #"PCR3":"\#(value)""#)
            let text = #"{"Statement":\#(allow(#""kms:Decrypt""#, condition))}"#
            #expect(lint.holes(in: Array(text.utf8))?.map(\.kind) == expected)
        }
    }

    @Test func findsMembersThatAreThereTwice() throws {
        let harmless = allow(#""kms:DescribeKey""#)
        for (twice, place) in [
            (harmless.replacing(#""Resource""#, with: #""Action":"kms:Decrypt","Resource""#), "Statement[0]"),
            (harmless.replacing(#""Resource""#, with: #""\u0041ction":"kms:Decrypt","Resource""#), "Statement[0]"),
            (
                allow(#""kms:Decrypt""#, registers([0, 1, 2, 3])).replacing(
                    #""kms:RecipientAttestation:PCR0":"#,
                    with: #""kms:recipientattestation:pcr0":"*","kms:RecipientAttestation:PCR0":"#),
                "Statement[0].Condition.StringEqualsIgnoreCase"
            ),
        ] {
            let text = #"{"Version":"2012-10-17","Statement":[\#(twice)]}"#
            let found = try #require(PolicyLint(administrators: []).holes(in: Array(text.utf8)))
            #expect(found.first?.kind == .memberTwice && found.first?.statement == place, "\(twice)")
        }
        let text = #"{"Statement":[\#(harmless)],"Statement":[]}"#
        #expect(PolicyLint(administrators: []).holes(in: Array(text.utf8))?.first?.kind == .memberTwice)
    }

    @Test func findsEncryptWithoutPurpose() throws {
        #expect(try holes(allow(#""kms:Encrypt""#)) == [.encryptWithoutPurpose])
        let negated = #"{"StringNotEquals":{"kms:EncryptionContext:purpose":"data-key"}}"#
        #expect(try holes(allow(#""kms:Encrypt""#, negated)) == [.encryptWithoutPurpose])
        let other = #"{"StringEquals":{"kms:EncryptionContext:version":"1"}}"#
        #expect(try holes(allow(#""kms:Encrypt""#, other)) == [.encryptWithoutPurpose])
    }

    @Test(arguments: [
        #"{"StringEquals":{"kms:EncryptionContext:purpose":["X","data-key"]}}"#,
        #"{"StringEqualsIgnoreCase":{"kms:EncryptionContext:purpose":"DATA-KEY"}}"#,
        #"{"StringLike":{"kms:EncryptionContext:purpose":"d*"}}"#,
    ])
    func findsEncryptThatMakesDataKeys(_ condition: String) throws {
        #expect(try holes(allow(#""kms:Encrypt""#, condition)) == [.encryptOfDataKeys])
    }

    @Test func acceptsEncryptForAVariable() throws {
        let condition = #"{"StringEquals":{"kms:EncryptionContext:purpose":"GOOGLE_OAUTH_CLIENT_SECRET"}}"#
        #expect(try holes(allow(#""kms:Encrypt""#, condition)) == [])
    }

    @Test(arguments: ["kms:ReEncrypt*", "kms:ReEncryptFrom", "kms:ReEncryptTo"])
    func findsReEncryptForAnybodyAdministratorsToo(_ action: String) throws {
        #expect(try holes(allow(#""\#(action)""#, principal: #"{"AWS":"\#(Self.administrator)"}"#)) == [.reEncrypt])
    }

    @Test(arguments: ["kms:CreateGrant", "kms:PutKeyPolicy", "kms:ImportKeyMaterial", "kms:Put*", "kms:ReplicateKey"])
    func findsAdministrationByOthers(_ action: String) throws {
        #expect(try holes(allow(#""\#(action)""#)) == [.administration])
        #expect(try holes(allow(#""\#(action)""#, principal: #"{"AWS":"\#(Self.administrator)"}"#)) == [])
    }

    @Test(arguments: [#""*""#, #"{"AWS":"*"}"#, #"{"AWS":["\#(parent)","*"]}"#])
    func findsWildcardPrincipals(_ principal: String) throws {
        let found = try holes(allow(#""kms:Decrypt""#, registers([0, 1, 2, 3]), principal: principal))
        #expect(found == [.wildcardPrincipal])
    }

    @Test func findsNotPrincipal() throws {
        let statement = #"{"Effect":"Allow","NotPrincipal":{"AWS":"\#(Self.parent)"},"Action":"kms:DescribeKey"}"#
        #expect(try holes(statement) == [.wildcardPrincipal])
    }

    @Test(arguments: ["arn:aws:iam::111122223333:root", "111122223333"])
    func findsTheRootEscape(_ root: String) throws {
        let found = try holes(allow(#""kms:*""#, principal: #"{"AWS":"\#(root)"}"#))
        #expect(found.contains(.rootEscape))
        #expect(try holes(allow(#""kms:DescribeKey""#, principal: #"{"AWS":"\#(root)"}"#)) == [])
    }

    @Test func readsOneStatementWithoutAListAndLeavesDenialsAlone() throws {
        let lint = PolicyLint(administrators: [])
        let one = #"{"Statement":{"Effect":"Deny","Principal":"*","Action":"kms:*"}}"#
        #expect(lint.holes(in: Array(one.utf8)) == [])
        for text in ["", "[]", "{}", #"{"Statement":[{"Effect":"Maybe","Action":"*"}]}"#, "not json"] {
            #expect(lint.holes(in: Array(text.utf8)) == nil)
        }
    }

    @Test(arguments: [
        ("a*c", "abc", true), ("a*c", "ac", true), ("*", "", true), ("a?c", "abc", true), ("a?c", "ac", false),
        ("a*b*c", "aXbYbZc", true), ("kms:gen*", "kms:decrypt", false), ("", "a", false),
    ])
    func matchesWildcards(_ pattern: String, _ text: String, _ expected: Bool) {
        #expect(wildcard(pattern, matches: text) == expected)
    }
}
