import AsyncHTTPClient
import EnclaveClient
import Foundation
import HostRuntime
import NIOCore
import NIOHTTP1

/// The credentials of the instance's role, from version 2 of the instance metadata service: a token first, then the
/// role's name, then its credentials.
struct InstanceMetadata: Sendable {
    /// Longest answer that is read.
    static let maximumAnswerBytes = 64 * 1024
    /// Limit of the three requests together.
    static let timeout = Duration.seconds(5)
    /// Life asked for the token, in seconds: it serves two requests.
    static let tokenSeconds = 60

    let endpoint: ServiceURL

    /// What the service gives.
    struct Credentials: Sendable {
        let accessKeyID: String
        let secretAccessKey: String
        let sessionToken: String
        let expiration: Date
    }

    private struct Document: Decodable {
        let Code: String
        let AccessKeyId: String
        let SecretAccessKey: String
        let Token: String
        let Expiration: String
    }

    /// Asks now.
    func credentials() async throws(CredentialSourceError) -> Credentials {
        // A client of its own for a few requests an hour: nothing is left open between them.
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(2)), decompression: .disabled)
        configuration.httpVersion = .http1Only
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result = await result(client)
        try? await client.shutdown()
        return try result.get()
    }

    private func result(_ client: HTTPClient) async -> Result<Credentials, CredentialSourceError> {
        do {
            return .success(try await withDeadline(Self.timeout) { try await ask(client) })
        } catch let error as CredentialSourceError {
            return .failure(error)
        } catch {
            return .failure(.unreachable)
        }
    }

    private func ask(_ client: HTTPClient) async throws -> Credentials {
        let token = try await text(
            client, .PUT, "/latest/api/token", ("x-aws-ec2-metadata-token-ttl-seconds", "\(Self.tokenSeconds)"))
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw CredentialSourceError.malformed
        }
        let path = "/latest/meta-data/iam/security-credentials/"
        let header = ("x-aws-ec2-metadata-token", token)
        let names = try await text(client, .GET, path, header)
        guard let role = names.split(whereSeparator: \.isNewline).first, role.utf8.count <= 64,
            role.unicodeScalars.allSatisfy(Self.roleCharacters.contains)
        else { throw CredentialSourceError.malformed }
        return try Self.credentials(in: try await text(client, .GET, path + role, header))
    }

    private static let roleCharacters = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-")

    private static func credentials(in text: String) throws(CredentialSourceError) -> Credentials {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(text.utf8)),
            document.Code == "Success", let expiration = ISO8601DateFormatter().date(from: document.Expiration)
        else { throw .malformed }
        return Credentials(
            accessKeyID: document.AccessKeyId, secretAccessKey: document.SecretAccessKey,
            sessionToken: document.Token, expiration: expiration)
    }

    private func text(
        _ client: HTTPClient, _ method: HTTPMethod, _ path: String, _ header: (name: String, value: String)
    ) async throws -> String {
        var request = HTTPClientRequest(url: endpoint.text + path)
        request.method = method
        request.headers.add(name: header.name, value: header.value)
        let response = try await client.execute(request, timeout: TimeAmount(Self.timeout))
        switch response.status.code {
        case 200: break
        // No such document: the instance has no role.
        case 404: throw CredentialSourceError.none
        default: throw CredentialSourceError.refused
        }
        let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
        guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
            throw CredentialSourceError.malformed
        }
        return text
    }
}
