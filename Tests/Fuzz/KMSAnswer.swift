import Sodium

@testable import EnclaveRuntime

private let key = RecipientKey()
private let pinned = AWSKeyID("arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab")

/// Reads the input as an answer of KMS, as its refusal, and as an envelope for a key that nobody knows.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzKMSAnswer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    guard let key, let pinned else { return 0 }
    for operation in [KMSOperation.generateDataKey, .decrypt([1])] {
        guard let answer = try? KMSAnswer(bytes, to: operation, key: pinned) else { continue }
        precondition(bytes.contains(pinned.arn), "an answer without the key's name was taken")
        open(answer.envelope, key)
    }
    for status in [400, 403, 500] { _ = KMSAnswer.fault(status: status, body: bytes) }
    open(bytes, key)
    return 0
}

/// What was made up may have good padding by chance, but is no data key: that takes sixteen right bytes.
private func open(_ envelope: [UInt8], _ key: RecipientKey) {
    guard let opened = key.open(envelope, atMost: 32) else { return }
    let count = opened.count
    precondition(count != 32, "an envelope that was made up opened")
}

extension [UInt8] {
    fileprivate func contains(_ text: String) -> Bool {
        let text = Array(text.utf8)
        // A slash may be written with an escape.
        let plain = filter { $0 != UInt8(ascii: "\\") }
        guard plain.count >= text.count else { return false }
        return (0...(plain.count - text.count)).contains { plain[$0..<($0 + text.count)].elementsEqual(text) }
    }
}
