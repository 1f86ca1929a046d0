import Foundation
import SimulatedNitro
import Synchronization

/// An enclave's secure module: where it listens and what it measures.
public struct SecureModuleSettings: Codable, Sendable, Hashable {
    /// Path of the Unix socket, at most 107 bytes.
    public var socket: String
    /// Name that PCR0 to PCR2 are made of: two modules of one name measure the same image.
    public var image: String
    /// Role of the parent instance, which PCR3 is made of; nil: zero.
    public var role: String?

    public init(socket: String, image: String = "alfred", role: String? = KMSSettings.parentRole) {
        self.socket = socket
        self.image = image
        self.role = role
    }
}

/// What a module states, for configuration and tests.
public struct SecureModuleDescription: Codable, Sendable, Hashable {
    public var socket: String
    public var moduleID: String
    /// `pcr0=…+pcr1=…+pcr2=…`, as hosts are told which images to accept.
    public var measurement: String
    /// Registers 0 to 31 in hex.
    public var registers: [String]
    /// How many requests came.
    public var requests: Int
}

/// The secure modules of all enclaves on the simulated instance, under one root.
final class SecureModules: Sendable {
    static let rootFile = "nitro-root.pem"
    private static let seedFile = "nitro.seed"
    private static let instanceID = "i-0123456789abcdef0"

    private struct Entry {
        let module: SimulatedSecureModule
        let server: SecureModuleServer
    }

    let authority: NitroPKI
    private let entries = Mutex<[String: Entry]>([:])

    /// Makes the root in `folder`, the same again after a restart.
    init(in folder: URL) throws {
        let file = folder.appending(path: Self.seedFile)
        if let kept = try? String(contentsOf: file, encoding: .utf8), !kept.isEmpty {
            authority = NitroPKI(seed: kept, region: KMSSettings.region, instanceID: Self.instanceID)
        } else {
            let seed = (0..<4).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 16) }.joined()
            try ThrowawayAuthority.write(seed, to: file, mode: 0o600)
            authority = NitroPKI(seed: seed, region: KMSSettings.region, instanceID: Self.instanceID)
        }
        let pem =
            "-----BEGIN CERTIFICATE-----\n"
            + Data(authority.root).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
            + "\n-----END CERTIFICATE-----\n"
        try ThrowawayAuthority.write(pem, to: folder.appending(path: Self.rootFile), mode: 0o644)
    }

    /// Starts a module at its socket, or boots the enclave of the one that is there anew with this image and role.
    func put(_ settings: SecureModuleSettings) throws {
        let registers = Registers.make(
            image: settings.image, role: settings.role, instanceID: Self.instanceID)
        try entries.withLock { entries in
            if let entry = entries[settings.socket] {
                for (index, value) in registers.enumerated() { entry.module.setRegister(index, value) }
                return
            }
            let number = UInt64(entries.count + 1)
            let enclave = String(repeating: "0", count: 15) + String(number, radix: 16)
            let module = SimulatedSecureModule(
                authority: authority, registers: registers, enclave: String(enclave.suffix(16)))
            entries[settings.socket] = Entry(
                module: module, server: try SecureModuleServer(module, path: settings.socket))
        }
    }

    /// Tells one module, or all of them, to misbehave or (nil) to behave again.
    func misbehave(_ misbehaviour: Misbehaviour?, socket: String?, times: Int?) {
        entries.withLock { entries in
            for entry in entries.values where socket == nil || entry.server.path == socket {
                entry.module.misbehave(misbehaviour, times: times)
            }
        }
    }

    func describe() -> [SecureModuleDescription] {
        entries.withLock { $0.values.map { ($0.module, $0.server.path) } }.map { module, path in
            let registers = module.registers.map { $0.map(Self.hexadecimal).joined() }
            return SecureModuleDescription(
                socket: path, moduleID: module.moduleID,
                measurement: (0...2).map { "pcr\($0)=\(registers[$0])" }.joined(separator: "+"), registers: registers,
                requests: module.requestCount)
        }.sorted { $0.socket < $1.socket }
    }

    /// Ends every module.
    func close() {
        for entry in entries.withLock({ $0.values.map(\.server) }) { entry.close() }
    }

    private static func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
