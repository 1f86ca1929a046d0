import Foundation
import HostProcess
import HostRuntime
import HostStorage

/// The configuration of one command, read from the environment; a violation ends it with status 2.
enum OperatorEnvironment {
    static func load() -> LoadedEnvironment { EnvironmentSource.load(process: .operator) }

    static func database() throws(CommandFailure) -> PostgresConfiguration {
        do throws(ConfigurationError) {
            return PostgresConfiguration(try OperatorConfiguration(load()).forDatabase().database)
        } catch {
            throw .unusable(error.description)
        }
    }

    static func enclave() throws(CommandFailure) -> (EnclaveConnectionConfiguration, AttestationConfiguration) {
        do throws(ConfigurationError) {
            let read = try OperatorConfiguration(load()).forEnclave()
            return (read.enclave, read.attestation)
        } catch {
            throw .unusable(error.description)
        }
    }

    /// Only what evidence must satisfy: no host key is needed to judge an enclave.
    static func attestation() throws(CommandFailure) -> AttestationConfiguration {
        var reader = ConfigurationReader(load())
        let attestation = AttestationConfiguration(reading: &reader)
        do throws(ConfigurationError) {
            try reader.finish()
            return attestation
        } catch {
            throw .unusable(error.description)
        }
    }
}
