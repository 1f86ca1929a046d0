import ArgumentParser
import Foundation
import HostRuntime
import KeyOperations

/// Looks for holes in the policy of the key in AWS KMS, and prints one without.
struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Holes of an AWS key policy, and a policy to use, with PCR0 to PCR3.",
        discussion: """
            Releases are taken from KMS_ALLOWED_MEASUREMENTS, else TEE_ALLOWED_MEASUREMENTS, unless --release names \
            them. With --parent-role, a PCR3 of another role is a hole in the policy and an error in a release. Exit \
            status 1 when the policy that --lint names has a hole, 2 when the one to print would have one.
            """)

    @Option(help: "File with the policy to look at; - for standard input.") var lint: String?
    @Option(help: "[name@]pcr0=<96 hex>+pcr1=<96 hex>+pcr2=<96 hex>[+pcr3=…]; may be repeated.")
    var release: [String] = []
    @Option(help: "ARN of the role of the parent instance.") var parentRole: String?
    @Option(help: "ARN of the role that runs alfredctl keys encrypt.") var operatorRole: String?
    @Option(help: "ARN of a role that may administer the key; may be repeated.") var administrator: [String] = []
    @Flag(help: "Print one JSON object.") var json = false

    /// Largest policy that is read; KMS allows 32 KiB.
    private static let maximumBytes = 256 * 1024

    private struct Result: Encodable {
        let holes: [PolicyHole]?
        let policy: String
    }

    mutating func run() throws {
        try requirePrincipals()
        let holes = try lint.map { try examine($0) }
        let releases = try releases()
        if let role = parentRole.map(RecommendedPolicy.register3),
            let other = releases.first(where: { $0.registers[3].map { $0 != role } ?? false })
        {
            throw CommandFailure.unusable(
                "keys policy: release \(visible(other.name)) states a PCR3 that is not of --parent-role; that would be "
                    + role)
        }
        let recommended = RecommendedPolicy(
            releases: releases, parentRole: parentRole, operatorRole: operatorRole,
            administrators: administrator)
        guard let own = recommended.holes, own.isEmpty else {
            let what = recommended.holes?.map { "\($0.kind.rawValue): \(visible($0.detail))" } ?? ["unreadable"]
            throw CommandFailure.unusable(
                "keys policy: the policy that was asked for has a hole and is not printed: "
                    + what.joined(separator: "; "))
        }
        let policy = recommended.json
        if json {
            Output.json(Result(holes: holes, policy: policy))
        } else {
            show(holes)
            Output.line(policy)
        }
        if holes?.isEmpty == false { throw CommandFailure.failed() }
    }

    /// A principal that is not one lets everybody in, or nobody: neither can be seen from the policy later.
    private func requirePrincipals() throws(CommandFailure) {
        let stated =
            [("--parent-role", parentRole), ("--operator-role", operatorRole)]
            + administrator.map { ("--administrator", $0) }
        for case (let option, let arn?) in stated {
            let kind = PrincipalARN(arn)
            guard kind == .role || (kind == .user && option != "--parent-role") else {
                throw .unusable(
                    "keys policy: \(option) must be the ARN of a role\(option == "--parent-role" ? "" : " or user"), "
                        + "arn:aws:iam::<12 digits>:role/<name>, and is \(visible(arn))")
            }
        }
    }

    private func examine(_ file: String) throws(CommandFailure) -> [PolicyHole] {
        let handle = file == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: file)
        guard let data = try? handle?.read(upToCount: Self.maximumBytes) else {
            throw .unusable("keys policy: \(file) cannot be read")
        }
        guard let holes = PolicyLint(administrators: administrator, parentRole: parentRole).holes(in: Array(data))
        else {
            throw .unusable("keys policy: \(file) is no key policy")
        }
        return holes
    }

    private func releases() throws(CommandFailure) -> [RecommendedPolicy.Release] {
        if !release.isEmpty { return try Self.read(release, from: "--release") }
        // Where the environment names none either, placeholders stand for the registers.
        let reader = ConfigurationReader(OperatorEnvironment.load())
        for name in ["KMS_ALLOWED_MEASUREMENTS", "TEE_ALLOWED_MEASUREMENTS"] {
            guard let stated = reader.given(name), stated.contains(where: { !$0.isWhitespace }) else { continue }
            return try Self.read(
                stated.split(separator: ",", omittingEmptySubsequences: false).map { $0.filter { !$0.isWhitespace } },
                from: name)
        }
        return []
    }

    /// All of `entries`: a release that is left out would be one without keys, and nobody would know.
    private static func read(
        _ entries: [String], from source: String
    ) throws(CommandFailure) -> [RecommendedPolicy.Release] {
        var read: [RecommendedPolicy.Release] = []
        for entry in entries {
            guard let release = RecommendedPolicy.Release(entry) else {
                throw .unusable(
                    "keys policy: \(source) must be [name@]pcr0=<96 hex>+pcr1=<96 hex>+pcr2=<96 hex>[+pcr3=…], lower "
                        + "case and not zero, and has \"\(visible(entry))\"")
            }
            read.append(release)
        }
        return read
    }

    private func show(_ holes: [PolicyHole]?) {
        guard let holes else { return }
        for hole in holes {
            Output.line("✗ \(visible(hole.statement)): \(hole.kind.rawValue): \(visible(hole.detail))")
        }
        if holes.isEmpty { Output.line("✓ no hole was found") }
        Output.line("\nA policy to use:\n")
    }
}
