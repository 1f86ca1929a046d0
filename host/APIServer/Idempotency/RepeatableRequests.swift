import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HTTPTypes
import HostRuntime
import HostStorage

/// Answers a repeated request with the answer that the first one got; only the enclave can open what is kept of it.
struct RepeatableRequests: Sendable {
    /// The answer waits for its being stored no longer than this: a client that got it does not repeat.
    static let storeTimeout = Duration.seconds(3)
    /// Refusals that another try meets again.
    static let repeatedRefusals: Set<Int> = [400, 404, 422]

    let answers: IdempotentAnswerRepository
    let enclave: any EnclavePort
    /// How long a request may run; one that is older is taken for dead.
    let lock: Duration

    /// Runs `work` unless this request was answered before.
    func answer(
        _ call: APICall, _ user: UserID, route: Route, key: IdempotencyKey,
        rendering: (APIError) -> APIAnswer, _ work: () async throws(APIError) -> APIAnswer
    ) async throws(APIError) -> APIAnswer {
        let attempt = IdempotentAttempt(
            user: user.uuid, route: "\(route.method.rawValue) \(route.template)", keyHash: key.hash,
            requestHash: key.hash(ofRequest: call.body.canonical), lock: lock)
        let reservation = try await stored(call) { () throws(StorageError) in try await answers.reserve(attempt) }
        switch reservation {
        case .inProgress: throw APIError(.idempotencyInProgress)
        case .reused: throw APIError(.idempotencyKeyReused)
        case .answered(let id, let status, let sealed):
            let item = DataItem(purpose: .apiAnswer, user: user, recordID: id.lowercased, content: sealed)
            return try KeptAnswer.read(try await enclave.openOne(item, call), status: status)
        case .mine(let id):
            do throws(APIError) {
                let answer = try await work()
                await keep(answer, id, user, call)
                return answer
            } catch {
                guard Self.repeatedRefusals.contains(error.code.status) else {
                    try? await finishing { () throws(APIError) in try? await answers.release(id, of: user.uuid) }
                    throw error
                }
                await keep(rendering(error), id, user, call)
                throw error
            }
        }
    }

    /// Stores an answer; one that cannot be stored is given up, so that a repeated request is done again.
    private func keep(_ answer: APIAnswer, _ id: UUID, _ user: UserID, _ call: APICall) async {
        let content = KeptAnswer.write(answer)
        try? await finishing { () throws(APIError) in
            var isStored = false
            let item = DataItem(purpose: .apiAnswer, user: user, recordID: id.lowercased, content: content)
            if let sealed = try? await enclave.sealOne(item, call, within: Self.storeTimeout) {
                isStored =
                    (try? await answers.store(
                        id, of: user.uuid, status: answer.status.code, sealed: sealed.bytes,
                        sealedKeyVersion: sealed.keyVersion)) != nil
            }
            guard !isStored else { return }
            call.log.event("idempotent_answer_lost", .warn)
            try? await answers.release(id, of: user.uuid)
        }
    }
}

/// The sealed form of an answer: its content type and its body.
enum KeptAnswer {
    private static let types = ["application/json", ErrorEnvelope.problemType]

    static func write(_ answer: APIAnswer) -> [UInt8] {
        [UInt8(types.firstIndex(of: answer.contentType) ?? 0)] + answer.body
    }

    static func read(_ content: [UInt8], status: Int) throws(APIError) -> APIAnswer {
        guard let type = content.first, types.indices.contains(Int(type)) else { throw APIError(.internalError) }
        return APIAnswer(
            status: HTTPResponse.Status(code: status), headers: [.idempotencyReplayed: "true"],
            contentType: types[Int(type)], body: Array(content.dropFirst()))
    }
}
