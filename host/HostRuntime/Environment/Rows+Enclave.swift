private let web: Set<String> = ["http", "https"]
private let enclaveOnly: ProcessKind = .enclave

extension EnvironmentCatalogue {
    static let enclaveRows: [EnvironmentVariable] = [
        row(
            "ENCLAVE_RUNTIME_MODE", .enclave, [.api, .worker, .enclave, .operator],
            .unset("dev-shim in local, else remote"), .choice(["dev-shim", "remote", "disabled"]), .only("remote"),
            meaning: "how the enclave proves itself and keeps its keys"),
        row(
            "ENCLAVE_RUNTIME_BASE_URL", .enclave, .clients, .value("http://127.0.0.1:8181"),
            .form("tcp://host:port, vsock://cid:port, unix:///path, or http://host:port"),
            meaning: "where the enclave listens"),
        row(
            "ENCLAVE_RUNTIME_PROBE_TIMEOUT_MS", .enclave, .clients, .value("2000"), .integer(50...60000),
            meaning: "timeout of each start-up probe call"),
        row(
            "ENCLAVE_RUNTIME_PROBE_ATTEMPTS", .enclave, [.api, .worker], .value("5"), .integer(1...120),
            meaning: "tries of the whole probe, 500 ms apart"),
        row(
            "ENCLAVE_RUNTIME_BIND_ADDR", .enclave, enclaveOnly, .value("127.0.0.1:8181"),
            .form("address:port, tcp://address:port, vsock://port or unix:///path"), meaning: "listener of the enclave"),
        row(
            "ENCLAVE_RUNTIME_MEASUREMENT", .enclave, enclaveOnly, .value("dev-local-enclave"),
            .text(1...512, .measurement), .refused, meaning: "measurement identifier of dev-shim"),
        row(
            "ENCLAVE_CONFIG_FILE", .enclave, enclaveOnly, .unset("environment and .env in local"), .path, .defaultOnly,
            meaning: "file the enclave's variables are read from"),
        row(
            "ENCLAVE_RPC_CLIENT_KEY_PATH", .enclave, .clients,
            .unset("local: .local/keys/<api|worker|operator>.key; else required"),
            .form("a file with base64 of 32 bytes, mode 0600 or stricter"), secrecy: .file,
            meaning: "this host's X25519 identity key; not read in disabled"),
        row(
            "ENCLAVE_RPC_ALLOWED_CLIENTS", .enclave, enclaveOnly, .required, .csv(maximum: 64),
            meaning: "host keys and their roles: role:base64 public key"),
        row(
            "ENCLAVE_RPC_SESSIONS", .enclave, [.api, .worker], .value("2"), .integer(1...16),
            meaning: "attested sessions per process"),
        row(
            "ENCLAVE_RPC_TIMEOUT_MS", .enclave, .clients, .value("20000"), .integer(100...60000),
            meaning: "longest deadline of one call"),
        row(
            "ENCLAVE_RPC_MAX_SESSIONS", .enclave, enclaveOnly, .value("64"), .integer(1...1024),
            meaning: "open sessions"),
        row(
            "ENCLAVE_RPC_MAX_IN_FLIGHT", .enclave, enclaveOnly, .value("256"), .integer(1...4096),
            meaning: "calls in progress"),
        row(
            "ENCLAVE_USER_GOOGLE_PER_MINUTE", .enclave, enclaveOnly, .value("120"), .integer(1...100_000),
            meaning: "google.get calls per user id and minute"),
        row(
            "ENCLAVE_USER_OPENS_PER_MINUTE", .enclave, enclaveOnly, .value("600"), .integer(1...1_000_000),
            meaning: "items opened per user id and minute"),
        row(
            "ENCLAVE_EGRESS_ROUTES", .enclave, enclaveOnly, .unset("direct"), .csv(maximum: 16),
            .checked("required"), meaning: "where outgoing TCP to each fixed provider host enters"),
    ]

    static let attestationRows: [EnvironmentVariable] = [
        row(
            "TEE_ATTESTATION_REQUIRED", .attestation, .clients, .value("true"), .boolean, .only("true"),
            meaning: "evidence must satisfy the policy before any sensitive call"),
        row(
            "TEE_EXPECTED_RUNTIME", .attestation, [.api, .worker, .enclave, .operator], .value("nitro"),
            .text(1...64, .word), .only("nitro"), meaning: "runtime the verifier expects"),
        row(
            "TEE_ALLOWED_MEASUREMENTS", .attestation, [.api, .worker, .enclave, .operator],
            .value("dev-local-enclave"), .csv(maximum: 32), .checked("must be set; dev-local-enclave refused"),
            meaning: "measurements a host accepts: [name@]measurement"),
        row(
            "TEE_ATTESTATION_PUBLIC_KEY", .attestation, .clients, .unset("the NSM document commits to the key"),
            .csv(maximum: 4), meaning: "base64 Ed25519 public keys that verify the challenge response"),
        row(
            "TEE_ATTESTATION_MAX_AGE_SECONDS", .attestation, [.api, .worker, .enclave, .operator], .value("300"),
            .integer(1...3600), meaning: "greatest age of evidence, longest challenge window, longest session"),
        row(
            "TEE_ATTESTATION_CHALLENGE_TIMEOUT_MS", .attestation, .clients, .value("2000"), .integer(50...60000),
            meaning: "timeout of a challenge"),
        row(
            "TEE_ALLOW_INSECURE_DEV_ATTESTATION", .attestation, .clients, .value("false"), .boolean, .not("true"),
            meaning: "accept evidence without signature"),
        row(
            "TEE_ATTESTATION_SIGNING_PRIVATE_KEY", .attestation, enclaveOnly, .unset("no signature in dev-shim"),
            .form("base64 of 32 bytes"), .checked("kms: form only"), secrecy: .value,
            meaning: "Ed25519 private key that signs challenge-bound evidence"),
        row(
            "TEE_ATTESTATION_DOCUMENT_PATH", .attestation, enclaveOnly, .unset("none"), .path,
            .checked("only as a pin"), meaning: "file with the identity for remote mode"),
        row(
            "TEE_ATTESTATION_DOCUMENT", .attestation, enclaveOnly, .unset("none"),
            .form("JSON of at most 8 KiB"), .refused, meaning: "the same inline"),
        row(
            "TEE_NITRO_ROOT_CERT_PATH", .attestation, .clients, .unset("pinned AWS root"), .path, .refused,
            meaning: "test root for Nitro documents"),
        row(
            "NSM_DEVICE_PATH", .attestation, enclaveOnly, .value("/dev/nsm"), .path, .defaultOnly,
            meaning: "NSM device, or the socket of its simulator"),
    ]

    static let keyRows: [EnvironmentVariable] = [
        row(
            "KMS_KEY_ID", .keys, [.enclave, .operator], .value("kms/local/alfred-refresh-token"),
            .form("kms/local/<name> or arn:aws:kms:<region>:<account>:key/<uuid>"), .checked("ARN only"),
            meaning: "key that wraps the data keys; bound into every sealed value"),
        row(
            "KMS_KEY_VERSION", .keys, enclaveOnly, .value("1"), .integer(1...2_147_483_647),
            meaning: "version of the active data key"),
        row(
            "KMS_DECRYPT_KEY_VERSIONS", .keys, enclaveOnly, .unset("none"), .csv(maximum: 8),
            meaning: "further versions that may still be opened during a rotation"),
        row(
            "KMS_ALLOWED_MEASUREMENTS", .keys, [.api, .worker, .enclave, .operator],
            .unset("TEE_ALLOWED_MEASUREMENTS"), .csv(maximum: 32), .checked("dev-local-enclave refused"),
            meaning: "measurements for which the key may be used"),
        row(
            "KMS_LOCAL_KEY_PATH", .keys, enclaveOnly, .value(".local/keys/kms.key"), .path, .refused, secrecy: .file,
            meaning: "key file of the local KMS"),
        row(
            "KMS_ENDPOINT_URL", .keys, [.enclave, .operator], .unset("https://kms.<AWS_REGION>.amazonaws.com"),
            .url(schemes: web, query: false), .defaultOnly,
            meaning: "AWS KMS endpoint"),
        row(
            "AWS_REGION", .keys, [.enclave, .operator], .unset("region of the ARN"), .text(1...32, .word),
            meaning: "region of AWS KMS; must equal the ARN's"),
        row(
            "AWS_ACCESS_KEY_ID", .keys, .clients, .unset("instance role"), .text(1...128, .visible), secrecy: .value,
            meaning: "AWS credentials handed to the enclave for KMS; the first two together"),
        row(
            "AWS_SECRET_ACCESS_KEY", .keys, .clients, .unset("instance role"), .text(1...128, .visible),
            secrecy: .value,
            meaning: "second part of the AWS credentials"),
        row(
            "AWS_SESSION_TOKEN", .keys, .clients, .unset("instance role"), .text(1...4096, .visible), secrecy: .value,
            meaning: "third part of the AWS credentials"),
        row(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT", .keys, .clients, .value("http://169.254.169.254"),
            .url(schemes: web, query: false), .defaultOnly,
            meaning: "instance metadata for role credentials"),
    ]

    static let googleRows: [EnvironmentVariable] = [
        row(
            "GOOGLE_OAUTH_CLIENT_ID", .google, enclaveOnly, .required, .text(1...255, .printable),
            meaning: "OAuth client id"),
        row(
            "GOOGLE_OAUTH_CLIENT_SECRET", .google, enclaveOnly, .required, .text(1...255, .printable),
            .checked("kms: form only"), secrecy: .value, meaning: "OAuth client secret"),
        row(
            "GOOGLE_OAUTH_CLIENT_SECRET_CIPHERTEXT", .google, .clients, .unset("none"),
            .form("kms:<version>:<base64>"),
            meaning: "KMS ciphertext of a newer client secret"),
        row(
            "GOOGLE_OAUTH_REDIRECT_URI", .google, [.api, .enclave], .required, .url(schemes: web, query: false),
            .https, meaning: "redirect URI registered with Google, leading to /oauth/google/callback"),
        row(
            "GOOGLE_OAUTH_AUTH_URL", .google, enclaveOnly, .value("https://accounts.google.com/o/oauth2/v2/auth"),
            .url(schemes: web, query: false), .defaultOnly, meaning: "authorisation page"),
        row(
            "GOOGLE_OAUTH_TOKEN_URL", .google, enclaveOnly, .value("https://oauth2.googleapis.com/token"),
            .url(schemes: web, query: false), .defaultOnly, meaning: "token endpoint"),
        row(
            "GOOGLE_OAUTH_REVOKE_URL", .google, enclaveOnly, .value("https://oauth2.googleapis.com/revoke"),
            .url(schemes: web, query: false), .defaultOnly, meaning: "revocation endpoint"),
        row(
            "GOOGLE_CALENDAR_BASE_URL", .google, enclaveOnly, .value("https://www.googleapis.com"),
            .url(schemes: web, query: false), .defaultOnly, meaning: "Calendar API"),
        row(
            "GOOGLE_GMAIL_BASE_URL", .google, enclaveOnly, .value("https://gmail.googleapis.com"),
            .url(schemes: web, query: false), .defaultOnly, meaning: "Gmail API"),
        row(
            "GOOGLE_REQUEST_TIMEOUT_MS", .google, enclaveOnly, .value("15000"), .integer(100...30000),
            meaning: "timeout of one request to Google"),
    ]
}
