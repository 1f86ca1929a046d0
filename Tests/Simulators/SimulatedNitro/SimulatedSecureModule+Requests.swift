internal import Synchronization

extension SimulatedSecureModule {
    /// What the requester gets.
    public enum Answer: Equatable, Sendable {
        case bytes([UInt8])
        /// Never anything.
        case silence
        /// The end of the connection.
        case hangUp
    }

    /// Answers one request, well or as told to ``misbehave(_:times:)``.
    public func answer(_ request: [UInt8]) -> Answer {
        let misbehaviour = takeMisbehaviour()
        guard request.count <= Self.maximumRequestBytes else { return .hangUp }
        switch misbehaviour {
        case .silence: return .silence
        case .hangUp: return .hangUp
        case .error(let error): return .bytes(Self.encoded(error))
        case .garbage: return .bytes([0xff, 0x00, 0x1c])
        case .oversize: return .bytes([UInt8](repeating: 0xf6, count: Self.maximumAnswerBytes + 1))
        default: break
        }
        let answer: [UInt8]
        do throws(SecureModuleError) {
            answer = try respond(to: request, misbehaviour).encoded()
        } catch {
            answer = Self.encoded(error)
        }
        return switch misbehaviour {
        case .truncated: .bytes(Array(answer.prefix(answer.count / 2)))
        case .trailingByte: .bytes(answer + [0])
        default: .bytes(answer)
        }
    }

    private func takeMisbehaviour() -> Misbehaviour? {
        state.withLock { state in
            state.answered += 1
            let current = state.misbehaviour
            if let remaining = state.remaining {
                state.remaining = remaining - 1
                if remaining <= 1 { (state.misbehaviour, state.remaining) = (nil, nil) }
            }
            return current
        }
    }

    private static func encoded(_ error: SecureModuleError) -> [UInt8] {
        CBORItem.map([.init(.text("Error"), .text(error.rawValue))]).encoded()
    }

    /// Requests and answers are a bare name, or a map of one name to its values.
    private func respond(
        to request: [UInt8], _ misbehaviour: Misbehaviour?
    ) throws(SecureModuleError) -> CBORItem {
        switch CBORItem(decoding: request) {
        case .text("GetRandom"): return Self.named("GetRandom", [.init(.text("random"), .bytes(Self.random()))])
        case .text("DescribeNSM"): return describe()
        case .map(let pairs, _) where pairs.count == 1:
            guard case .text(let name) = pairs[0].key, case .map = pairs[0].value else { throw .invalidArgument }
            return try respond(name, pairs[0].value, misbehaviour)
        default: throw .invalidOperation
        }
    }

    private func respond(
        _ name: String, _ values: CBORItem, _ misbehaviour: Misbehaviour?
    ) throws(SecureModuleError) -> CBORItem {
        switch name {
        case "DescribePCR":
            let index = try Self.index(values)
            return state.withLock { state in
                Self.named(
                    name,
                    [
                        .init(.text("lock"), .bool(state.locked.contains(index))),
                        .init(.text("data"), .bytes(state.registers[index])),
                    ])
            }
        case "ExtendPCR":
            let index = try Self.index(values)
            guard let data = try Self.bytes(values, "data", atMost: Self.maximumDataBytes) else {
                throw .invalidArgument
            }
            return Self.named(name, [.init(.text("data"), .bytes(try extend(index, by: data)))])
        case "LockPCR":
            try lock([try Self.index(values)])
            return .text(name)
        case "LockPCRs":
            guard case .unsigned(let range) = values.value("range") else { throw .invalidArgument }
            guard range <= UInt64(Self.registerCount) else { throw .invalidIndex }
            state.withLock { $0.locked.formUnion(0..<Int(range)) }
            return .text(name)
        case "Attestation":
            let draft = draft(
                userData: try Self.bytes(values, "user_data", atMost: Self.maximumDataBytes),
                nonce: try Self.bytes(values, "nonce", atMost: Self.maximumDataBytes),
                publicKey: try Self.bytes(values, "public_key", atMost: Self.maximumPublicKeyBytes), misbehaviour)
            return Self.named(name, [.init(.text("document"), .bytes(draft.encoded()))])
        default: throw .invalidOperation
        }
    }

    private func extend(_ index: Int, by data: [UInt8]) throws(SecureModuleError) -> [UInt8] {
        let extended = state.withLock { state -> [UInt8]? in
            guard !state.locked.contains(index) else { return nil }
            state.registers[index] = Registers.extended(state.registers[index], by: data)
            return state.registers[index]
        }
        guard let extended else { throw .readOnlyIndex }
        return extended
    }

    private func lock(_ indexes: [Int]) throws(SecureModuleError) {
        let isNew = state.withLock { state in
            guard state.locked.isDisjoint(with: indexes) else { return false }
            state.locked.formUnion(indexes)
            return true
        }
        guard isNew else { throw .readOnlyIndex }
    }

    private func describe() -> CBORItem {
        let locked = state.withLock { $0.locked.sorted() }
        return Self.named(
            "DescribeNSM",
            [
                .init(.text("version_major"), .unsigned(1)), .init(.text("version_minor"), .unsigned(0)),
                .init(.text("version_patch"), .unsigned(0)), .init(.text("module_id"), .text(moduleID)),
                .init(.text("max_pcrs"), .unsigned(UInt64(Self.registerCount))),
                .init(.text("locked_pcrs"), .array(locked.map { .unsigned(UInt64($0)) })),
                .init(.text("digest"), .text("SHA384")),
            ])
    }

    private static func named(_ name: String, _ values: [CBORItem.Pair]) -> CBORItem {
        .map([.init(.text(name), .map(values))])
    }

    private static func index(_ values: CBORItem) throws(SecureModuleError) -> Int {
        guard case .unsigned(let index) = values.value("index") else { throw .invalidArgument }
        guard index < UInt64(registerCount) else { throw .invalidIndex }
        return Int(index)
    }

    /// Nil where null or absent.
    private static func bytes(
        _ values: CBORItem, _ name: String, atMost limit: Int
    ) throws(SecureModuleError) -> [UInt8]? {
        switch values.value(name) {
        case .bytes(let bytes):
            guard bytes.count <= limit else { throw .inputTooLarge }
            return bytes
        case nil, .null: return nil
        default: throw .invalidArgument
        }
    }
}
