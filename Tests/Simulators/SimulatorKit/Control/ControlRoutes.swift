import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import ServiceLifecycle

/// The control API: plain JSON over HTTP on loopback, for tests and people, never for product code.
struct ControlRoutes: Sendable {
    let google: GoogleSimulator
    let clerk: ClerkSimulator
    let apns: APNsSimulator
    let kms: KMSSimulator
    let metadata: InstanceMetadata
    let openRouter: OpenRouterSimulator
    let secureModules: SecureModules
    let ledger: Ledger
    let faults: FaultBoard

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("health") { _, _ in try Self.json(["ok": true]) }
        records(router)
        googleRoutes(router)
        googleAccounts(router)
        clerkRoutes(router)
        apnsRoutes(router)
        kmsRoutes(router)
        openRouterRoutes(router)
        nitroRoutes(router)
        return router
    }

    private func records(_ router: Router<BasicRequestContext>) {
        router.get("calls") { _, _ in try Self.json(await ledger.callCounts()) }
        router.delete("calls") { _, _ in
            await ledger.resetCalls()
            return HTTPResponse.Status.noContent
        }
        router.get("secrets") { _, _ in try Self.json(await ledger.records()) }
        router.get("faults") { _, _ in try Self.json(await faults.list()) }
        router.post("faults") { request, _ in
            await faults.set(try await Self.body(Fault.self, of: request))
            return HTTPResponse.Status.noContent
        }
        router.delete("faults") { request, _ in
            let name = request.uri.queryParameters.get("provider")
            await faults.clear(try name.map { try Self.value(Provider(rawValue: $0)) })
            return HTTPResponse.Status.noContent
        }
    }

    private func clerkRoutes(_ router: Router<BasicRequestContext>) {
        router.post("clerk/tokens") { request, _ in
            try Self.json(["token": try await clerk.mint(try await Self.body(TokenRequest.self, of: request))])
        }
        router.post("clerk/rotate") { request, _ in
            let keepOld = request.uri.queryParameters.get("keep_old") == "true"
            return try Self.json(["kid": try await clerk.rotateKeys(keepOld: keepOld)])
        }
        router.put("clerk/settings") { request, _ in
            await clerk.setSettings(try await Self.body(ClerkSettings.self, of: request))
            return HTTPResponse.Status.noContent
        }
    }

    private func apnsRoutes(_ router: Router<BasicRequestContext>) {
        router.get("apns/deliveries") { _, _ in try Self.json(await apns.log.all()) }
        router.delete("apns/deliveries") { _, _ in
            await apns.log.clear()
            return HTTPResponse.Status.noContent
        }
        router.get("apns/deliveries/next") { request, _ in
            let after = request.uri.queryParameters.get("after", as: Int.self) ?? 0
            let milliseconds = request.uri.queryParameters.get("milliseconds", as: Int.self) ?? 10_000
            let wait = Duration.milliseconds(min(max(milliseconds, 0), 60_000))
            let found = await cancelWhenGracefulShutdown { await apns.log.next(after: after, within: wait) }
            guard let found else { return Response(status: .noContent) }
            return try Self.json(found)
        }
        router.put("apns/devices") { request, _ in
            let state = try await Self.body(DeviceState.self, of: request)
            await apns.setDevice(try Self.value(request.uri.queryParameters.get("token")), state)
            return HTTPResponse.Status.noContent
        }
        router.put("apns/provider") { request, _ in
            let provider = try await Self.body(PushProvider.self, of: request)
            do {
                try await apns.setProvider(provider)
            } catch {
                throw HTTPError(.badRequest, message: "not a P-256 public key in PEM")
            }
            return HTTPResponse.Status.noContent
        }
    }

    // MARK: - Helpers

    static func json(_ value: some Encodable) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(value))))
    }

    static func body<Value: Decodable>(_ type: Value.Type, of request: Request) async throws -> Value {
        let bytes = try await request.body.collect(upTo: 16 * 1024 * 1024)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes.readableBytesView))
        } catch {
            throw HTTPError(.badRequest, message: "not the JSON of \(type): \(error)")
        }
    }

    static func value<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw HTTPError(.badRequest, message: "a query parameter is missing or wrong") }
        return value
    }
}
