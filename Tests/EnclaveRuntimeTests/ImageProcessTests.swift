import AttestedSession
import EnclaveProtocol
import Foundation
import Glibc
import SimulatedNitro
import Testing

@testable import EnclaveRuntime

/// `enclave-runtime` outside local as in its image: `/etc/alfred-enclave.env` and `/dev/nsm` are where they are there.
///
/// A mount namespace of its own shows the process these two files; that needs root.
@Suite(.serialized, .enabled(if: geteuid() == 0, "mounting needs root")) struct ImageProcessTests {
    private static let script = """
        set -e
        mkdir -p "$1/etc/ssl/certs" "$1/dev"
        cp /etc/ld.so.cache "$1/etc/"
        cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
        cp "$1/image.env" "$1/etc/alfred-enclave.env"
        for node in null urandom random; do touch "$1/dev/$node"; mount --bind "/dev/$node" "$1/dev/$node"; done
        touch "$1/dev/nsm"
        mount --bind "$1/nsm.sock" "$1/dev/nsm"
        mount --rbind "$1/dev" /dev
        mount --bind "$1/etc" /etc
        exec "$2"
        """

    /// Starts the process in a copy of what its image has; the real environment is empty.
    private func start(_ stand: ModuleStand, _ values: [String: String], errors: Pipe) throws -> Process {
        let lines = values.map { "\($0)=\($1)" }.joined(separator: "\n")
        _ = try stand.folder.write("image.env", lines)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/unshare")
        process.arguments = [
            "-m", "/bin/sh", "-c", Self.script, "sh", stand.folder.path, Executable.url("enclave-runtime").path,
        ]
        process.environment = ["PATH": "/usr/bin:/bin", "GOOGLE_OAUTH_CLIENT_ID": "not from the environment"]
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func text(_ stand: ModuleStand, _ values: [String: String]) throws -> (status: Int32, text: String) {
        let errors = Pipe()
        let process = try start(stand, values, errors: errors)
        let text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    @Test(arguments: ["staging", "production"])
    func theMeasuredSettingsStart(_ environment: String) throws {
        let stand = try ModuleStand()
        let socket = stand.folder.path + "/enclave.sock"
        let errors = Pipe()
        let process = try start(
            stand, measuredVariables(["ALFRED_ENV": environment, "ENCLAVE_RUNTIME_BIND_ADDR": "unix://\(socket)"]),
            errors: errors)
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        var text = ""
        while !text.contains("\"enclave_ready\"") {
            let piece = errors.fileHandleForReading.availableData
            try #require(!piece.isEmpty, "ended: \(text)")
            text += String(decoding: piece, as: UTF8.self)
        }
        let deadline = MonotonicInstant.now.advanced(bySeconds: 20)
        let health = try PlainConnection(to: .unix(path: socket), deadline: deadline).health(deadline: deadline)
        #expect(health.status == .starting)
        #expect(health.environment == environment)
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func aDebugEnclaveEndsWithTwo() throws {
        let stand = try ModuleStand()
        stand.module.setRegister(1, Registers.zero)
        let (status, text) = try text(stand, measuredVariables())
        #expect(status == 2)
        #expect(text.contains("enclave: NSM_DEVICE_PATH: PCR0, 1 or 2 is zero"), "\(text)")
    }

    @Test func whatWeakensACheckEndsWithTwo() throws {
        for index in stride(from: 0, to: GuardRailTests.weakening.count, by: 8) {
            let (name, value) = GuardRailTests.weakening[index]
            let stand = try ModuleStand()
            let (status, text) = try text(stand, measuredVariables([name: value]))
            #expect(status == 2)
            #expect(text.contains("enclave: \(name): "), "\(text)")
            #expect(!text.contains("ENCLAVE_CONFIG_FILE: variables come"))
            #expect(stand.module.requestCount == 0)
        }
    }
}
