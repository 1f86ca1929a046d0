import Foundation
import HTTPTypes

/// `GET /gmail/v1/users/me/messages` and `GET /gmail/v1/users/me/messages/{id}`.
extension GoogleSimulator {
    func gmailMessages(_ request: ProviderRequest) async -> ProviderResponse {
        do throws(ProviderRefusal) {
            let account = try await mailAccount(request, method: "ListMessages")
            let labels = Set(request.query.all("labelIds"))
            let words = (request.query["q"] ?? "").split(separator: " ").map(String.init)
            var found: [GmailMessage] = []
            for message in accounts[account]?.messages ?? [] where labels.isSubset(of: message.labelIds) {
                if try matches(message, words) { found.append(message) }
            }
            found.sort { ($0.internalDate, $0.id) > ($1.internalDate, $1.id) }
            let page = try Page(of: found, request.query, standard: 100, maximum: 500)
            var body: [String: JSONValue] = ["resultSizeEstimate": .integer(found.count)]
            if !page.items.isEmpty {
                body["messages"] = .array(
                    page.items.map { ["id": .string($0.id), "threadId": .string($0.threadId ?? $0.id)] })
            }
            body["nextPageToken"] = page.next.map { .string($0) }
            return .json(try FieldMask.apply(request.query["fields"], to: .object(body)))
        } catch {
            return error.response
        }
    }

    func gmailMessage(_ request: ProviderRequest) async -> ProviderResponse {
        do throws(ProviderRefusal) {
            let account = try await mailAccount(request, method: "GetMessage")
            let id = request.path.split(separator: "/").last.map(String.init)
            guard let message = accounts[account]?.messages.first(where: { $0.id == id }) else {
                throw ProviderRefusal(
                    .api(
                        .notFound, reason: "notFound", message: "Requested entity was not found.", state: "NOT_FOUND",
                        location: nil))
            }
            let format = request.query["format"] ?? "full"
            guard format == "metadata" || format == "minimal" else {
                // The bodies of messages are not simulated: no caller of this project may ask for them.
                throw ProviderRefusal(.badRequest("The simulator answers format=metadata and format=minimal only."))
            }
            let body = item(message, headers: format == "metadata" ? request.query.all("metadataHeaders") : nil)
            return .json(try FieldMask.apply(request.query["fields"], to: body))
        } catch {
            return error.response
        }
    }

    private func mailAccount(_ request: ProviderRequest, method: String) async throws(ProviderRefusal) -> String {
        try await account(
            of: request,
            scopes: [GoogleScope.gmailReadOnly, "https://www.googleapis.com/auth/gmail.metadata"],
            service: "gmail.googleapis.com", method: "caribou.api.proto.MailboxService.\(method)")
    }

    /// The part of Gmail's search language that is understood; anything else is refused, never ignored.
    private func matches(_ message: GmailMessage, _ words: [String]) throws(ProviderRefusal) -> Bool {
        for word in words {
            if let age = word.dropPrefix("newer_than:"), age.hasSuffix("d"), let days = Int(age.dropLast()) {
                let oldest = now().timeIntervalSince1970 - Double(days) * 86_400
                guard Double(message.internalDate) / 1000 >= oldest else { return false }
            } else if word == "is:unread" {
                guard message.labelIds.contains("UNREAD") else { return false }
            } else if word == "in:inbox" {
                guard message.labelIds.contains("INBOX") else { return false }
            } else {
                throw ProviderRefusal(.badRequest("The simulator does not know this search word."))
            }
        }
        return true
    }

    private func item(_ message: GmailMessage, headers names: [String]?) -> JSONValue {
        var members: [String: JSONValue] = [
            "id": .string(message.id), "threadId": .string(message.threadId ?? message.id),
            "labelIds": .array(message.labelIds.map { .string($0) }), "snippet": .string(message.snippet),
            "sizeEstimate": .integer(4096), "historyId": "1001",
            "internalDate": .string(String(message.internalDate)),
        ]
        if let names {
            let wanted = Set(names.map { $0.lowercased() })
            let headers = message.headers.filter { wanted.isEmpty || wanted.contains($0.name.lowercased()) }
            members["payload"] = [
                "partId": "", "mimeType": "text/plain",
                "headers": .array(
                    headers.map { ["name": .string($0.name), "value": .string($0.value)] }),
            ]
        }
        return .object(members)
    }
}
