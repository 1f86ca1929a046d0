import EnclaveProtocol

/// Decodes the input as every message there is; what decodes has exactly this one encoding.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMessages(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let isWellFormed = (try? CBORReader.checkWellFormed(bytes)) != nil
    for type in everyMessage { check(type, bytes, isWellFormed) }
    return 0
}

private func check(_ type: any WireMessage.Type, _ bytes: [UInt8], _ isWellFormed: Bool) {
    guard let message = try? type.init(decoding: bytes) else { return }
    precondition(message.encoded() == bytes, "\(type) decodes what it would not encode")
    precondition(isWellFormed, "\(type) decodes what is not well formed")
}

private let everyMessage: [any WireMessage.Type] = [
    CallEnvelope.self, Challenge.self, ChallengeAnswer.self, ConnectorReference.self, ConnectorRewrapAnswer.self,
    DataItem.self, DataItems.self,
    DataResults.self, DocumentAnswer.self, EmptyMessage.self, EnclaveFailure.self, EnclaveMetrics.self, Evidence.self,
    GoogleConnectBegin.self, GoogleConnectBeginAnswer.self, GoogleConnectComplete.self,
    GoogleConnectCompleteAnswer.self, GoogleGet.self, GoogleGetAnswer.self, GoogleRefreshAnswer.self,
    GoogleResource.self, GoogleRevokeAnswer.self, HealthAnswer.self, HelloAnswer.self, HelloRequest.self,
    IdentityDocument.self, KMSCredentials.self, KMSCredentialsAnswer.self, KeysStatus.self, RecordGetAnswer.self,
    RecordPut.self, RecordPutAnswer.self, SealedRecord.self,
    SessionTerms.self, VaultForget.self, WrappedKey.self, WrappedKeyGetAnswer.self, WrappedKeyPut.self,
    WrappedKeyPutAnswer.self, WrappedKeyReference.self,
]
