import Foundation

extension KMSSimulator {
    /// The key that a request names.
    func key(
        _ request: KMSRequest, _ caller: AWSCredentialSet, member: String = "KeyId"
    ) throws(KMSError) -> KMSKeyDescription {
        let name = try request.required(member)
        guard let key = book.resolve(name, account: caller.account) else { throw .notFound(name) }
        return try usable(key)
    }

    /// The key that a blob names, which must be the one that the request names, if it names one.
    func key(
        ofBlob blob: [UInt8], named name: String?, _ caller: AWSCredentialSet
    ) throws(KMSError) -> KMSKeyDescription {
        guard let arn = KMSCiphertext.keyARN(of: blob), let key = book.key(arn) else { throw .invalidCiphertext }
        if let name {
            guard let named = book.resolve(name, account: caller.account) else { throw .notFound(name) }
            guard named.arn == key.arn else { throw .incorrectKey }
        }
        return try usable(key)
    }

    private func usable(_ key: KMSKeyDescription) throws(KMSError) -> KMSKeyDescription {
        switch key.state {
        case .enabled: return key
        case .disabled: throw .disabled(key.arn)
        case .pendingDeletion: throw .invalidState(key.arn)
        }
    }

    /// The recipient whose document the request carries; nil without one.
    func recipient(of request: KMSRequest) throws(KMSError) -> KMSRecipient? {
        guard let document = try request.recipientDocument() else { return nil }
        return try KMSRecipient(document: document, root: root, now: now())
    }

    /// - Throws: unless key policy, the principal's own policy and grants together allow it.
    func authorize(
        _ action: String, on key: KMSKeyDescription, _ caller: AWSCredentialSet, _ context: [String: String],
        _ recipient: KMSRecipient?
    ) throws(KMSError) {
        let access = KMSAccess(
            action: "kms:" + action, keyARN: key.arn, principal: caller.principal,
            conditions: Self.conditions(caller, context, recipient))
        let ofKey = KeyPolicy(key.policy)?.verdict(on: access, ofKey: true) ?? .denied
        let own = identityPolicies[caller.principal].flatMap { KeyPolicy($0) }?.verdict(on: access, ofKey: false)
        let granted = book.grants.contains {
            $0.keyARN == key.arn && $0.principal == caller.principal && $0.operations.contains(action)
        }
        let isDenied = ofKey == .denied || own == .denied
        let isForeign = caller.account != accountOfARN(key.arn)
        let isAllowed =
            switch ofKey {
            case .allowed: !isForeign || own == .allowed
            case .delegated: own == .allowed
            case .denied, .silent: false
            }
        guard !isDenied, isAllowed || granted else {
            throw .accessDenied(caller.principal, access.action, key.arn)
        }
    }

    /// The condition keys of a request. Those of the document exist only with a recipient.
    private static func conditions(
        _ caller: AWSCredentialSet, _ context: [String: String], _ recipient: KMSRecipient?
    ) -> [String: [String]] {
        var conditions: [String: [String]] = [
            "aws:principalarn": [caller.principal], "aws:principalaccount": [caller.account],
            "kms:calleraccount": [caller.account], "aws:securetransport": ["true"],
        ]
        for (name, value) in context { conditions["kms:encryptioncontext:" + name.lowercased()] = [value] }
        if !context.isEmpty { conditions["kms:encryptioncontextkeys"] = context.keys.sorted() }
        for (number, value) in recipient?.registers ?? [:] {
            conditions["kms:recipientattestation:pcr\(number)"] = [hexadecimal(value)]
            if number == 0 { conditions["kms:recipientattestation:imagesha384"] = [hexadecimal(value)] }
        }
        return conditions
    }

    // MARK: - Plaintexts

    func seal(
        _ plaintext: [UInt8], under key: KMSKeyDescription, _ context: [String: String]
    ) throws(KMSError) -> [UInt8] {
        guard let material = book.material(key.arn),
            let blob = try? KMSCiphertext.seal(plaintext, keyARN: key.arn, material: material, context: context)
        else { throw .invalidState(key.arn) }
        return blob
    }

    func open(
        _ blob: [UInt8], under key: KMSKeyDescription, _ context: [String: String]
    ) throws(KMSError) -> [UInt8] {
        guard let material = book.material(key.arn),
            let plaintext = KMSCiphertext.open(blob, material: material, context: context)
        else { throw .invalidCiphertext }
        return plaintext
    }

    /// Puts the plaintext into an answer: in an envelope where there is a recipient.
    func release(
        _ plaintext: [UInt8], to recipient: KMSRecipient?, in answer: inout [String: JSONValue]
    ) throws(KMSError) {
        guard let recipient, behaviour.misbehaviour != .plaintextInsteadOfEnvelope else {
            answer["Plaintext"] = .blob(plaintext)
            return
        }
        let envelope = CMSEnvelope(
            publicKey: recipient.publicKey, shape: nextShape(), misbehaviour: behaviour.misbehaviour)
        guard let sealed = try? envelope.seal(plaintext) else {
            throw .validation("The public key of the attestation document is no RSA key")
        }
        answer["CiphertextForRecipient"] = .blob(sealed)
        answer["Plaintext"] = behaviour.misbehaviour == .plaintextBesideEnvelope ? .blob(plaintext) : .null
    }
}
