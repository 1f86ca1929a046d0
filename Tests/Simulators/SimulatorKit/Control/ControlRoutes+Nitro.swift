import HTTPTypes
import Hummingbird
import HummingbirdCore
import SimulatedNitro

extension ControlRoutes {
    func nitroRoutes(_ router: Router<BasicRequestContext>) {
        router.get("nitro/modules") { _, _ in try Self.json(secureModules.describe()) }
        router.put("nitro/modules") { request, _ in
            let settings = try await Self.body(SecureModuleSettings.self, of: request)
            do {
                try secureModules.put(settings)
            } catch {
                throw HTTPError(.badRequest, message: "cannot listen at \(settings.socket): \(error)")
            }
            return HTTPResponse.Status.noContent
        }
        router.put("nitro/behaviour") { request, _ in
            let query = request.uri.queryParameters
            secureModules.misbehave(
                try await Self.body(Misbehaviour?.self, of: request), socket: query.get("socket"),
                times: query.get("times", as: Int.self))
            return HTTPResponse.Status.noContent
        }
    }
}
