import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HostRuntime
import HostStorage

/// Conversations whose memory only the enclave can open.
struct AssistantSessions: Sendable {
    /// A session as it was found.
    struct Found: Sendable {
        /// What is stored, if anything is.
        let stored: StoredAssistantSession?
        let memory: AssistantMemory
        /// There was a memory, and it could not be read.
        let wasReset: Bool

        /// The turns that the stored row counts; a memory that was dropped counts none.
        var turnCount: Int { wasReset ? 0 : stored?.turnCount ?? 0 }
    }

    /// How storing a turn ended.
    struct Kept: Sendable {
        let turnCount: Int
        /// Nil when it was not stored.
        let expiresAt: Date?
    }

    let sessions: AssistantSessionRepository
    let enclave: any EnclavePort

    /// The user's session; an unknown id, and another user's, is a new one.
    func load(_ session: UUID, of user: UserID, _ call: APICall) async throws(APIError) -> Found {
        let row = try await stored(call) { () throws(StorageError) in try await sessions.find(session, of: user.uuid) }
        guard let row else { return Found(stored: nil, memory: .empty, wasReset: false) }
        let item = DataItem(
            purpose: .assistantMemory, user: user, recordID: session.lowercased,
            recordVersion: UInt64(clamping: row.recordVersion), content: row.sealedMemory)
        let results: DataResults
        do throws(EnclaveCallError) {
            results = try await enclave.open([item], context: call.enclaveContext)
        } catch {
            call.note(error, during: "data.open")
            throw APIError(error, during: .data)
        }
        guard case .success(let json) = results.results.first, let memory = AssistantMemory(json: json) else {
            call.log.event("assistant_memory_dropped", .warn)
            return Found(stored: row, memory: .empty, wasReset: true)
        }
        return Found(stored: row, memory: memory, wasReset: false)
    }

    /// Stores one more turn; who was overtaken by another turn reads again and appends once more.
    func keep(
        _ found: Found, _ session: UUID, of user: UserID, _ call: APICall,
        append: (inout AssistantMemory) -> Void
    ) async -> Kept {
        var current = found
        for _ in 0..<2 {
            var memory = current.memory
            append(&memory)
            let version = (current.stored?.recordVersion ?? 0) + 1
            let count = current.turnCount + 1
            let item = DataItem(
                purpose: .assistantMemory, user: user, recordID: session.lowercased,
                recordVersion: UInt64(clamping: version), content: memory.json)
            guard let sealed = try? await enclave.sealOne(item, call) else { break }
            let record = StoredAssistantSession(
                row: current.stored?.row ?? UUID(), lastCapability: AssistantQuery.capability, turnCount: count,
                sealedMemory: sealed.bytes, recordVersion: version)
            do throws(APIError) {
                let expiry = try await stored(call) { () throws(StorageError) in
                    try await sessions.store(session, of: user.uuid, record, sealedKeyVersion: sealed.keyVersion)
                }
                if let expiry { return Kept(turnCount: count, expiresAt: expiry) }
                current = try await load(session, of: user, call)
            } catch {
                break
            }
        }
        call.log.event("assistant_memory_not_stored", .warn)
        return Kept(turnCount: found.turnCount, expiresAt: nil)
    }
}
