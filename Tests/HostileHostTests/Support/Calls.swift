import AttestedSession
import EnclaveProtocol

/// How a call ended, as far as tests compare it.
enum Outcome: Equatable {
    case answered
    case refused(EnclaveErrorCode)
    case failed(CallFailure)

    init(_ result: Result<[UInt8], CallFailure>) {
        switch result {
        case .success: self = .answered
        case .failure(.refused(let failure)): self = .refused(failure.code)
        case .failure(let failure): self = .failed(failure)
        }
    }
}

extension Session {
    /// Makes a call with any bytes as its body.
    func send(_ method: Method, _ body: [UInt8], seconds: Int = 20) async -> Result<[UInt8], CallFailure> {
        await withCheckedContinuation { continuation in
            let call = OutgoingCall(method: method, body: body, deadline: soon(seconds), requestID: "hostile")
            _ = start(call) { continuation.resume(returning: $0) }
        }
    }

    /// How a call ends.
    func outcome(_ method: Method, _ request: some WireMessage) async -> Outcome {
        Outcome(await send(method, request.encoded()))
    }

    /// The answer of a call that must succeed.
    func answer<Answer: WireMessage>(
        _ method: Method, _ request: some WireMessage, _ type: Answer.Type
    ) async throws -> Answer {
        try Answer(decoding: try await send(method, request.encoded()).get())
    }

    /// The results of one item of `data.open`.
    func open(_ item: DataItem) async throws -> Result<[UInt8], EnclaveErrorCode>? {
        try await answer(.dataOpen, DataItems([item]), DataResults.self).results.first
    }

    /// The bytes of one item, sealed; it must succeed.
    func seal(_ item: DataItem) async throws -> [UInt8] {
        guard let result = try await answer(.dataSeal, DataItems([item]), DataResults.self).results.first else {
            throw EnclaveErrorCode.internalFailure
        }
        return try result.get()
    }
}

extension DataItem {
    /// The same item with some of it replaced.
    func with(
        purpose: DataPurpose? = nil, user: UserID? = nil, recordID: String? = nil, recordVersion: UInt64? = nil,
        content: [UInt8]? = nil
    ) -> DataItem {
        DataItem(
            purpose: purpose ?? self.purpose, user: user ?? self.user, recordID: recordID ?? self.recordID,
            recordVersion: recordVersion ?? self.recordVersion, content: content ?? self.content)
    }
}

extension SealedRecord {
    /// The same record with some of it replaced.
    func with(
        sealed: [UInt8]? = nil, recordVersion: UInt64? = nil, keyID: String? = nil, keyVersion: UInt32? = nil
    ) -> SealedRecord {
        SealedRecord(
            sealed: sealed ?? self.sealed, recordVersion: recordVersion ?? self.recordVersion,
            keyID: keyID ?? self.keyID, keyVersion: keyVersion ?? self.keyVersion)
    }
}
