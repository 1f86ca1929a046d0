/// What a sealed value is for; bound into it, and deciding which roles may seal and open it.
public enum DataPurpose: String, CaseIterable, Sendable {
    case connectorRefreshToken = "connector.refresh_token"
    case oauthPKCEVerifier = "oauth.pkce_verifier"
    case deviceAPNsToken = "device.apns_token"
    case jobPayload = "job.payload"
    case pushPayload = "push.payload"
    case assistantMemory = "assistant.memory"
    case llmCache = "llm.cache"
    case apiAnswer = "api.answer"

    /// Roles that may seal it through `data.seal`; empty where only the enclave itself seals.
    public var sealers: Set<Role> {
        switch self {
        case .connectorRefreshToken, .oauthPKCEVerifier: []
        case .deviceAPNsToken, .assistantMemory, .apiAnswer: [.api]
        case .jobPayload, .llmCache: [.api, .worker]
        case .pushPayload: [.worker]
        }
    }

    /// Roles that may open it through `data.open`.
    public var openers: Set<Role> {
        switch self {
        case .connectorRefreshToken, .oauthPKCEVerifier: []
        case .deviceAPNsToken, .jobPayload, .pushPayload: [.worker]
        case .assistantMemory, .apiAnswer: [.api]
        case .llmCache: [.api, .worker]
        }
    }
}

/// One item of `data.seal` or `data.open`: `[purpose, user, record id, record version, content]`.
public struct DataItem: WireMessage, Equatable {
    /// What the value is for.
    public let purpose: DataPurpose
    /// Owner.
    public let user: UserID
    /// Row the value belongs to: a UUID in lower case, or `device_identifier`; 1–128 bytes.
    public let recordID: String
    /// `record_version` of the row; 0 for tables without one.
    public let recordVersion: UInt64
    /// Plaintext to seal, or sealed bytes to open.
    public let content: [UInt8]

    /// An item.
    public init(purpose: DataPurpose, user: UserID, recordID: String, recordVersion: UInt64 = 0, content: [UInt8]) {
        self.purpose = purpose
        self.user = user
        self.recordID = recordID
        self.recordVersion = recordVersion
        self.content = content
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(purpose.rawValue, user, recordID, recordVersion, content)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 5)
        let name = try reader.text(atMost: Limits.maximumDataPurposeBytes)
        guard let purpose = DataPurpose(rawValue: name) else { throw .outOfRange }
        self.purpose = purpose
        user = UserID(try reader.uuid())
        recordID = try reader.text(atMost: Limits.maximumRecordIDBytes)
        guard !recordID.isEmpty else { throw .outOfRange }
        recordVersion = try reader.unsigned()
        content = try reader.bytes()
        reader.end()
    }
}

/// Request of `data.seal` and `data.open`: `[item…]`, 1–256 items, at most 1 MiB of content together.
public struct DataItems: WireMessage, Equatable {
    /// The items, each sealed or opened alone.
    public let items: [DataItem]

    /// A request.
    public init(_ items: [DataItem]) { self.items = items }

    public func write(to writer: inout CBORWriter) {
        writer.array(items.count)
        for item in items { item.write(to: &writer) }
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        let count = try reader.array(atMost: Limits.maximumSealItems)
        guard count > 0 else { throw .outOfRange }
        var items: [DataItem] = []
        var total = 0
        for _ in 0..<count {
            let item = try DataItem(from: &reader)
            total += item.content.count
            guard total <= Limits.maximumSealBytes else { throw .outOfRange }
            items.append(item)
        }
        reader.end()
        self.items = items
    }
}

/// Answer of `data.seal` and `data.open`: `[result…]` in the order of the items; a result is bytes, or an error number.
public struct DataResults: WireMessage, Equatable {
    /// One result for each item.
    public let results: [Result<[UInt8], EnclaveErrorCode>]
    /// Version of the active data key; with it `data.seal` sealed.
    public let keyVersion: UInt32

    /// An answer.
    public init(_ results: [Result<[UInt8], EnclaveErrorCode>], keyVersion: UInt32) {
        self.results = results
        self.keyVersion = keyVersion
    }

    public func write(to writer: inout CBORWriter) {
        writer.array(2)
        writer.unsigned(UInt64(keyVersion))
        writer.array(results.count)
        for result in results {
            switch result {
            case .success(let bytes): writer.bytes(bytes)
            case .failure(let code):
                writer.tuple(code.rawValue)
            }
        }
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        keyVersion = try reader.keyVersion()
        var results: [Result<[UInt8], EnclaveErrorCode>] = []
        for _ in 0..<(try reader.array(atMost: Limits.maximumSealItems)) {
            guard let first = reader.peek(), first >> 5 == 4 else {
                results.append(.success(try reader.bytes()))
                continue
            }
            try reader.array(exactly: 1)
            guard let code = EnclaveErrorCode(rawValue: UInt16(try reader.unsigned(in: 0...0xFFFF))) else {
                throw .outOfRange
            }
            reader.end()
            results.append(.failure(code))
        }
        reader.end()
        reader.end()
        self.results = results
    }
}

/// Request of `vault.forget`: `[user]`.
public struct VaultForget: WireMessage, Equatable {
    /// Whose cached access tokens are dropped.
    public let user: UserID

    /// A request.
    public init(user: UserID) { self.user = user }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(user)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 1)
        user = UserID(try reader.uuid())
        reader.end()
    }
}

/// Answer of `metrics`: `[[name, resource, result, count]…]`, fixed labels, no ids.
public struct EnclaveMetrics: WireMessage, Equatable {
    /// One counter.
    public struct Counter: Equatable, Sendable {
        /// Metric name without the prefix `alfred_`.
        public let name: String
        /// Label `resource`, or empty.
        public let resource: String
        /// Label `result`, or empty.
        public let result: String
        /// Count since start.
        public let count: UInt64

        /// A counter.
        public init(name: String, resource: String, result: String, count: UInt64) {
            self.name = name
            self.resource = resource
            self.result = result
            self.count = count
        }
    }

    /// All counters, sorted by name, resource and result.
    public let counters: [Counter]

    /// An answer.
    public init(_ counters: [Counter]) { self.counters = counters }

    public func write(to writer: inout CBORWriter) {
        writer.array(counters.count)
        for counter in counters {
            writer.tuple(counter.name, counter.resource, counter.result, counter.count)
        }
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        var counters: [Counter] = []
        for _ in 0..<(try reader.array(atMost: Limits.maximumCounters)) {
            try reader.array(exactly: 4)
            counters.append(
                Counter(
                    name: try reader.text(atMost: Limits.maximumCounterTextBytes),
                    resource: try reader.text(atMost: Limits.maximumCounterTextBytes),
                    result: try reader.text(atMost: Limits.maximumCounterTextBytes), count: try reader.unsigned()))
            reader.end()
        }
        reader.end()
        self.counters = counters
    }
}
