/// A connector's sealed record as it lies in Postgres: `[sealed, record version, key id, key version]`.
public struct SealedRecord: WireMessage, Equatable {
    /// The sealed bytes.
    public let sealed: [UInt8]
    /// `record_version`, ≥ 1.
    public let recordVersion: UInt64
    /// `token_key_id`.
    public let keyID: String
    /// `token_version`.
    public let keyVersion: UInt32

    /// A record.
    public init(sealed: [UInt8], recordVersion: UInt64, keyID: String, keyVersion: UInt32) {
        self.sealed = sealed
        self.recordVersion = recordVersion
        self.keyID = keyID
        self.keyVersion = keyVersion
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(sealed, recordVersion, keyID, keyVersion)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 4)
        sealed = try reader.bytes(atMost: Limits.maximumSealedRecordBytes)
        recordVersion = try reader.unsigned(in: 1...UInt64(Int64.max))
        keyID = try reader.text(atMost: Limits.maximumKeyIDBytes)
        keyVersion = try reader.keyVersion()
        reader.end()
    }
}

/// Answer of `record.get` (request: `ConnectorReference`): `[record / null]`.
public struct RecordGetAnswer: WireMessage, Equatable {
    /// The record, or nil where there is no row or it holds none.
    public let record: SealedRecord?

    /// An answer.
    public init(record: SealedRecord?) { self.record = record }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(record)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 1)
        record = reader.null() ? nil : try SealedRecord(from: &reader)
        reader.end()
    }
}

/// Request of `record.put`: `[reference, provider, expected version, record]`.
public struct RecordPut: WireMessage, Equatable {
    /// Owner and connector.
    public let reference: ConnectorReference
    /// `google`.
    public let provider: String
    /// `record_version` that must be there; 0: the row must not exist or hold no record.
    public let expectedVersion: UInt64
    /// What to store; its version is `expectedVersion` + 1.
    public let record: SealedRecord

    /// A request.
    public init(reference: ConnectorReference, provider: String, expectedVersion: UInt64, record: SealedRecord) {
        self.reference = reference
        self.provider = provider
        self.expectedVersion = expectedVersion
        self.record = record
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(reference, provider, expectedVersion, record)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 4)
        reference = try ConnectorReference(from: &reader)
        provider = try reader.text(atMost: Limits.maximumProviderBytes)
        expectedVersion = try reader.unsigned(in: 0...UInt64(Int64.max - 1))
        record = try SealedRecord(from: &reader)
        guard record.recordVersion == expectedVersion + 1 else { throw .outOfRange }
        reader.end()
    }
}

/// Answer of `record.put`: `[outcome]`.
public struct RecordPutAnswer: WireMessage, Equatable {
    /// What became of it.
    public enum Outcome: UInt64, Sendable {
        /// The row now holds the record.
        case stored = 1
        /// Another version is there.
        case conflict = 2
        /// Refused for good: the user is deleted.
        case refused = 3
    }

    /// What became of it.
    public let outcome: Outcome

    /// An answer.
    public init(_ outcome: Outcome) { self.outcome = outcome }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(outcome.rawValue)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 1)
        outcome = try reader.choice()
        reader.end()
    }
}

/// Request of `wrapped_key.get`: `[key id, key version]`.
public struct WrappedKeyReference: WireMessage, Equatable {
    /// `KMS_KEY_ID`.
    public let keyID: String
    /// Version of the data key.
    public let keyVersion: UInt32

    /// A reference.
    public init(keyID: String, keyVersion: UInt32) {
        self.keyID = keyID
        self.keyVersion = keyVersion
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(keyID, keyVersion)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        keyID = try reader.text(atMost: Limits.maximumKeyIDBytes)
        keyVersion = try reader.keyVersion()
        reader.end()
    }
}

/// A data key wrapped by KMS: `[provider, wrapped, lineage MAC / null]`.
public struct WrappedKey: WireMessage, Equatable {
    /// `local` or `aws`.
    public let provider: String
    /// Ciphertext of the data key.
    public let wrapped: [UInt8]
    /// MAC under the key of the version before, 64 bytes; nil for the first version.
    public let lineageMAC: [UInt8]?

    /// A wrapped key.
    public init(provider: String, wrapped: [UInt8], lineageMAC: [UInt8]?) {
        self.provider = provider
        self.wrapped = wrapped
        self.lineageMAC = lineageMAC
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(provider, wrapped, lineageMAC)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        provider = try reader.text(atMost: Limits.maximumKeyProviderBytes)
        wrapped = try reader.bytes(atMost: Limits.maximumWrappedKeyBytes)
        lineageMAC = reader.null() ? nil : try reader.bytes(exactly: 64)
        reader.end()
    }
}

/// Answer of `wrapped_key.get`: `[wrapped key / null]`.
public struct WrappedKeyGetAnswer: WireMessage, Equatable {
    /// The key, or nil where there is none yet.
    public let key: WrappedKey?

    /// An answer.
    public init(key: WrappedKey?) { self.key = key }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(key)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 1)
        key = reader.null() ? nil : try WrappedKey(from: &reader)
        reader.end()
    }
}

/// Request of `wrapped_key.put`: `[reference, key]`; inserts only where there is none.
public struct WrappedKeyPut: WireMessage, Equatable {
    /// Key id and version.
    public let reference: WrappedKeyReference
    /// What to store.
    public let key: WrappedKey

    /// A request.
    public init(reference: WrappedKeyReference, key: WrappedKey) {
        self.reference = reference
        self.key = key
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(reference, key)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 2)
        reference = try WrappedKeyReference(from: &reader)
        key = try WrappedKey(from: &reader)
        reader.end()
    }
}

/// Answer of `wrapped_key.put`: `[inserted]`.
public struct WrappedKeyPutAnswer: WireMessage, Equatable {
    /// False: a key was there already, and it stays.
    public let inserted: Bool

    /// An answer.
    public init(inserted: Bool) { self.inserted = inserted }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(inserted)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 1)
        inserted = try reader.bool()
        reader.end()
    }
}
