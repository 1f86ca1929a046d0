internal import Foundation
internal import Synchronization

/// The Nitro secure module of one enclave: real documents under the root of a test authority.
///
/// It answers requests as `/dev/nsm` does and refuses what that refuses; ``SecureModuleServer`` puts it on a socket.
public final class SimulatedSecureModule: Sendable {
    /// Number of registers.
    public static let registerCount = 32
    /// Longest request and answer of the device, in bytes.
    public static let maximumRequestBytes = 0x1000
    public static let maximumAnswerBytes = 0x3000
    static let maximumDataBytes = 512
    static let maximumPublicKeyBytes = 1024
    private static let randomBytes = 256
    /// A leaf is kept for so long, in seconds; it is good for three hours.
    private static let leafKeptSeconds: UInt64 = 2 * 3600

    struct State {
        var registers: [[UInt8]]
        var locked: Set<Int>
        var misbehaviour: Misbehaviour?
        var remaining: Int?
        var chain: NitroPKI.Chain?
        var answered = 0
    }

    public let authority: NitroPKI
    public let moduleID: String
    private let isIndefinite: Bool
    private let now: @Sendable () -> UInt64
    let state: Mutex<State>

    /// Unix milliseconds.
    public static func wallClock() -> UInt64 { UInt64(Date().timeIntervalSince1970 * 1000) }

    /// A module of an enclave that has just booted: registers 0 to 15 as given, and locked.
    ///
    /// `now` is the clock of the module, in unix milliseconds.
    public init(
        authority: NitroPKI = NitroPKI(), registers: [[UInt8]], enclave: String = "0123456789abcdef",
        isIndefinite: Bool = true,
        now: @escaping @Sendable () -> UInt64 = SimulatedSecureModule.wallClock
    ) {
        let rest = [[UInt8]](repeating: Registers.zero, count: max(0, Self.registerCount - registers.count))
        self.authority = authority
        moduleID = "\(authority.instanceID)-enc\(enclave)"
        self.isIndefinite = isIndefinite
        self.now = now
        state = Mutex(
            State(registers: Array((registers + rest).prefix(Self.registerCount)), locked: Set(0..<16)))
    }

    /// Misbehaves from now on, for `times` answers or until told otherwise; nil: behaves again.
    public func misbehave(_ misbehaviour: Misbehaviour?, times: Int? = nil) {
        state.withLock { state in
            state.misbehaviour = misbehaviour
            state.remaining = times
        }
    }

    /// Sets a register whatever its lock: another image, another role.
    public func setRegister(_ index: Int, _ value: [UInt8]) { state.withLock { $0.registers[index] = value } }

    /// Registers 0 to 31.
    public var registers: [[UInt8]] { state.withLock { $0.registers } }

    /// How many requests came.
    public var requestCount: Int { state.withLock { $0.answered } }

    /// The document a well-behaved module gives for these values.
    public func document(userData: [UInt8]? = nil, nonce: [UInt8]? = nil, publicKey: [UInt8]? = nil) -> [UInt8] {
        draft(userData: userData, nonce: nonce, publicKey: publicKey).encoded()
    }

    /// The same before it is signed, for changes.
    public func draft(
        userData: [UInt8]? = nil, nonce: [UInt8]? = nil, publicKey: [UInt8]? = nil,
        _ misbehaviour: Misbehaviour? = nil
    ) -> DocumentDraft {
        var time = now()
        var chain = chain(at: time / 1000)
        switch misbehaviour {
        case .clock(let offset):
            time = UInt64(max(0, Int64(time) + Int64(offset) * 1000))
            chain = authority.chain(moduleID: moduleID, at: time / 1000)
        case .expiredChain: chain = authority.chain(moduleID: moduleID, at: time / 1000 - 4 * 3600)
        case .otherRoot:
            var other = NitroPKI(seed: authority.seed + "/other", region: authority.region)
            other.instanceID = authority.instanceID
            chain = other.chain(moduleID: moduleID, at: time / 1000)
        default: break
        }
        let (registers, locked) = state.withLock { ($0.registers, $0.locked) }
        var draft = DocumentDraft(
            moduleID: moduleID, timestamp: time,
            registers: locked.sorted().map { index in
                let isZero = misbehaviour == .debugRegisters && index < 3
                return (UInt64(index), isZero ? Registers.zero : registers[index])
            },
            chain: chain, publicKey: publicKey, userData: userData, nonce: nonce)
        draft.isIndefinite = isIndefinite
        switch misbehaviour {
        case .otherNonce: draft.nonce = [UInt8](repeating: 0x5a, count: 32)
        case .otherUserData: draft.userData = [UInt8](repeating: 0x5a, count: 64)
        case .otherPublicKey: draft.publicKey = [UInt8](repeating: 0x5a, count: 32)
        case .foreignKey: draft.signer = CurveKey(seed: authority.seed + "/foreign")
        default: break
        }
        return draft
    }

    private func chain(at time: UInt64) -> NitroPKI.Chain {
        state.withLock { state in
            if let kept = state.chain, (kept.madeAt...(kept.madeAt + Self.leafKeptSeconds)).contains(time) {
                return kept
            }
            let made = authority.chain(moduleID: moduleID, at: time)
            state.chain = made
            return made
        }
    }

    static func random() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<randomBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
