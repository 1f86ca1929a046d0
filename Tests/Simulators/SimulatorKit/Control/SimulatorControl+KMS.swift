import Foundation
import NIOHTTP1

extension SimulatorControl {
    /// The keys of the simulated KMS.
    public func kmsKeys() async throws -> [KMSKeyDescription] {
        try await get("/kms/keys")
    }

    /// Adds a key, or changes alias, state and policy of one.
    public func putKMSKey(_ key: KMSKeyDescription) async throws {
        try await send(.PUT, "/kms/keys", key)
    }

    /// Gives the key that is there from the start another policy, in JSON.
    public func setKMSPolicy(_ text: String) async throws {
        try await putKMSKey(KMSKeyDescription(arn: KMSSettings.keyARN, policyText: text))
    }

    /// Credentials that the simulated AWS accepts from now on.
    public func addAWSCredentials(_ set: AWSCredentialSet) async throws {
        try await send(.POST, "/kms/credentials", set)
    }

    /// Credentials that are unknown from now on.
    public func removeAWSCredentials(id: String) async throws {
        try await send(.DELETE, "/kms/credentials", query: ["id": id])
    }

    /// What a principal's own policy allows it.
    public func setIdentityPolicy(_ policy: JSONValue, of principal: String) async throws {
        try await send(.PUT, "/kms/identity-policy", query: ["principal": principal], policy)
    }

    /// Makes KMS misbehave, or behave again.
    public func setKMSBehaviour(_ behaviour: KMSBehaviour) async throws {
        try await send(.PUT, "/kms/behaviour", behaviour)
    }

    /// DER of the root that signs the documents of secure modules.
    public func setNitroRoot(_ root: [UInt8]?) async throws {
        try await send(.PUT, "/kms/root", root)
    }

    /// What the instance metadata says from now on; a new set of credentials is made.
    public func setInstanceMetadata(_ settings: InstanceMetadataSettings) async throws {
        try await send(.PUT, "/metadata/settings", settings)
    }
}
