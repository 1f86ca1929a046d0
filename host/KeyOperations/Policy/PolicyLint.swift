internal import AttestationVerifier

/// What is wrong with a key policy: each lets somebody but the attested enclave at the data keys, or forge them.
public struct PolicyHole: Encodable, Equatable, Sendable {
    public enum Kind: String, Encodable, CaseIterable, Sendable {
        /// A plaintext or a data key for a caller without a document.
        case withoutAttestation = "without_attestation"
        /// A document is asked for, but not that it states PCR0, PCR1 and PCR2.
        case imageNotPinned = "image_not_pinned"
        /// A copy of the image under another role or account gets the keys.
        case withoutPCR3 = "without_pcr3"
        /// A register of 96 zeros: any enclave in debug mode has it.
        case debugRegister = "debug_register"
        /// A register that is no 96 hexadecimal digits, or a comparison that does not compare.
        case weakCondition = "weak_condition"
        /// `Encrypt` for a purpose that is not stated.
        case encryptWithoutPurpose = "encrypt_without_purpose"
        /// `Encrypt` can make what passes for a data key.
        case encryptOfDataKeys = "encrypt_of_data_keys"
        case reEncrypt = "re_encrypt"
        /// Values of several releases in one statement: an image of one with the kernel of another is admitted too.
        case mixedReleases = "mixed_releases"
        /// PCR3 of another role than that of the parent instance.
        case otherRole = "other_role"
        /// Two members of one name in one object: this command judges one of them, AWS may keep the other.
        case memberTwice = "member_twice"
        /// Who may do this, owns the key.
        case administration
        case wildcardPrincipal = "wildcard_principal"
        /// IAM policies of the account decide.
        case rootEscape = "root_escape"
    }

    public let kind: Kind
    /// `Sid` or number of the statement, or where in the text.
    public let statement: String
    /// For a person.
    public let detail: String
}

/// Looks for the holes of a key policy.
public struct PolicyLint: Sendable {
    /// Actions that give out a plaintext, a data key or the randomness of one; all but the last two know `Recipient`.
    static let attestedActions = [
        "kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:DeriveSharedSecret",
        "kms:GenerateRandom", "kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateDataKeyPairWithoutPlaintext",
    ]
    /// Actions that decide who has the key.
    static let administrativeActions = [
        "kms:CreateGrant", "kms:PutKeyPolicy", "kms:ImportKeyMaterial", "kms:ReplicateKey",
    ]
    static let reEncryptActions = ["kms:ReEncryptFrom", "kms:ReEncryptTo"]
    static let purpose = "kms:encryptioncontext:purpose"
    static let dataKeyPurpose = "data-key"
    private static let attestation = "kms:recipientattestation:"

    /// ARNs of the principals that may administer the key.
    private let administrators: Set<String>
    /// What the host can call as: never an administrator.
    private let parentRole: String?
    /// PCR3 of the parent instance's role; nil: any will do.
    private let register3: String?

    public init(administrators: [String], parentRole: String? = nil) {
        self.administrators = Set(administrators)
        self.parentRole = parentRole
        register3 = parentRole.map(RecommendedPolicy.register3)
    }

    /// The holes, in the order of the statements; nil where `text` is no policy.
    public func holes(in text: [UInt8]) -> [PolicyHole]? {
        guard let policy = PolicyDocument(text), let members = JSONMembers(text) else { return nil }
        let twice = members.repeated.map { path, name in
            PolicyHole(
                kind: .memberTwice, statement: path.isEmpty ? "policy" : path,
                detail: "\"\(name)\" is there twice, and AWS may keep the one that was not judged here")
        }
        return [twice].compactMap(\.self) + policy.statements.filter(\.isAllow).flatMap(holes)
    }

    private func holes(_ statement: PolicyDocument.Statement) -> [PolicyHole] {
        attestationHoles(statement) + encryptHoles(statement) + administrationHoles(statement)
            + principalHoles(statement)
    }

    private func attestationHoles(_ statement: PolicyDocument.Statement) -> [PolicyHole] {
        let conditions = statement.conditions.filter { $0.key.hasPrefix(Self.attestation) }
        var holes = conditions.flatMap { registerHoles($0, statement) }
        let covered = Self.attestedActions.filter(statement.covers)
        guard !covered.isEmpty else { return holes }
        let binding = conditions.filter(Self.isBinding)
        guard !binding.isEmpty else {
            let actions = covered.joined(separator: ", ")
            return holes + [hole(.withoutAttestation, statement, "\(actions) without a condition on the document")]
        }
        let registers = Set(binding.map(Self.register))
        let hasImage = registers.contains("pcr0") || registers.contains("imagesha384")
        if !(hasImage && registers.contains("pcr1") && registers.contains("pcr2")) {
            holes.append(hole(.imageNotPinned, statement, "PCR0, PCR1 and PCR2 must be stated together"))
        }
        let image = binding.filter { ["imagesha384", "pcr0", "pcr1", "pcr2"].contains(Self.register($0)) }
        if let several = image.first(where: { Set($0.values.map { $0.lowercased() }).count > 1 }) {
            holes.append(
                hole(
                    .mixedReleases, statement,
                    "\(several.values.count) values for \(Self.register(several)), each admitted with any of the other "
                        + "registers: a statement for each release"))
        }
        let roles = binding.filter { Self.register($0) == "pcr3" }.flatMap(\.values)
        if let register3, roles.contains(where: { $0.lowercased() != register3 }) {
            holes.append(
                hole(.otherRole, statement, "PCR3 of another role than --parent-role, for which it is \(register3)"))
        }
        if !registers.contains("pcr3") {
            holes.append(hole(.withoutPCR3, statement, "PCR3, the role of the parent instance, is not stated"))
        }
        return holes
    }

    /// A comparison that fails where there is no document, and otherwise pins whole values.
    private static func isBinding(_ condition: PolicyDocument.Condition) -> Bool {
        let test = condition.test.lowercased()
        let isExact = ["stringequals", "stringequalsignorecase"].contains(test)
        let isExactLike = test == "stringlike" && condition.values.allSatisfy { !$0.contains { "*?".contains($0) } }
        return (isExact || isExactLike) && !condition.values.isEmpty
    }

    private static func register(_ condition: PolicyDocument.Condition) -> String {
        String(condition.key.dropFirst(attestation.count))
    }

    private func registerHoles(
        _ condition: PolicyDocument.Condition, _ statement: PolicyDocument.Statement
    ) -> [PolicyHole] {
        let register = Self.register(condition)
        // The image's measurement and the key that signed it are never zero but in debug mode.
        if condition.values.contains(where: { $0.count == 96 && $0.allSatisfy { $0 == "0" } }) {
            return [hole(.debugRegister, statement, "\(register) of 96 zeros lets any enclave in debug mode in")]
        }
        // A Null condition makes sure of a document and compares nothing; it does no harm.
        guard condition.test != "Null" else { return [] }
        let isHex = condition.values.allSatisfy { $0.count == 96 && $0.allSatisfy(\.isHexDigit) }
        guard isHex, Self.isBinding(condition) else {
            return [hole(.weakCondition, statement, "\(condition.test) on \(register) does not compare whole values")]
        }
        return []
    }

    private func encryptHoles(_ statement: PolicyDocument.Statement) -> [PolicyHole] {
        guard statement.covers("kms:Encrypt") else { return [] }
        let conditions = statement.conditions.filter { $0.key == Self.purpose }
        let positive = conditions.filter {
            ["stringequals", "stringequalsignorecase", "stringlike"].contains($0.test.lowercased())
                && !$0.values.isEmpty
        }
        guard !positive.isEmpty else {
            return [hole(.encryptWithoutPurpose, statement, "kms:Encrypt without a condition on the purpose")]
        }
        // All conditions must hold: one that excludes data keys is enough.
        let admits = positive.allSatisfy { condition in
            // A policy variable stands for what the caller is or says: it may become any text.
            condition.values.contains { $0.contains("${") || wildcard($0.lowercased(), matches: Self.dataKeyPurpose) }
        }
        return admits ? [hole(.encryptOfDataKeys, statement, "kms:Encrypt admits purpose \(Self.dataKeyPurpose)")] : []
    }

    private func administrationHoles(_ statement: PolicyDocument.Statement) -> [PolicyHole] {
        var holes: [PolicyHole] = []
        if Self.reEncryptActions.contains(where: statement.covers) {
            holes.append(hole(.reEncrypt, statement, "kms:ReEncrypt* is for nobody"))
        }
        let strangers = statement.principals.filter { !administrators.contains($0) || $0 == parentRole }
        let covered = Self.administrativeActions.filter(statement.covers)
        if !covered.isEmpty, !strangers.isEmpty || statement.hasNotPrincipal {
            let who = strangers.isEmpty ? "all others" : strangers.joined(separator: ", ")
            holes.append(
                hole(
                    .administration, statement,
                    "\(covered.joined(separator: ", ")) for \(who), not named by --administrator, or --parent-role"))
        }
        return holes
    }

    private func principalHoles(_ statement: PolicyDocument.Statement) -> [PolicyHole] {
        if statement.hasNotPrincipal {
            return [hole(.wildcardPrincipal, statement, "NotPrincipal allows everybody else")]
        }
        if statement.principals.contains(where: { $0.contains("*") }) {
            return [hole(.wildcardPrincipal, statement, "a principal with * is not one")]
        }
        let isRoot: (String) -> Bool = { $0.hasSuffix(":root") || ($0.count == 12 && $0.allSatisfy(\.isNumber)) }
        let dangerous =
            Self.attestedActions + Self.administrativeActions + Self.reEncryptActions + ["kms:Encrypt"]
        guard let root = statement.principals.first(where: isRoot), dangerous.contains(where: statement.covers) else {
            return []
        }
        return [hole(.rootEscape, statement, "\(root) leaves it to the account's IAM policies")]
    }

    private func hole(
        _ kind: PolicyHole.Kind, _ statement: PolicyDocument.Statement, _ detail: String
    ) -> PolicyHole {
        PolicyHole(kind: kind, statement: statement.name, detail: detail)
    }
}
