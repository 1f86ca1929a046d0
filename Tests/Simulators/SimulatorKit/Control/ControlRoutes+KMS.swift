import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore

extension ControlRoutes {
    func kmsRoutes(_ router: Router<BasicRequestContext>) {
        router.get("kms/keys") { _, _ in try Self.json(await kms.keys()) }
        router.put("kms/keys") { request, _ in
            try await kms.put(try await Self.body(KMSKeyDescription.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.post("kms/credentials") { request, _ in
            await kms.add(try await Self.body(AWSCredentialSet.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.delete("kms/credentials") { request, _ in
            await kms.removeCredentials(try Self.value(request.uri.queryParameters.get("id")))
            return HTTPResponse.Status.noContent
        }
        router.put("kms/identity-policy") { request, _ in
            let principal = try Self.value(request.uri.queryParameters.get("principal"))
            await kms.setIdentityPolicy(try await Self.body(JSONValue.self, of: request), of: principal)
            return HTTPResponse.Status.noContent
        }
        router.put("kms/behaviour") { request, _ in
            await kms.setBehaviour(try await Self.body(KMSBehaviour.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.put("kms/root") { request, _ in
            await kms.setRoot(try await Self.body([UInt8]?.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.put("metadata/settings") { request, _ in
            await metadata.set(try await Self.body(InstanceMetadataSettings.self, of: request))
            return HTTPResponse.Status.noContent
        }
    }
}
