internal import AttestedSession
public import EnclaveVault
public import Sodium
internal import Synchronization

/// AWS KMS, asked by an attested enclave: the document of the secure module is the `Recipient` of every request, and
/// what comes back in the clear is of no use to anyone who relays it.
public final class AWSKeyManagement: KeyManagement {
    /// Longest wait for one answer, and for all tries of one call, in milliseconds.
    static let requestMilliseconds = 5000
    static let callMilliseconds = 12_000
    /// Tries of one request while KMS is throttling or out of order.
    static let maximumTries = 3
    /// What documents for KMS say, and no other document does.
    static let userData = Array("alfred-kms/1".utf8)
    /// Largest plaintext that KMS encrypts, in bytes.
    static let maximumPlaintextBytes = 4096
    /// Recipient keys kept ready: at start one call tries the credentials and two open secrets.
    static let recipientStock = 3
    private static let dataKeyBytes = 32

    public let providerName = "aws"
    let key: AWSKeyID
    private let module: any SecureModule
    private let transport: any KMSTransport
    private let log: Log
    private let pause: @Sendable (_ milliseconds: Int) -> Void
    private let recipients: RecipientKeys
    let sets = Mutex(CredentialSets())

    init(
        key: AWSKeyID, module: any SecureModule, transport: any KMSTransport, log: Log,
        recipientStock: Int = recipientStock, pause: @escaping @Sendable (_ milliseconds: Int) -> Void
    ) {
        self.key = key
        self.module = module
        self.transport = transport
        self.log = log
        recipients = RecipientKeys(stock: recipientStock)
        self.pause = pause
    }

    public func generateDataKey(keyID: String, version: UInt32) throws(VaultError) -> GeneratedDataKey {
        let context = try dataKeyContext(keyID, version)
        do throws(KMSFault) {
            let opened = try callWithSets(.generateDataKey, context)
            guard let wrapped = opened.ciphertext else { throw .answerInvalid }
            return GeneratedDataKey(plaintext: opened.plaintext, wrapped: wrapped)
        } catch {
            throw error.vaultError
        }
    }

    public func unwrap(_ wrapped: [UInt8], keyID: String, version: UInt32) throws(VaultError) -> SecretBytes {
        let context = try dataKeyContext(keyID, version)
        do throws(KMSFault) {
            let opened = try callWithSets(.decrypt(wrapped), context)
            guard opened.plaintext.count == Self.dataKeyBytes else { throw .answerInvalid }
            return opened.plaintext
        } catch {
            throw error.vaultError
        }
    }

    /// Opens a secret of the configuration, made for variable `name` and, where it has one, for `version`.
    func open(_ ciphertext: [UInt8], name: String, version: UInt32?) throws(KMSFault) -> SecretBytes {
        let context = [("purpose", name)] + (version.map { [("version", String($0))] } ?? [])
        return try callWithSets(.decrypt(ciphertext), context).takePlaintext()
    }

    /// Whether KMS gives this enclave a data key for these credentials; the key is thrown away.
    func probe(_ credentials: AWSCredentials, version: UInt32) throws(KMSFault) {
        _ = try call(.generateDataKey, Self.context(key.arn, version), credentials, until: Self.deadline)
    }

    // MARK: Requests

    private struct Opened: ~Copyable {
        let plaintext: SecretBytes
        let ciphertext: [UInt8]?

        consuming func takePlaintext() -> SecretBytes { plaintext }
    }

    private func dataKeyContext(_ keyID: String, _ version: UInt32) throws(VaultError) -> [(String, String)] {
        guard keyID == key.arn else { throw .keyPolicyMismatch }
        return Self.context(keyID, version)
    }

    /// Encryption context of a data key: it opens for this id and version only.
    private static func context(_ keyID: String, _ version: UInt32) -> [(String, String)] {
        [("key_id", keyID), ("key_version", String(version)), ("purpose", "data-key")]
    }

    private static var deadline: MonotonicInstant { .now.advanced(byMilliseconds: callMilliseconds) }

    /// Calls with the accepted set, and with a candidate when KMS does not take that any more.
    private func callWithSets(
        _ operation: KMSOperation, _ context: [(String, String)]
    ) throws(KMSFault) -> Opened {
        let deadline = Self.deadline
        for credentials in sets.withLock({ $0.inOrder(now: wallClock()) }) {
            do throws(KMSFault) {
                let opened = try call(operation, context, credentials, until: deadline)
                sets.withLock { if $0.accepted?.isSame(as: credentials) != true { $0.accept(credentials) } }
                return opened
            } catch .credentialsRefused {
                sets.withLock { $0.forget(credentials) }
            }
        }
        throw .unavailable
    }

    /// One operation with one set; tried again a few times while KMS is throttling or out of order.
    private func call(
        _ operation: KMSOperation, _ context: [(String, String)], _ credentials: AWSCredentials,
        until deadline: MonotonicInstant
    ) throws(KMSFault) -> Opened {
        guard let recipient = recipients.take(until: deadline) else { throw .unavailable }
        do throws(KMSFault) {
            let answer = try request(operation, context, credentials, recipient, until: deadline)
            guard let plaintext = recipient.open(answer.envelope, atMost: Self.maximumPlaintextBytes) else {
                throw .answerInvalid
            }
            if case .generateDataKey = operation, plaintext.count != Self.dataKeyBytes { throw .answerInvalid }
            recipients.make()
            return Opened(plaintext: plaintext, ciphertext: answer.ciphertext)
        } catch {
            log.write(.warn, .keyManagement(operation: operation.target, fault: "\(error)"))
            // Where KMS itself refused nothing was encrypted to the key: a set that is no good costs none.
            if error == .credentialsRefused || error == .requestRefused { recipients.giveBack(recipient) }
            recipients.make()
            throw error
        }
    }

    private func request(
        _ operation: KMSOperation, _ context: [(String, String)], _ credentials: AWSCredentials,
        _ recipient: RecipientKey, until deadline: MonotonicInstant
    ) throws(KMSFault) -> KMSAnswer {
        var tries = 0
        while true {
            tries += 1
            do throws(KMSFault) {
                let left = min(Self.requestMilliseconds, deadline.milliseconds(after: .now))
                guard left > 0 else { throw .unavailable }
                let document = try document(for: recipient)
                let reply = try post(operation, context, credentials, document, left)
                guard reply.status == 200 else { throw KMSAnswer.fault(status: reply.status, body: reply.body) }
                return try KMSAnswer(reply.body, to: operation, key: key)
            } catch {
                guard error == .unavailable, tries < Self.maximumTries, .now < deadline else { throw error }
                pause(100 << tries + Int.random(in: 0..<100))
            }
        }
    }

    private func document(for recipient: RecipientKey) throws(KMSFault) -> [UInt8] {
        do throws(SecureModuleError) {
            return try module.attest(
                userData: Self.userData, nonce: Random.bytes(32), publicKey: recipient.publicKey)
        } catch {
            throw .unavailable
        }
    }

    private func post(
        _ operation: KMSOperation, _ context: [(String, String)], _ credentials: AWSCredentials, _ document: [UInt8],
        _ milliseconds: Int
    ) throws(KMSFault) -> KMSReply {
        do throws(ProviderFault) {
            return try transport.post(
                operation.body(key: key, context: context, document: document), target: operation.target,
                credentials: credentials, milliseconds: milliseconds)
        } catch {
            throw error == .tooLarge ? .answerInvalid : .unavailable
        }
    }
}
