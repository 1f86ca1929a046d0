public import EnclaveClient
import EnclaveProtocol
public import Foundation
import HostRuntime

/// Seals answers that wait in the cache; only who may ask for a user can open that user's.
public protocol AnswerSealing: Sendable {
    /// Nil when it cannot be sealed now: then the answer is not cached.
    func seal(_ answer: [UInt8], user: UUID, key: String, requestID: String) async -> [UInt8]?
    /// Nil when it does not open: then it is no answer.
    func open(_ sealed: [UInt8], user: UUID, key: String, requestID: String) async -> [UInt8]?
}

extension EnclaveClient: AnswerSealing {
    public func seal(_ answer: [UInt8], user: UUID, key: String, requestID: String) async -> [UInt8]? {
        let item = DataItem(purpose: .llmCache, user: UserID(user), recordID: key, content: answer)
        return try? await seal(item, context: CallContext(requestID: requestID)).sealed
    }

    public func open(_ sealed: [UInt8], user: UUID, key: String, requestID: String) async -> [UInt8]? {
        let item = DataItem(purpose: .llmCache, user: UserID(user), recordID: key, content: sealed)
        return try? await open(item, context: CallContext(requestID: requestID))
    }
}
