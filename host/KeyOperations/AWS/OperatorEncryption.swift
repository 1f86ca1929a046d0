import AsyncHTTPClient
public import EnclaveClient
import EnclaveProtocol
import Foundation
public import HostRuntime
import NIOCore
import NIOHTTP1
import NIOSSL

/// Makes `kms:` values: secrets of the enclave, encrypted by the operator, opened only by an attested enclave.
public struct OperatorEncryption: Sendable {
    /// Why a value was not made.
    public enum Failure: Error, Equatable, Sendable {
        case credentials(CredentialSourceError)
        case unreachable
        /// KMS refused; its error type, such as `AccessDeniedException`.
        case refused(String)
        /// The answer is none of KMS's, or names another key.
        case answerInvalid
    }

    /// Most bytes that KMS encrypts directly.
    public static let maximumBytes = 4096
    static let maximumAnswerBytes = 64 * 1024
    static let timeout = Duration.seconds(10)

    private let key: CloudKeyConfiguration
    private let source: any CredentialSource
    private let rootsFile: String?

    /// Encryption under `key`, with the roots of `rootsFile` or the public ones.
    public init(_ key: CloudKeyConfiguration, credentials: any CredentialSource, rootsFile: String?) {
        self.key = key
        source = credentials
        self.rootsFile = rootsFile
    }

    /// `kms:<base64>` or, with a version, `kms:<version>:<base64>`; the context names the variable and the version.
    public func value(of secret: [UInt8], named name: String, version: UInt32?) async throws(Failure) -> String {
        var context = ["purpose": name]
        if let version { context["version"] = String(version) }
        let request = Encrypt(
            KeyId: key.keyARN, Plaintext: Data(secret).base64EncodedString(), EncryptionContext: context)
        guard let body = try? JSONEncoder().encode(request) else { throw .answerInvalid }
        let answer = try await post(Array(body))
        guard answer.KeyId == key.keyARN, let blob = answer.CiphertextBlob, Data(base64Encoded: blob) != nil else {
            throw .answerInvalid
        }
        return version.map { "kms:\($0):\(blob)" } ?? "kms:\(blob)"
    }

    private struct Encrypt: Encodable {
        let KeyId: String
        let Plaintext: String
        let EncryptionContext: [String: String]
    }

    private struct Answer: Decodable {
        let CiphertextBlob: String?
        let KeyId: String?
        let __type: String?
    }

    private func post(_ body: [UInt8]) async throws(Failure) -> Answer {
        let request = try await signed(body)
        var tls = TLSConfiguration.makeClientConfiguration()
        if let rootsFile { tls.trustRoots = .file(rootsFile) }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)),
            decompression: .disabled)
        configuration.httpVersion = .http1Only
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let exchanged = await exchange(request, client)
        try? await client.shutdown()
        let (status, bytes) = try exchanged.get()
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)) else { throw .answerInvalid }
        guard status == 200 else {
            // Only the error's type: its message repeats the request.
            let type = answer.__type?.split(separator: "#").last.map(String.init) ?? "HTTP \(status)"
            throw .refused(String(type.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == " ") }.prefix(64)))
        }
        return answer
    }

    private func exchange(
        _ request: HTTPClientRequest, _ client: HTTPClient
    ) async -> Result<(status: Int, body: [UInt8]), Failure> {
        do {
            let response = try await client.execute(request, timeout: TimeAmount(Self.timeout))
            let bytes = try await response.body.collect(upTo: Self.maximumAnswerBytes)
            return .success((Int(response.status.code), Array(bytes.readableBytesView)))
        } catch {
            return .failure(.unreachable)
        }
    }

    private func signed(_ body: [UInt8]) async throws(Failure) -> HTTPClientRequest {
        let host = key.endpoint.port.map { "\(key.endpoint.host):\($0)" } ?? key.endpoint.host
        var headers = [
            "host": host, "content-type": "application/x-amz-json-1.1", "x-amz-target": "TrentService.Encrypt",
            "x-amz-date": RequestSignature.time(Date()),
        ]
        do throws(CredentialSourceError) {
            let set = try await source.credentials()
            if let token = set.sessionToken { headers["x-amz-security-token"] = String(decoding: token, as: UTF8.self) }
            headers["authorization"] =
                RequestSignature(
                    accessKeyID: set.accessKeyID, secretAccessKey: set.secretAccessKey, region: key.region,
                    service: "kms"
                ).header(over: headers, body: body)
        } catch {
            throw .credentials(error)
        }
        var request = HTTPClientRequest(url: key.endpoint.text + "/")
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
    }
}
