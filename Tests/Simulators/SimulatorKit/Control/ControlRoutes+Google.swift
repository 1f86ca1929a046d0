import HTTPTypes
import Hummingbird
import HummingbirdCore

extension ControlRoutes {
    func googleRoutes(_ router: Router<BasicRequestContext>) {
        router.put("google/client") { request, _ in
            await google.setClient(try await Self.body(GoogleClient.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.put("google/consent") { request, _ in
            await google.setConsent(try await Self.body(ConsentPolicy.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.delete("google/consent") { _, _ in
            await google.setConsent(nil)
            return HTTPResponse.Status.noContent
        }
        router.put("google/rotation") { request, _ in
            let mode = request.uri.queryParameters.get("mode").flatMap(RefreshRotation.init(rawValue:))
            await google.setRotation(try Self.value(mode))
            return HTTPResponse.Status.noContent
        }
        router.put("google/tokens") { request, _ in
            await google.setTokens(try await Self.body(TokenSettings.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.post("google/expire-access-tokens") { request, _ in
            await google.expireAccessTokens(of: request.uri.queryParameters.get("account"))
            return HTTPResponse.Status.noContent
        }
        router.get("google/live") { request, _ in
            let token = try Self.value(request.uri.queryParameters.get("token"))
            return try Self.json(["live": await google.isLive(token: token)])
        }
        router.get("google/grant") { request, _ in
            try Self.json(await google.grant(of: try Self.account(request)))
        }
        router.delete("google/grant") { request, _ in
            await google.withdrawConsent(of: try Self.account(request))
            return HTTPResponse.Status.noContent
        }
    }

    func googleAccounts(_ router: Router<BasicRequestContext>) {
        router.get("google/events") { request, _ in
            try Self.json(await google.events(of: try Self.account(request)))
        }
        router.put("google/events") { request, _ in
            let account = try Self.account(request)
            await google.setEvents(try await Self.body([CalendarEvent].self, of: request), of: account)
            return HTTPResponse.Status.noContent
        }
        router.post("google/events") { request, _ in
            let account = try Self.account(request)
            await google.putEvent(try await Self.body(CalendarEvent.self, of: request), of: account)
            return HTTPResponse.Status.noContent
        }
        router.delete("google/events") { request, _ in
            let id = try Self.value(request.uri.queryParameters.get("id"))
            await google.removeEvent(id, of: try Self.account(request))
            return HTTPResponse.Status.noContent
        }
        router.put("google/messages") { request, _ in
            let account = try Self.account(request)
            await google.setMessages(try await Self.body([GmailMessage].self, of: request), of: account)
            return HTTPResponse.Status.noContent
        }
    }

    private static func account(_ request: Request) throws -> String {
        try value(request.uri.queryParameters.get("account"))
    }
}
