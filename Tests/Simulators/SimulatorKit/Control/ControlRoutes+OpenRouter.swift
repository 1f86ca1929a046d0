import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore

extension ControlRoutes {
    func openRouterRoutes(_ router: Router<BasicRequestContext>) {
        router.put("openrouter/behaviour") { request, _ in
            await openRouter.setBehaviour(try await Self.body(OpenRouterBehaviour.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.get("openrouter/requests") { _, _ in try Self.json(await openRouter.all()) }
        router.get("openrouter/completions") { _, _ in try Self.json(["count": await openRouter.completions()]) }
        router.delete("openrouter/requests") { _, _ in
            await openRouter.clear()
            return HTTPResponse.Status.noContent
        }
    }
}
