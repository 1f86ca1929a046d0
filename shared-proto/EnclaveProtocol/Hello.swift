/// What a host may say before a session exists, one per frame: `[protocol version, kind, body / null]`.
public enum HelloRequest: WireMessage, Equatable {
    case health
    case document
    case challenge(Challenge)
    /// Noise message 1; allowed once, after a challenge of purpose `session` was answered on this connection.
    case handshake([UInt8])

    public func write(to writer: inout CBORWriter) {
        let version = Limits.protocolVersion
        switch self {
        case .health: writer.tuple(version, UInt64(1), [UInt8]?.none)
        case .document: writer.tuple(version, UInt64(2), [UInt8]?.none)
        case .challenge(let challenge): writer.tuple(version, UInt64(3), challenge)
        case .handshake(let message): writer.tuple(version, UInt64(4), message)
        }
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        _ = try reader.unsigned(in: Limits.protocolVersion...Limits.protocolVersion)
        switch try reader.unsigned(in: 1...4) {
        case 1:
            guard reader.null() else { throw .unexpectedType }
            self = .health
        case 2:
            guard reader.null() else { throw .unexpectedType }
            self = .document
        case 3: self = .challenge(try Challenge(from: &reader))
        default: self = .handshake(try reader.bytes(atMost: Limits.maximumPlainFrameBytes))
        }
        reader.end()
    }
}

/// What the enclave answers before a session exists: `[protocol version, kind, body]`.
public enum HelloAnswer: WireMessage, Equatable {
    case health(HealthAnswer)
    case document(DocumentAnswer)
    case challenge(ChallengeAnswer)
    /// Noise message 2; its payload is `SessionTerms`.
    case handshake([UInt8])
    /// The request was refused; after a refused handshake the enclave closes the connection.
    case refused(EnclaveErrorCode)

    public func write(to writer: inout CBORWriter) {
        let version = Limits.protocolVersion
        switch self {
        case .health(let answer): writer.tuple(version, UInt64(1), answer)
        case .document(let answer): writer.tuple(version, UInt64(2), answer)
        case .challenge(let answer): writer.tuple(version, UInt64(3), answer)
        case .handshake(let message): writer.tuple(version, UInt64(4), message)
        case .refused(let code): writer.tuple(version, UInt64(5), code.rawValue)
        }
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        _ = try reader.unsigned(in: Limits.protocolVersion...Limits.protocolVersion)
        switch try reader.unsigned(in: 1...5) {
        case 1: self = .health(try HealthAnswer(from: &reader))
        case 2: self = .document(try DocumentAnswer(from: &reader))
        case 3: self = .challenge(try ChallengeAnswer(from: &reader))
        case 4: self = .handshake(try reader.bytes(atMost: Limits.maximumPlainFrameBytes))
        default:
            guard let code = EnclaveErrorCode(rawValue: UInt16(try reader.unsigned(in: 0...0xFFFF))) else {
                throw .outOfRange
            }
            self = .refused(code)
        }
        reader.end()
    }
}

/// State of the enclave as `health` tells it.
public struct HealthAnswer: WireMessage, Equatable {
    /// `starting`, `ok` or `draining`.
    public enum Status: String, CaseIterable, Sendable { case starting, ok, draining }

    /// State of the enclave.
    public let status: Status
    /// `ALFRED_ENV` of the enclave.
    public let environment: String
    /// `dev-shim` or `remote`.
    public let mode: String
    /// Seconds since the process started.
    public let uptimeSeconds: UInt64

    /// A health answer.
    public init(status: Status, environment: String, mode: String, uptimeSeconds: UInt64) {
        self.status = status
        self.environment = environment
        self.mode = mode
        self.uptimeSeconds = uptimeSeconds
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(status.rawValue, environment, mode, uptimeSeconds)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 4)
        guard let status = Status(rawValue: try reader.text(atMost: Limits.maximumWordBytes)) else { throw .outOfRange }
        self.status = status
        environment = try reader.text(atMost: Limits.maximumWordBytes)
        mode = try reader.text(atMost: Limits.maximumWordBytes)
        uptimeSeconds = try reader.unsigned()
        reader.end()
    }
}

/// Payload of Noise message 2: what the enclave grants this session.
public struct SessionTerms: WireMessage, Equatable {
    /// Seconds after which the session takes no new call; the host uses the lesser of this and its own limit.
    public let lifetimeSeconds: UInt32

    /// Terms with a life of `lifetimeSeconds`, 1–3600.
    public init(lifetimeSeconds: UInt32) { self.lifetimeSeconds = lifetimeSeconds }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(lifetimeSeconds)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 1)
        lifetimeSeconds = UInt32(try reader.unsigned(in: 1...UInt64(Limits.maximumSessionSeconds)))
        reader.end()
    }
}
