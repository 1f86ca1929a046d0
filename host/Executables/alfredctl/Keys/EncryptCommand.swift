import ArgumentParser
import EnclaveClient
import Foundation
import HostRuntime
import KeyOperations

/// Makes the `kms:` value of a secret of the enclave.
struct EncryptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encrypt", abstract: "Reads a secret on standard input, prints its kms: value for the enclave.",
        discussion: "Only an enclave that the key's policy admits can open it. A line end after the secret is dropped.")

    /// Secrets of the enclave that may have the `kms:` form.
    private static let names = ["GOOGLE_OAUTH_CLIENT_SECRET", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY"]
    private static let versionedName = "GOOGLE_OAUTH_CLIENT_SECRET"

    @Argument(help: "Name of the enclave's variable.") var name: String
    @Option(help: "Version of the client secret; required for it, counting up.") var version: Int?
    @Flag(help: "Print one JSON object.") var json = false

    private struct Result: Encodable {
        let name: String
        let version: Int?
        let value: String
    }

    mutating func validate() throws {
        guard Self.names.contains(name) else {
            throw ValidationError("NAME must be one of \(Self.names.joined(separator: ", "))")
        }
        guard (name == Self.versionedName) == (version != nil) else {
            throw ValidationError("--version is for \(Self.versionedName), and required there")
        }
        if let version, !(1...0x7FFF_FFFF).contains(version) { throw ValidationError("--version must be 1 or more") }
    }

    mutating func run() async throws {
        let configured: (general: GeneralConfiguration, key: CloudKeyConfiguration, access: KeyAccessConfiguration)
        do throws(ConfigurationError) {
            configured = try OperatorConfiguration(OperatorEnvironment.load()).forCloudKey()
        } catch {
            throw CommandFailure.unusable(error.description)
        }
        let secret = try secret()
        let encryption = OperatorEncryption(
            configured.key, credentials: HostCredentials(configured.access),
            rootsFile: configured.general.egressCAFile)
        let value: String
        do throws(OperatorEncryption.Failure) {
            value = try await encryption.value(of: secret, named: name, version: version.map(UInt32.init))
        } catch {
            throw CommandFailure.failed("keys encrypt: " + Self.explain(error))
        }
        if json { Output.json(Result(name: name, version: version, value: value)) } else { Output.line(value) }
    }

    private func secret() throws(CommandFailure) -> [UInt8] {
        let limit = OperatorEncryption.maximumBytes
        guard let data = try? FileHandle.standardInput.read(upToCount: limit + 2) else {
            throw .unusable("keys encrypt: standard input cannot be read")
        }
        var bytes = Array(data)
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard (1...limit).contains(bytes.count) else {
            throw .unusable("keys encrypt: standard input must hold a secret of 1 to \(limit) bytes")
        }
        return bytes
    }

    private static func explain(_ failure: OperatorEncryption.Failure) -> String {
        switch failure {
        case .credentials(let error): "no AWS credentials (\(error.rawValue))"
        case .unreachable: "KMS cannot be reached"
        case .refused(let type): "KMS refused: \(type)"
        case .answerInvalid: "KMS answered with something else"
        }
    }
}
