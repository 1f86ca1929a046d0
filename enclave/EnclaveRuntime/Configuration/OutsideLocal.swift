/// What the rows demand once `ALFRED_ENV` is not `local`.
extension Settings {
    private enum Rule { case forbidden, only(String), prefix(String) }

    private static let rules: [(String, Rule)] = [
        ("LOG_FORMAT", .only("json")),
        ("EGRESS_CA_FILE", .forbidden),
        ("ENCLAVE_RUNTIME_MODE", .only("remote")),
        ("ENCLAVE_RUNTIME_MEASUREMENT", .forbidden),
        ("ENCLAVE_CONFIG_FILE", .only(ConfigurationSource.imageFile)),
        ("TEE_EXPECTED_RUNTIME", .only("nitro")),
        ("TEE_ATTESTATION_SIGNING_PRIVATE_KEY", .prefix("kms:")),
        ("TEE_ATTESTATION_DOCUMENT", .forbidden),
        ("NSM_DEVICE_PATH", .only("/dev/nsm")),
        ("KMS_LOCAL_KEY_PATH", .forbidden),
        ("GOOGLE_OAUTH_CLIENT_SECRET", .prefix("kms:")),
        ("GOOGLE_OAUTH_AUTH_URL", .only("https://accounts.google.com/o/oauth2/v2/auth")),
        ("GOOGLE_OAUTH_TOKEN_URL", .only("https://oauth2.googleapis.com/token")),
        ("GOOGLE_OAUTH_REVOKE_URL", .only("https://oauth2.googleapis.com/revoke")),
        ("GOOGLE_CALENDAR_BASE_URL", .only("https://www.googleapis.com")),
        ("GOOGLE_GMAIL_BASE_URL", .only("https://gmail.googleapis.com")),
    ]

    /// Secrets that no enclave reads.
    private static let foreignSecrets = [
        "APNS_AUTH_KEY_P8", "APNS_AUTH_KEY_P8_BASE64", "APNS_AUTH_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN", "CLERK_SECRET_KEY", "DATABASE_LISTEN_URL", "DATABASE_URL", "OPENROUTER_API_KEY",
        "REDIS_URL",
    ]

    mutating func checkOutsideLocal(measured: Bool) {
        if !measured {
            let file = ConfigurationSource.imageFile
            violate("ENCLAVE_CONFIG_FILE", "variables come from \(file) only outside local, and that does not exist")
        }
        for name in Self.foreignSecrets where given(name) ?? given("\(name)_FILE") != nil {
            violate(name, "is a secret of another process and must not be here outside local")
        }
        for (name, rule) in Self.rules {
            guard let value = given(name) else { continue }
            switch rule {
            case .forbidden: violate(name, "must not be set outside local")
            case .only(let allowed) where value != allowed: violate(name, "must be \(allowed) outside local")
            case .prefix(let prefix) where !value.hasPrefix(prefix):
                violate(name, "must begin with \(prefix) outside local")
            default: break
            }
        }
        for name in ConfigurationSource.secrets where given("\(name)_FILE") != nil {
            violate("\(name)_FILE", "must not be set outside local: secrets come as KMS ciphertext")
        }
        if given("LOG_LEVEL") == "debug" { violate("LOG_LEVEL", "must not be debug outside local") }
        if let url = given("KMS_ENDPOINT_URL") {
            let region = given("KMS_KEY_ID")?.split(separator: ":").dropFirst(3).first ?? ""
            if url != "https://kms.\(region).amazonaws.com" {
                violate("KMS_ENDPOINT_URL", "must be the region's public endpoint outside local")
            }
        }
    }
}

/// Names of all processes' variables that begin like the enclave's, so that a misspelt one is seen.
enum KnownVariables {
    private static let prefixes = ["ENCLAVE_", "TEE_", "KMS_"]
    private static let names: Set<String> = [
        "ENCLAVE_RUNTIME_MODE", "ENCLAVE_RUNTIME_BASE_URL", "ENCLAVE_RUNTIME_PROBE_TIMEOUT_MS",
        "ENCLAVE_RUNTIME_PROBE_ATTEMPTS", "ENCLAVE_RUNTIME_BIND_ADDR", "ENCLAVE_RUNTIME_MEASUREMENT",
        "ENCLAVE_CONFIG_FILE", "ENCLAVE_RPC_CLIENT_KEY_PATH", "ENCLAVE_RPC_ALLOWED_CLIENTS", "ENCLAVE_RPC_SESSIONS",
        "ENCLAVE_RPC_TIMEOUT_MS", "ENCLAVE_RPC_MAX_SESSIONS", "ENCLAVE_RPC_MAX_IN_FLIGHT",
        "ENCLAVE_USER_GOOGLE_PER_MINUTE", "ENCLAVE_USER_OPENS_PER_MINUTE", "ENCLAVE_EGRESS_ROUTES", "ENCLAVE_ONLY",
        "TEE_ATTESTATION_REQUIRED", "TEE_EXPECTED_RUNTIME", "TEE_ALLOWED_MEASUREMENTS", "TEE_ATTESTATION_PUBLIC_KEY",
        "TEE_ATTESTATION_MAX_AGE_SECONDS", "TEE_ATTESTATION_CHALLENGE_TIMEOUT_MS",
        "TEE_ALLOW_INSECURE_DEV_ATTESTATION", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY",
        "TEE_ATTESTATION_SIGNING_PRIVATE_KEY_FILE", "TEE_ATTESTATION_DOCUMENT_PATH", "TEE_ATTESTATION_DOCUMENT",
        "TEE_NITRO_ROOT_CERT_PATH", "KMS_KEY_ID", "KMS_KEY_VERSION", "KMS_DECRYPT_KEY_VERSIONS",
        "KMS_ALLOWED_MEASUREMENTS", "KMS_LOCAL_KEY_PATH", "KMS_ENDPOINT_URL",
    ]

    static func unknown(in values: [String: String]) -> [String] {
        values.keys.filter { name in
            prefixes.contains { name.hasPrefix($0) } && !names.contains(name)
        }.sorted()
    }
}
