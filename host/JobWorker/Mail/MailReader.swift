import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HostStorage
import LLMGateway

/// Reads what a user's inbox holds through the enclave: ids, and headers and snippet of single messages.
struct MailReader: Sendable {
    /// Messages fetched at once.
    static let parallel = 5

    let enclave: any WorkerEnclave
    let user: UUID
    let connector: Connector
    let context: CallContext

    /// Ids of unread messages of the last days, newest first.
    func unread(days: UInt8, maximum: UInt8) async throws(EnclaveCallError) -> [String] {
        let answer = try await enclave.getGoogle(
            user: UserID(user), connector: ConnectorID(connector.id),
            resource: .gmailMessages(newerThanDays: days, unread: true, maxResults: maximum), context: context)
        guard let list = MailList(json: try GoogleAnswer.content(answer)) else {
            throw .failed(EnclaveFailure(.providerResponseInvalid))
        }
        return list.ids
    }

    /// The messages that could be fetched, newest first; throws the last failure when none could.
    func messages(_ ids: [String]) async throws(EnclaveCallError) -> [MailMaterial] {
        var found: [(Int, MailMaterial)] = []
        var failure: EnclaveCallError?
        for start in stride(from: 0, to: ids.count, by: Self.parallel) {
            let batch = ids[start..<min(start + Self.parallel, ids.count)]
            let results = await withTaskGroup(of: (Int, Result<MailMaterial, EnclaveCallError>).self) { group in
                for (offset, id) in batch.enumerated() {
                    group.addTask { (start + offset, await message(id)) }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            for (place, result) in results {
                switch result {
                case .success(let message): found.append((place, message))
                case .failure(let error): failure = error
                }
            }
        }
        if found.isEmpty, let failure { throw failure }
        return found.sorted { $0.0 < $1.0 }.map(\.1)
    }

    private func message(_ id: String) async -> Result<MailMaterial, EnclaveCallError> {
        do throws(EnclaveCallError) {
            let answer = try await enclave.getGoogle(
                user: UserID(user), connector: ConnectorID(connector.id), resource: .gmailMetadata(id: id),
                context: context)
            guard let message = MailMessage(json: try GoogleAnswer.content(answer)), message.material.id == id
            else { throw .failed(EnclaveFailure(.providerResponseInvalid)) }
            return .success(message.material)
        } catch {
            return .failure(error)
        }
    }
}
