import AttestationVerifier
import Crypto
import Foundation

/// A key policy without a hole that `PolicyLint` knows.
public struct RecommendedPolicy: Sendable {
    /// The registers of one release: PCR0 to PCR2, and PCR3 where the release states it.
    public struct Release: Sendable {
        public let name: String
        /// By number; 96 lower-case hexadecimal digits each.
        public let registers: [Int: String]

        /// Reads `[name@]pcr0=…+pcr1=…+pcr2=…[+pcrN=…]`; nil for a PCR3 of zeros too, which any instance without a role has.
        public init?(_ text: String) {
            let halves = text.split(separator: "@", maxSplits: 1).map(String.init)
            guard let measurement = halves.last.flatMap(NitroMeasurement.init),
                measurement.registers[3]?.allSatisfy({ $0 == 0 }) != true
            else { return nil }
            registers = measurement.registers.mapValues(RecommendedPolicy.hex)
            name = halves.count == 2 ? halves[0] : ""
        }
    }

    /// What the policy names; a placeholder in angle brackets stands for each that is nil or empty.
    public var releases: [Release]
    public var parentRole: String?
    public var operatorRole: String?
    public var administrators: [String]

    public init(releases: [Release], parentRole: String?, operatorRole: String?, administrators: [String]) {
        self.releases = releases
        self.parentRole = parentRole
        self.operatorRole = operatorRole
        self.administrators = administrators
    }

    /// PCR3 of an instance with `role`: 48 zero bytes extended by the role's ARN.
    public static func register3(ofRole role: String) -> String {
        hex(SHA384.hash(data: Data(repeating: 0, count: 48) + Data(role.utf8)))
    }

    /// The policy as indented JSON.
    public var json: String {
        let statements = [administration] + attested + [encryption] + denials
        let policy = Policy(Version: "2012-10-17", Statement: statements)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(policy)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// Its holes, with stand-ins for what is left open: a policy that has one must not be handed out.
    public var holes: [PolicyHole]? {
        let account = "arn:aws:iam::000000000000:role"
        var whole = self
        if administrators.isEmpty { whole.administrators = ["\(account)/administrator"] }
        if releases.isEmpty {
            let value = String(repeating: "ab", count: NitroDocument.registerBytes)
            whole.releases = [Release((0...2).map { "pcr\($0)=\(value)" }.joined(separator: "+"))].compactMap(\.self)
        }
        whole.parentRole = parentRole ?? "\(account)/parent"
        whole.operatorRole = operatorRole ?? "\(account)/operator"
        return PolicyLint(administrators: whole.administrators, parentRole: parentRole).holes(
            in: Array(whole.json.utf8))
    }

    private struct Policy: Encodable {
        let Version: String
        let Statement: [Statement]
    }

    private struct Statement: Encodable {
        let Sid: String
        let Effect: String
        let Principal: [String: [String]]
        let Action: [String]
        let Resource = "*"
        let Condition: [String: [String: [String]]]?
    }

    private var administration: Statement {
        Statement(
            Sid: "Administration", Effect: "Allow",
            Principal: ["AWS": administrators.isEmpty ? ["<ARN of the key's administrator>"] : administrators],
            Action: [
                "kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:ListKeyPolicies", "kms:EnableKey",
                "kms:DisableKey", "kms:ListGrants", "kms:RevokeGrant", "kms:EnableKeyRotation",
                "kms:GetKeyRotationStatus", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion", "kms:TagResource",
                "kms:UntagResource",
            ], Condition: nil)
    }

    /// One statement per release, so that a release ends with its statement.
    private var attested: [Statement] {
        let shown: [Release?] = releases.isEmpty ? [nil] : releases
        return shown.enumerated().map { index, release -> Statement in
            var condition: [String: [String]] = [:]
            let stated = release.map { Set($0.registers.keys) } ?? []
            for number in stated.union(Set(0...3)) {
                let role = number == 3 ? parentRole.map(Self.register3) : nil
                let value = release?.registers[number] ?? role ?? "<PCR\(number) of the release>"
                condition["kms:RecipientAttestation:PCR\(number)"] = [value]
            }
            let suffix = release.map { $0.name.filter { $0.isASCII && ($0.isLetter || $0.isNumber) } } ?? ""
            return Statement(
                Sid: "Release\(index + 1)\(suffix)", Effect: "Allow",
                Principal: ["AWS": [parentRole ?? "<ARN of the parent instance's role>"]],
                Action: ["kms:GenerateDataKey", "kms:Decrypt"],
                Condition: ["StringEqualsIgnoreCase": condition])
        }
    }

    private var encryption: Statement {
        Statement(
            Sid: "SecretsByTheOperator", Effect: "Allow",
            Principal: ["AWS": [operatorRole ?? "<ARN of the operator's role>"]], Action: ["kms:Encrypt"],
            Condition: [
                "StringEquals": [
                    "kms:EncryptionContext:purpose": [
                        "GOOGLE_OAUTH_CLIENT_SECRET", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY",
                    ]
                ]
            ])
    }

    /// What no IAM policy and no grant can give back.
    private var denials: [Statement] {
        [
            Statement(
                Sid: "NothingWithoutDocument", Effect: "Deny", Principal: ["AWS": ["*"]],
                Action: PolicyLint.attestedActions,
                Condition: ["Null": ["kms:RecipientAttestation:PCR0": ["true"]]]),
            Statement(
                Sid: "NeverAnywhere", Effect: "Deny", Principal: ["AWS": ["*"]],
                Action: ["kms:ReEncrypt*", "kms:CreateGrant", "kms:ImportKeyMaterial", "kms:ReplicateKey"],
                Condition: nil),
        ]
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
