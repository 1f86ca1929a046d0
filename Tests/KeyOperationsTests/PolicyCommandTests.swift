import Foundation
import Testing

@testable import KeyOperations

/// `alfredctl keys policy`, the built executable: what it prints can be used as it is, or it prints nothing.
@Suite struct PolicyCommandTests {
    private static let account = "arn:aws:iam::111122223333"
    private static let value = String(repeating: "ab", count: 48)
    private static let release = "v1@" + (0...2).map { "pcr\($0)=\(value)" }.joined(separator: "+")

    private static var executable: URL {
        let beside = URL(filePath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
            .appending(path: "alfredctl")
        if FileManager.default.fileExists(atPath: beside.path) { return beside }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: ".build/debug/alfredctl")
    }

    /// Status, standard output and standard error.
    private func policy(
        _ arguments: [String], environment: [String: String] = [:]
    ) throws -> (status: Int32, text: String, complaint: String) {
        let process = Process()
        process.executableURL = Self.executable
        process.arguments = ["keys", "policy"] + arguments
        process.currentDirectoryURL = FileManager.default.temporaryDirectory
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        let complaint = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text, complaint)
    }

    @Test func printsAPolicyThatItFindsNoHoleIn() throws {
        let administrator = "\(Self.account):user/ops/admin@example.org"
        let parent = "arn:aws-us-gov:iam::111122223333:role/alfred/parent"
        let outcome = try policy([
            "--release", Self.release, "--parent-role", parent, "--operator-role", "\(Self.account):role/op",
            "--administrator", administrator,
        ])
        #expect(outcome.status == 0, "\(outcome.complaint)")
        let lint = PolicyLint(administrators: [administrator], parentRole: parent)
        #expect(lint.holes(in: Array(outcome.text.utf8)) == [])
        #expect(try policy([]).status == 0, "placeholders")
    }

    @Test(arguments: ["--administrator", "--parent-role", "--operator-role"])
    func refusesWhatIsNoPrincipal(_ option: String) throws {
        for arn in [
            "*", "nonsense", "\(Self.account):role/*", "\(Self.account):role/a?", "\(Self.account):role/",
            "\(Self.account):root", "111122223333", "arn:aws:iam::1111:role/a", "arn:aws:iam::*:role/a",
            "arn:aws:sts::111122223333:assumed-role/parent/i-0123456789abcdef0", " \(Self.account):role/a",
            "\(Self.account):role/a\n", "\(Self.account):role/${aws:username}", "\(Self.account):group/a",
        ] {
            let outcome = try policy(["\(option)=\(arn)"])
            #expect(outcome.status == 2 && outcome.text.isEmpty, "\(arn): \(outcome.text)")
            #expect(outcome.complaint.contains("\(option) must be"), "\(arn): \(outcome.complaint)")
        }
    }

    @Test func theParentIsARole() throws {
        let user = try policy(["--parent-role", "\(Self.account):user/a"])
        #expect(user.status == 2 && user.text.isEmpty && user.complaint.contains("--parent-role"))
        #expect(try policy(["--operator-role", "\(Self.account):user/a"]).status == 0)
    }

    @Test func printsNoPolicyWithAHoleOfItsOwn() throws {
        let role = "\(Self.account):role/parent"
        let outcome = try policy(["--administrator", role, "--parent-role", role])
        #expect(outcome.status == 2 && outcome.text.isEmpty, "\(outcome.text)")
        #expect(outcome.complaint.contains("administration: kms:PutKeyPolicy"), "\(outcome.complaint)")
    }

    @Test(arguments: ["KMS_ALLOWED_MEASUREMENTS", "TEE_ALLOWED_MEASUREMENTS"])
    func losesNoReleaseOfTheEnvironment(_ name: String) throws {
        let other = Self.release.replacing("v1@", with: "v2@")
        let both = try policy([], environment: [name: "\(Self.release), \(other)"])
        #expect(both.status == 0 && both.text.contains("Release1v1") && both.text.contains("Release2v2"))
        for bad in ["v2@pcr0=00", "dev-local-enclave", Self.release.uppercased(), other + "+pcr3=zz", ""] {
            let outcome = try policy([], environment: [name: "\(Self.release),\(bad)"])
            #expect(outcome.status == 2 && outcome.text.isEmpty, "\(bad): \(outcome.text)")
            #expect(
                outcome.complaint.contains("\(name) must be") && outcome.complaint.contains("has \"\(bad.prefix(20))"))
            guard !bad.isEmpty else { continue }
            let option = try policy(["--release", Self.release, "--release=\(bad)"])
            #expect(option.status == 2 && option.complaint.contains("--release must be"), "\(option.complaint)")
        }
    }
}
