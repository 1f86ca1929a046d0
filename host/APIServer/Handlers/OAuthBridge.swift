import HTTPTypes

/// Sends the browser from Google's redirect on to the app; looks nothing up and logs nothing of the query.
struct OAuthBridge: Sendable {
    static let target = "alfred://oauth/google/callback"
    static let maximumValueBytes = 2048
    private static let copied = ["code", "state", "error", "error_description", "scope"]

    func redirect(_ call: APICall) -> APIAnswer {
        let query = call.query ?? ""
        let fields = Self.copied.compactMap { name -> (String, String)? in
            guard let value = FormFields.first(name, in: query), value.utf8.count <= Self.maximumValueBytes else {
                return nil
            }
            return (name, value)
        }
        return APIAnswer(
            status: .seeOther,
            headers: [.location: "\(Self.target)?\(FormFields.encode(fields))", .referrerPolicy: "no-referrer"],
            contentType: "text/plain; charset=utf-8", body: [])
    }
}
