/// One accepted measurement and the name it is reported under.
public struct AcceptedMeasurement: Equatable, Sendable {
    /// Reported in place of the measurement where given.
    public let name: String?
    /// Measurement as the evidence states it.
    public let measurement: String

    /// An entry of an allow-list.
    public init(name: String? = nil, _ measurement: String) {
        self.name = name
        self.measurement = measurement
    }

    /// Reads `[name@]measurement`.
    public init(entry: String) {
        if let at = entry.firstIndex(of: "@") {
            self.init(name: String(entry[..<at]), String(entry[entry.index(after: at)...]))
        } else {
            self.init(entry)
        }
    }

    /// `[name@]measurement`
    var entry: String { (name.map { "\($0)@" } ?? "") + measurement }
}

/// What evidence must satisfy.
public struct AttestationPolicy: Equatable, Sendable {
    /// False: runtime, document, measurement and signature are not judged and the identity is `unenforced`; local only.
    public var isRequired: Bool
    /// Runtime that the evidence must state, in any case.
    public var expectedRuntime: String
    /// `ALFRED_ENV` that the evidence must state; outside `local` an NSM document is required.
    public var environment: String
    /// Measurements that are accepted.
    public var allowedMeasurements: [AcceptedMeasurement]
    /// Measurements for which the key management may release keys.
    public var kmsAllowedMeasurements: [AcceptedMeasurement]
    /// Ed25519 keys of 32 bytes, one of which must have signed.
    public var publicKeys: [[UInt8]]
    /// Greatest age of evidence and longest challenge window, in seconds.
    public var maximumAgeSeconds: UInt64
    /// Evidence without a signature is accepted; local only.
    public var allowsUnsigned: Bool
    /// Root of Nitro documents; any other than AWS's counts in local only.
    public var nitroRoot: NitroRoot

    /// A policy.
    public init(
        isRequired: Bool = true, expectedRuntime: String, environment: String,
        allowedMeasurements: [AcceptedMeasurement], kmsAllowedMeasurements: [AcceptedMeasurement]? = nil,
        publicKeys: [[UInt8]], maximumAgeSeconds: UInt64, allowsUnsigned: Bool = false,
        nitroRoot: NitroRoot = .aws
    ) {
        self.isRequired = isRequired
        self.expectedRuntime = expectedRuntime
        self.environment = environment
        self.allowedMeasurements = allowedMeasurements
        self.kmsAllowedMeasurements = kmsAllowedMeasurements ?? allowedMeasurements
        self.publicKeys = publicKeys
        self.maximumAgeSeconds = maximumAgeSeconds
        self.allowsUnsigned = allowsUnsigned
        self.nitroRoot = nitroRoot
    }

    // The relaxations count in `local` only, whatever a caller asks for.

    /// Whether anything is judged but the challenge.
    public var isEnforced: Bool { isRequired || !isLocal }
    var needsSignature: Bool { !(allowsUnsigned && isLocal) }
    /// The root that counts in this environment.
    public var trustedRoot: NitroRoot { isLocal ? nitroRoot : .aws }
    var isLocal: Bool { environment == "local" }
}
