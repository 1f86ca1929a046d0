public import EnclaveProtocol

/// Why a connection or session could not be made.
public enum SessionError: Error, Equatable, Sendable {
    /// The address cannot be resolved, bound or used.
    case addressUnusable
    /// Nobody listens there, or the network refused.
    case unreachable
    /// The deadline passed.
    case timedOut
    /// The peer closed the connection.
    case closedByPeer
    /// The peer sent something that is no message of this protocol, or not in this place.
    case malformed
    /// The enclave answered with an error.
    case refused(EnclaveErrorCode)
    /// The Noise handshake failed: wrong key, or somebody in between.
    case handshakeFailed
    /// A session was asked for without a challenge of purpose `session` answered on this connection.
    case noChallenge
    /// The process has no descriptor or thread left.
    case outOfResources
}

/// Why a session is over.
public enum SessionEnd: Error, Equatable, Sendable {
    /// `Session.close` by the owner, without a fault.
    case closedLocally
    /// The peer closed the connection.
    case closedByPeer
    /// The session's life is over.
    case expired
    /// The process drains.
    case draining
    /// A record does not decrypt: altered, replayed, or of another session.
    case recordRefused
    /// The peer broke the rules of the protocol.
    case protocolViolation(ProtocolViolation)
    /// The peer did not read for 10 seconds.
    case writeStalled
    /// The connection failed.
    case connectionFailed
}

/// Rules whose breach ends a session.
public enum ProtocolViolation: Error, Equatable, Sendable {
    /// A frame longer than a Noise message, or too short for one.
    case frameLength
    /// Unknown kind or flag, or a kind with a wrong body.
    case malformedRecord
    /// A call id of the wrong parity, or not greater than those before.
    case callID
    /// An answer for a call that waits for none.
    case unexpectedAnswer
    /// A message over `Limits.maximumMessageBytes`.
    case messageTooLarge
    /// More bytes than the credit allowed, or credit for bytes that were not sent.
    case credit
    /// More calls in progress, or more unread answers, than the limits allow.
    case tooManyCalls
}
