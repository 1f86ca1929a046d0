import Foundation

/// How log lines look.
public enum LogFormat: String, Sendable {
    case json, text
}

/// What every host process has.
public struct GeneralConfiguration: Sendable {
    public let environment: DeploymentEnvironment
    public let logLevel: HostLogLevel
    public let logFormat: LogFormat
    /// Nil when off, and in processes without metrics.
    public let metricsBindAddress: BindAddress?
    /// Path of a PEM file with the roots for outgoing TLS; nil for the public ones.
    public let egressCAFile: String?

    public init(reading reader: inout ConfigurationReader) {
        _ = reader.text("ALFRED_ENV")
        environment = reader.environment
        logLevel = reader.choice("LOG_LEVEL", or: .info)
        let hasFormat = reader.process != .evaluation
        logFormat = hasFormat ? reader.choice("LOG_FORMAT", or: .json) : .json
        let hasMetrics = reader.process == .api || reader.process == .worker
        metricsBindAddress = hasMetrics ? reader.bindAddress("METRICS_BIND_ADDR") : nil
        let path = reader.text("EGRESS_CA_FILE").map(reader.absolutePath)
        if let path, !Self.holdsCertificate(path) {
            reader.refuse("EGRESS_CA_FILE", "must be a readable file with at least one PEM certificate")
        }
        egressCAFile = path
    }

    private static func holdsCertificate(_ path: String) -> Bool {
        guard let file = FileHandle(forReadingAtPath: path), let data = try? file.read(upToCount: 4 << 20),
            let text = String(validating: data, as: UTF8.self)
        else { return false }
        return pemBlock(labelled: "CERTIFICATE", in: text) != nil
    }
}

/// The decoded content of the first PEM block with `label`; nil without one.
func pemBlock(labelled label: String, in text: String) -> Data? {
    guard let start = text.firstRange(of: "-----BEGIN \(label)-----"),
        let end = text[start.upperBound...].firstRange(of: "-----END \(label)-----")
    else { return nil }
    let body = text[start.upperBound..<end.lowerBound].filter { !$0.isWhitespace }
    guard !body.isEmpty, let data = Data(base64Encoded: body), !data.isEmpty else { return nil }
    return data
}
