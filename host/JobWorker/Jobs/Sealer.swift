import EnclaveClient
import EnclaveProtocol
import Foundation
import HostStorage

/// Seals and opens one user's values as JSON.
struct Sealer: Sendable {
    let enclave: any WorkerEnclave
    let user: UUID
    let context: CallContext

    /// Seals each value under its record, in their order; nothing when there are none.
    func seal(
        _ values: [(record: UUID, value: some Encodable)], as purpose: DataPurpose
    ) async throws(JobStop) -> (contents: [[UInt8]], keyVersion: Int) {
        guard !values.isEmpty else { return ([], 0) }
        let encoder = JSONEncoder()
        var items: [DataItem] = []
        for (record, value) in values {
            guard let json = try? encoder.encode(value) else {
                throw JobStop(.permanent(JobProblem(code: "JOB_PAYLOAD_UNREADABLE")))
            }
            items.append(
                DataItem(purpose: purpose, user: UserID(user), recordID: record.lowercased, content: Array(json)))
        }
        do throws(EnclaveCallError) {
            let answer = try await enclave.seal(items, context: context)
            guard answer.results.count == items.count else { throw .answerInvalid }
            var contents: [[UInt8]] = []
            for result in answer.results { contents.append(try result.content()) }
            return (contents, Int(answer.keyVersion))
        } catch {
            throw JobStop(error, during: .data)
        }
    }

    /// A notification for each device, sealed under ids of their own.
    func notifications(
        _ payload: PushPayload, for devices: [Device]
    ) async throws(JobStop) -> [NewPush] {
        let drafts = devices.map { (id: UUID(), device: $0.id) }
        let sealed = try await seal(drafts.map { ($0.id, payload) }, as: .pushPayload)
        return zip(drafts, sealed.contents).map { draft, content in
            NewPush(id: draft.id, device: draft.device, sealedPayload: content, sealedKeyVersion: sealed.keyVersion)
        }
    }

    /// Opens the payload of a job.
    func open<Value: Decodable>(_ sealed: [UInt8], of job: UUID) async throws(JobStop) -> Value {
        let content: [UInt8]
        do throws(EnclaveCallError) {
            let item = DataItem(purpose: .jobPayload, user: UserID(user), recordID: job.lowercased, content: sealed)
            let answer = try await enclave.open([item], context: context)
            guard let result = answer.results.first else { throw .answerInvalid }
            content = try result.content()
        } catch {
            throw JobStop(error, during: .data)
        }
        guard let value = try? JSONDecoder().decode(Value.self, from: Data(content)) else {
            throw JobStop(.permanent(JobProblem(code: "JOB_PAYLOAD_UNREADABLE")))
        }
        return value
    }
}

extension Result<[UInt8], EnclaveErrorCode> {
    /// The bytes, or the item's own failure as if the call had failed with it.
    func content() throws(EnclaveCallError) -> [UInt8] {
        switch self {
        case .success(let bytes): return bytes
        case .failure(let code): throw .failed(EnclaveFailure(code))
        }
    }
}
