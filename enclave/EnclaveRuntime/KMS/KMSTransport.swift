internal import CCurl
internal import Sodium

/// What comes back of a request to KMS: nothing in it is secret.
struct KMSReply: Sendable {
    let status: Int
    let body: [UInt8]
}

/// The way to KMS; TLS ends here, in the enclave.
protocol KMSTransport: Sendable {
    /// Posts `body` for operation `target`, signed with `credentials`; waits at most `milliseconds`, repeats nothing.
    func post(
        _ body: [UInt8], target: String, credentials: AWSCredentials, milliseconds: Int
    ) throws(ProviderFault) -> KMSReply
}

/// KMS of one region over HTTPS; libcurl signs (AWS Signature Version 4).
struct KMSEndpoint: KMSTransport {
    let url: ProviderURL
    let region: String
    let egress: Egress

    func post(
        _ body: [UInt8], target: String, credentials: AWSCredentials, milliseconds: Int
    ) throws(ProviderFault) -> KMSReply {
        var answer: [UInt8] = []
        let outcome = try unsafe body.span.withUnsafeBytes { (body: UnsafeRawBufferPointer) throws(ProviderFault) in
            try unsafe perform(body, target: target, credentials: credentials, milliseconds) { bytes in
                guard answer.count + bytes.count <= KMSAnswer.maximumBytes else { return false }
                unsafe answer.append(contentsOf: bytes)
                return true
            }
        }
        return KMSReply(status: outcome.status, body: answer)
    }

    private func perform(
        _ body: UnsafeRawBufferPointer, target: String, credentials: AWSCredentials, _ milliseconds: Int,
        receive: @escaping (UnsafeRawBufferPointer) -> Bool
    ) throws(ProviderFault) -> CurlHandle.Outcome {
        let prepare: (CurlHandle) -> Void = { handle in
            // A proxy of few connections stands on the way: none is kept after its request.
            handle.set(CURLOPT_FORBID_REUSE, 1)
            handle.set(CURLOPT_AWS_SIGV4, "aws:amz:\(region):kms")
            handle.set(CURLOPT_USERNAME, credentials.accessKeyID)
            unsafe Self.withLine("", credentials.secretAccessKey) { unsafe handle.set(CURLOPT_PASSWORD, $0) }
            for header in ["Content-Type: application/x-amz-json-1.1", "X-Amz-Target: \(target)"] {
                handle.addHeader(header)
            }
            if let token = credentials.sessionToken {
                unsafe Self.withLine("X-Amz-Security-Token: ", token) { unsafe handle.addHeader($0) }
            }
            unsafe handle.setForm(body)
        }
        return try unsafe egress.perform(url, target: url.text + "/", milliseconds, prepare: prepare, receive: receive)
    }

    /// Lends `prefix` and `secret` as one line that ends in a zero byte; libcurl's copies are wiped when it frees them.
    private static func withLine(_ prefix: String, _ secret: Secret, _ body: (UnsafeRawBufferPointer) -> Void) {
        var line = SecretBuffer(capacity: prefix.utf8.count + secret.count + 1)
        line.append(prefix)
        unsafe secret.withUnsafeBytes { unsafe line.append($0) }
        line.append(UInt8(0))
        unsafe line.withUnsafeBytes { unsafe body($0) }
    }
}
