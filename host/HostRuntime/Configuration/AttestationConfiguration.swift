internal import Foundation

/// One accepted measurement.
public struct AllowedMeasurement: Hashable, Sendable {
    /// Reported in place of the measurement when given.
    public let name: String?
    public let measurement: String

    /// Reads `[name@]measurement`, the measurement of Nitro's form when `nitro`.
    public init?(_ text: String, nitro: Bool) {
        var measurement = text
        var name: String?
        if let at = text.firstIndex(of: "@") {
            let stated = String(text[..<at])
            guard (1...64).contains(stated.utf8.count), TextAlphabet.word.allows(stated) else { return nil }
            name = stated
            measurement = String(text[text.index(after: at)...])
        }
        guard (1...512).contains(measurement.utf8.count), TextAlphabet.measurement.allows(measurement),
            !nitro || Self.isNitro(measurement)
        else { return nil }
        self.name = name
        self.measurement = measurement
    }

    /// `pcr0=<96 hex>+pcr1=…+pcr2=…`, further registers optional, the first three not zero.
    private static func isNitro(_ text: String) -> Bool {
        let parts = text.split(separator: "+", omittingEmptySubsequences: false)
        var seen: Set<Int> = []
        for (index, part) in parts.enumerated() {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, pair[0].hasPrefix("pcr"), let register = parseInteger(String(pair[0].dropFirst(3))),
                register <= 31, pair[0] == "pcr\(register)", index > 2 || register == index,
                seen.insert(register).inserted, pair[1].utf8.count == 96,
                pair[1].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
                register > 2 || pair[1].contains(where: { $0 != "0" })
            else { return false }
        }
        return parts.count >= 3
    }
}

/// What evidence of the enclave must satisfy.
public struct AttestationConfiguration: Sendable {
    public let isRequired: Bool
    public let expectedRuntime: String
    public let allowedMeasurements: [AllowedMeasurement]
    public let kmsAllowedMeasurements: [AllowedMeasurement]
    /// Ed25519 keys of 32 bytes; empty when only the NSM document states the key.
    public let publicKeys: [[UInt8]]
    public let maximumAge: Duration
    public let challengeTimeout: Duration
    /// Evidence without signature is accepted; true in local only.
    public let allowsInsecureDevelopment: Bool
    /// DER of a test root for Nitro documents, in local only; nil for the root of AWS.
    public let nitroTestRoot: [UInt8]?
    /// The environment that the evidence must state.
    public let environment: DeploymentEnvironment

    public init(reading reader: inout ConfigurationReader) {
        environment = reader.environment
        isRequired = reader.boolean("TEE_ATTESTATION_REQUIRED")
        expectedRuntime = reader.requiredText("TEE_EXPECTED_RUNTIME")
        let allowed = Self.measurements("TEE_ALLOWED_MEASUREMENTS", &reader)
        if !reader.environment.isLocal, reader.given("TEE_ALLOWED_MEASUREMENTS") == nil {
            reader.refuse("TEE_ALLOWED_MEASUREMENTS", "must be set outside local")
        }
        allowedMeasurements = allowed
        let hasOwn = reader.given("KMS_ALLOWED_MEASUREMENTS") != nil
        kmsAllowedMeasurements = hasOwn ? Self.measurements("KMS_ALLOWED_MEASUREMENTS", &reader) : allowed
        maximumAge = reader.seconds("TEE_ATTESTATION_MAX_AGE_SECONDS")
        challengeTimeout = reader.milliseconds("TEE_ATTESTATION_CHALLENGE_TIMEOUT_MS")
        allowsInsecureDevelopment = reader.boolean("TEE_ALLOW_INSECURE_DEV_ATTESTATION")
        publicKeys = Self.publicKeys(&reader)
        nitroTestRoot = Self.nitroTestRoot(&reader)
        if environment.isLocal, publicKeys.isEmpty, isRequired, !allowsInsecureDevelopment,
            EnclaveConnectionConfiguration.mode(&reader) == .devShim
        {
            reader.refuse(
                "TEE_ATTESTATION_PUBLIC_KEY",
                "is required in mode dev-shim unless insecure development attestation is on (scripts/local-keys)")
        }
    }

    private static func measurements(
        _ name: String, _ reader: inout ConfigurationReader
    ) -> [AllowedMeasurement] {
        let isLocal = reader.environment.isLocal
        let entries = reader.list(name)
        var measurements: [AllowedMeasurement] = []
        for entry in entries {
            guard let measurement = AllowedMeasurement(entry, nitro: !isLocal) else { continue }
            measurements.append(measurement)
        }
        if !isLocal, entries.contains(where: { $0 == devMeasurement || $0.hasSuffix("@\(devMeasurement)") }) {
            if reader.given(name) != nil { reader.refuse(name, "must not hold \(devMeasurement) outside local") }
        } else if measurements.count != entries.count {
            reader.refuse(
                name,
                isLocal
                    ? "must be [name@]measurement entries of 1 to 512 of [A-Za-z0-9._:+=-]"
                    : "must be [name@]pcr0=<96 hex>+pcr1=<96 hex>+pcr2=<96 hex> entries, none of the three zero")
        }
        return measurements
    }

    private static func nitroTestRoot(_ reader: inout ConfigurationReader) -> [UInt8]? {
        let name = "TEE_NITRO_ROOT_CERT_PATH"
        guard let path = reader.text(name) else { return nil }
        guard let file = FileHandle(forReadingAtPath: reader.absolutePath(path)),
            let data = try? file.read(upToCount: 64 << 10), let text = String(validating: data, as: UTF8.self),
            text.ranges(of: "-----BEGIN ").count == 1, let der = pemBlock(labelled: "CERTIFICATE", in: text),
            der.firstRange(of: secp384r1) != nil
        else {
            reader.refuse(name, "must be a readable PEM file with one P-384 certificate")
            return nil
        }
        return Array(der)
    }

    /// Object identifier of the curve P-384, DER.
    private static let secp384r1: [UInt8] = [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22]

    private static let devMeasurement = "dev-local-enclave"

    private static func publicKeys(_ reader: inout ConfigurationReader) -> [[UInt8]] {
        let entries = reader.list("TEE_ATTESTATION_PUBLIC_KEY")
        let keys = entries.compactMap { base64Bytes($0, count: 32) }
        if keys.count != entries.count {
            reader.refuse("TEE_ATTESTATION_PUBLIC_KEY", "must be 1 to 4 entries of base64 of 32 bytes")
        }
        return keys
    }
}
