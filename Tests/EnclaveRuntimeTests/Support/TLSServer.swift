import AttestedSession
import Foundation
import Testing

@testable import EnclaveRuntime

/// `openssl s_server` with a certificate of its own; it sends files of its folder as raw HTTP answers.
final class TLSServer {
    /// 0 on a Unix socket.
    let port: UInt16
    /// Of the Unix socket, where it listens on one.
    let path: String
    let certificate: String
    private let folder: TemporaryFolder
    private let process = Process()

    init(name: String, files: [String: String], onUnixSocket: Bool = false) throws {
        folder = try TemporaryFolder()
        path = folder.path + "/tls.sock"
        certificate = "\(folder.path)/server.pem"
        try Self.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=\(name)"
                + " -addext subjectAltName=DNS:\(name) -keyout server.key -out server.pem", in: folder.path)
        for (file, content) in files { _ = try folder.write(file, content) }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // A relative path: openssl ends where one is longer than 31 characters.
        let listener = onUnixSocket ? "-unix tls.sock" : "-accept 0"
        process.arguments =
            "openssl s_server \(listener) -naccept 16 -cert server.pem -key server.key -HTTP".split(separator: " ")
            .map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        // "ACCEPT [::]:port" is the first line; the read ends with the process.
        var text = ""
        var found: UInt16?
        while found == nil {
            let piece = output.fileHandleForReading.availableData
            guard !piece.isEmpty else { break }
            text += String(decoding: piece, as: UTF8.self)
            found = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                .first { $0.hasPrefix("ACCEPT") }?.split(separator: ":").last
                .flatMap { onUnixSocket ? 0 : UInt16($0) }
        }
        port = try #require(found)
    }

    deinit {
        // Threads of the test runner block SIGTERM, and a child inherits that.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private static func run(_ command: String, in folder: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command.split(separator: " ").map(String.init)
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }
}
