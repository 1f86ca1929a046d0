internal import AttestedSession
internal import EnclaveProtocol
internal import Sodium

/// The rows of the enclave whose rule is more than a range.
extension Settings {
    mutating func environment(_ executable: EnclaveExecutable) -> DeploymentEnvironment {
        let rule = "must be local, staging or production"
        switch executable {
        case .devShim: return value("ALFRED_ENV", default: .local, rule) { DeploymentEnvironment(rawValue: $0) }
        case .remote: return required("ALFRED_ENV", rule) { DeploymentEnvironment(rawValue: $0) } ?? .production
        }
    }

    mutating func mode(_ executable: EnclaveExecutable, _ environment: DeploymentEnvironment) -> RuntimeMode {
        let standard = environment == .local ? RuntimeMode.devShim : .remote
        let mode = value("ENCLAVE_RUNTIME_MODE", default: standard, "must be dev-shim or remote in an enclave") {
            RuntimeMode(rawValue: $0)
        }
        switch executable {
        case .devShim where environment != .local: violate("ALFRED_ENV", "must be local for enclave-dev-shim")
        case .remote where mode == .devShim:
            violate("ENCLAVE_RUNTIME_MODE", "must be remote: enclave-runtime holds no local evidence and no local KMS")
        default: break
        }
        return mode
    }

    mutating func bindAddress() -> Endpoint {
        value(
            "ENCLAVE_RUNTIME_BIND_ADDR", default: .tcp(host: "127.0.0.1", port: 8181),
            "must be address:port, tcp://address:port, vsock://port or unix:///path"
        ) { Endpoint(bindAddress: $0) }
    }

    mutating func clients() -> [[UInt8]: Role] {
        let name = "ENCLAVE_RPC_ALLOWED_CLIENTS"
        var clients: [[UInt8]: Role] = [:]
        for entry in list(name, default: nil, atMost: 64) {
            let parts = entry.split(separator: ":", maxSplits: 1).map { trimmed(String($0)) }
            guard parts.count == 2, let role = Role(rawValue: parts[0]), let key = Base64.decode(parts[1]),
                key.count == X25519.keyBytes
            else {
                violate(name, "every entry must be role:key, role api, worker or operator, key base64 of 32 bytes")
                continue
            }
            if X25519.isLowOrder(key) { violate(name, "a key of low order is refused") }
            if clients.updateValue(role, forKey: key) != nil { violate(name, "a key may be listed once only") }
        }
        return clients
    }

    mutating func allowedMeasurements() -> [String] {
        let defaults = list("TEE_ALLOWED_MEASUREMENTS", default: ["dev-local-enclave"], atMost: 32)
        let entries = list("KMS_ALLOWED_MEASUREMENTS", default: defaults, atMost: 32)
        return entries.map { entry in
            let measurement = entry.split(separator: "@", maxSplits: 1).last.map(String.init) ?? ""
            if !isName(measurement, atMost: 512, extra: "._:+=-") {
                violate("KMS_ALLOWED_MEASUREMENTS", "every entry must be [name@]measurement of [A-Za-z0-9._:+=-]")
            }
            return measurement
        }
    }

    mutating func keyID(_ executable: EnclaveExecutable) -> String {
        if executable == .remote, given("KMS_KEY_ID")?.hasPrefix("arn:") != true {
            violate("KMS_KEY_ID", "must be an ARN: enclave-runtime holds no local KMS, and outside local there is none")
        }
        return value(
            "KMS_KEY_ID", default: "kms/local/alfred-refresh-token",
            "must be kms/local/<name> or arn:aws:kms:<region>:<account>:key/<uuid>"
        ) { text in
            if text.hasPrefix("kms/local/") {
                return isName(String(text.dropFirst(10)), atMost: 128, extra: "._-") ? text : nil
            }
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 6, parts[0] == "arn", parts[1] == "aws", parts[2] == "kms",
                isName(String(parts[3]), atMost: 32, extra: "-"), decimal(String(parts[4]), in: 0...Int.max) != nil,
                parts[4].utf8.count == 12, parts[5].hasPrefix("key/"), parts[5].utf8.count == 40
            else { return nil }
            return text
        }
    }

    /// `KMS_ENDPOINT_URL`, and `AWS_REGION`, which can only repeat what the ARN says.
    mutating func kmsEndpoint() -> String? {
        if let region = given("AWS_REGION"), let key = given("KMS_KEY_ID"), key.hasPrefix("arn:"),
            key.split(separator: ":", omittingEmptySubsequences: false).dropFirst(3).first.map(String.init) != region
        {
            violate("AWS_REGION", "must be the region of KMS_KEY_ID")
        }
        return value("KMS_ENDPOINT_URL", default: nil, "must be an https URL without a port") { text in
            guard let url = ProviderURL(text), url.scheme == "https", url.text == "https://\(url.host)" else {
                return nil
            }
            return .some(url.text)
        }
    }

    mutating func decryptVersions(active: UInt32) -> [UInt32] {
        let name = "KMS_DECRYPT_KEY_VERSIONS"
        guard given(name) != nil else { return [] }
        let versions = list(name, default: [], atMost: 8).compactMap { decimal($0, in: 1...0x7FFF_FFFF) }.map(
            UInt32.init)
        let entries = list(name, default: [], atMost: 8)
        if versions.count != entries.count || Set(versions).count != versions.count || versions.contains(active) {
            violate(name, "must be up to 8 different integers without KMS_KEY_VERSION")
        }
        return versions
    }

    mutating func google(
        _ environment: DeploymentEnvironment, _ executable: EnclaveExecutable
    ) -> GoogleConfiguration? {
        let clientID = required("GOOGLE_OAUTH_CLIENT_ID", "must be 1 to 255 visible characters") {
            isVisible($0) ? $0 : nil
        }
        let secretName = "GOOGLE_OAUTH_CLIENT_SECRET"
        let secret = secret(secretName, executable)
        if secret == nil, given(secretName) == nil, given("\(secretName)_FILE") == nil {
            violate(secretName, "is required: 1 to 255 characters, or \(secretName)_FILE")
        }
        if let ciphertext = secret?.ciphertext, ciphertext.version == nil {
            violate(secretName, "must be kms:<version>:<base64> when it begins with kms:")
        }
        if let plain = secret?.current, !(1...255).contains(plain.count) {
            violate(secretName, "must be 1 to 255 characters")
        }
        let redirect = required("GOOGLE_OAUTH_REDIRECT_URI", "must be a URL with a host, https outside local") { text in
            ProviderURL(text).flatMap { $0.scheme == "https" || environment == .local ? text : nil }
        }
        let authorization = providerURL("GOOGLE_OAUTH_AUTH_URL", "https://accounts.google.com/o/oauth2/v2/auth")
        let token = providerURL("GOOGLE_OAUTH_TOKEN_URL", "https://oauth2.googleapis.com/token")
        let revoke = providerURL("GOOGLE_OAUTH_REVOKE_URL", "https://oauth2.googleapis.com/revoke")
        let calendar = providerURL("GOOGLE_CALENDAR_BASE_URL", "https://www.googleapis.com")
        let gmail = providerURL("GOOGLE_GMAIL_BASE_URL", "https://gmail.googleapis.com")
        let timeout = integer("GOOGLE_REQUEST_TIMEOUT_MS", default: 15_000, 100...30_000)
        guard let clientID, let secret, let redirect, let authorization, let token, let revoke, let calendar, let gmail
        else { return nil }
        return GoogleConfiguration(
            clientID: clientID, clientSecret: secret, redirectURI: redirect, authorizationURL: authorization,
            tokenURL: token, revokeURL: revoke, calendarURL: calendar, gmailURL: gmail,
            requestTimeoutMilliseconds: timeout)
    }

    /// A URL that the enclave itself connects to: https everywhere, because egress speaks nothing else.
    private mutating func providerURL(_ name: String, _ standard: String) -> ProviderURL? {
        let rule = "must be an https URL without user info, query or fragment"
        return value(name, default: ProviderURL(standard), rule) { text in
            guard let url = ProviderURL(text), url.scheme == "https" else { return nil }
            return .some(url)
        }
    }

    mutating func egress(_ google: GoogleConfiguration?, _ environment: DeploymentEnvironment) -> EgressConfiguration {
        let hosts = google.map { [$0.tokenURL, $0.revokeURL, $0.calendarURL, $0.gmailURL].map(\.origin) } ?? []
        var routes: [String: Endpoint] = [:]
        let name = "ENCLAVE_EGRESS_ROUTES"
        for entry in given(name) == nil ? [] : list(name, default: [], atMost: 16) {
            let parts = entry.split(separator: "=", maxSplits: 1).map { trimmed(String($0)) }
            guard parts.count == 2, let target = Endpoint(clientURL: parts[1]) else {
                violate(name, "every entry must be host:port=tcp://host:port or host:port=vsock://cid:port")
                continue
            }
            if case .unix = target { violate(name, "a route must lead to tcp:// or vsock://") }
            let isKMS = parts[0].hasPrefix("kms.") && parts[0].hasSuffix(".amazonaws.com:443")
            if google != nil, !hosts.contains(parts[0].lowercased()), !isKMS {
                violate(name, "every host:port must be one of the Google or KMS URLs")
            }
            if routes.updateValue(target, forKey: parts[0].lowercased()) != nil {
                violate(name, "a host:port may be listed once only")
            }
        }
        if environment != .local, routes.isEmpty { violate(name, "is required outside local") }
        return EgressConfiguration(rootsFile: given("EGRESS_CA_FILE"), routes: routes)
    }
}

private func isVisible(_ text: String) -> Bool {
    (1...255).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
}
