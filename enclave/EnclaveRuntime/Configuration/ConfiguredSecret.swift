internal import Sodium
internal import Synchronization

/// A secret of the configuration: in the clear from the start, or KMS ciphertext until KMS has opened it.
public final class ConfiguredSecret: Sendable {
    /// The form `kms:<base64>` or `kms:<version>:<base64>`.
    public struct Ciphertext: Equatable, Sendable {
        /// Bound into the encryption context where the secret has versions.
        public let version: UInt32?
        /// What KMS made of it.
        public let bytes: [UInt8]
    }

    private struct State {
        var secret: Secret?
        var version: UInt32 = 0
    }

    /// Name of the variable: the `purpose` of its encryption context.
    public let name: String
    /// What KMS has to open; nil for a plain secret.
    public let ciphertext: Ciphertext?
    private let state: Mutex<State>

    /// A plain secret, or one to be opened; nil when the text begins with `kms:` and is no ciphertext.
    init?(_ name: String, _ secret: Secret) {
        self.name = name
        let text = unsafe secret.withUnsafeBytes { bytes in
            unsafe bytes.starts(with: "kms:".utf8) ? String(decoding: bytes, as: UTF8.self) : nil
        }
        guard let text else {
            ciphertext = nil
            state = Mutex(State(secret: secret))
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), let bytes = Base64.decode(parts[parts.count - 1]), !bytes.isEmpty else {
            return nil
        }
        var version: UInt32?
        if parts.count == 3 {
            guard let number = decimal(parts[1], in: 1...0x7FFF_FFFF) else { return nil }
            version = UInt32(number)
        }
        ciphertext = Ciphertext(version: version, bytes: bytes)
        state = Mutex(State())
    }

    /// The secret; nil until KMS has opened it.
    public var current: Secret? { state.withLock { $0.secret } }

    /// Version of `current`, 0 where it has none.
    public var version: UInt32 { state.withLock { $0.version } }

    /// Takes what KMS has opened, unless the same or a later version is there already; tells whether it was taken.
    public func adopt(_ secret: Secret, version: UInt32? = nil) -> Bool {
        state.withLock { state in
            guard state.secret == nil || version ?? 0 > state.version else { return false }
            state = State(secret: secret, version: version ?? 0)
            return true
        }
    }
}
