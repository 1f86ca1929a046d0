import Foundation
import Testing

/// The three walls, from the package graph and from the built binary.
@Suite struct WallTests {
    @Test func nothingInTheHostReachesTheEnclaveNorTheReverse() throws {
        let graph = try PackageGraph()
        for target in graph.targets.values where target.path.hasPrefix("host/") {
            let reached = graph.closure(of: target.name).filter { $0.path.hasPrefix("enclave/") }
            #expect(reached.isEmpty, "\(target.name) reaches \(reached.map(\.name))")
        }
        for target in graph.targets.values where target.path.hasPrefix("enclave/") {
            let reached = graph.closure(of: target.name).filter { $0.path.hasPrefix("host/") }
            #expect(reached.isEmpty, "\(target.name) reaches \(reached.map(\.name))")
        }
    }

    @Test func sharedProtoReachesNothingElse() throws {
        let graph = try PackageGraph()
        for target in graph.targets.values where target.path.hasPrefix("shared-proto/") {
            let outside = graph.closure(of: target.name).filter { !$0.path.hasPrefix("shared-proto/") }
            #expect(outside.isEmpty, "\(target.name) reaches \(outside.map(\.name))")
            #expect(graph.closure(of: target.name).allSatisfy { $0.products.isEmpty })
        }
    }

    @Test func c13_productionEnclaveHasNoPackageAndNoDevShimInItsClosure() throws {
        let closure = try PackageGraph().closure(of: "enclave-runtime")
        #expect(closure.contains { $0.name == "EnclaveRuntime" })
        #expect(closure.allSatisfy { $0.products.isEmpty })
        #expect(!closure.contains { $0.name == "EnclaveDevShim" })
    }

    @Test func enclaveOnlyLeavesNoPackageAtAll() throws {
        let graph = try PackageGraph(enclaveOnly: true)
        #expect(graph.isWithoutPackages)
        #expect(graph.targets["enclave-runtime"] != nil)
        #expect(graph.targets.values.allSatisfy { !$0.path.hasPrefix("host/") && $0.products.isEmpty })
    }

    /// The debug build, which is always there beside these tests, and the release build where `scripts/test` made it.
    static let binaries =
        [".build/debug/enclave-runtime"]
        + [".build-enclave/release/enclave-runtime"].filter {
            FileManager.default.fileExists(atPath: Repository.root.appending(path: $0).path)
        }

    /// Swift's mangled names carry the module's name with its length.
    @Test(arguments: binaries)
    func c13_productionBinaryHasNoSymbolOfTheDevShimNorOfAnyPackage(_ path: String) throws {
        let binary = Repository.root.appending(path: path)
        let symbols = try #require(try? Data(contentsOf: binary, options: .mappedIfSafe))
        for module in [
            "EnclaveDevShim", "SimulatedNitro", "SimulatorKit", "AttestationVerifier", "NIOCore", "Hummingbird",
            "Logging", "AsyncHTTPClient", "HostRuntime",
        ] {
            #expect(symbols.range(of: Data("\(module.utf8.count)\(module)".utf8)) == nil, "\(module) is linked in")
        }
        #expect(symbols.range(of: Data("14EnclaveRuntime".utf8)) != nil)
    }

    /// Nothing in it can sign as a secure module, nor was a test authority's root or seed compiled in.
    @Test(arguments: binaries)
    func theProductionBinaryHoldsNothingOfASimulatedSecureModule(_ path: String) throws {
        let closure = try PackageGraph().closure(of: "enclave-runtime")
        #expect(closure.allSatisfy { !$0.path.hasPrefix("Tests/") && !$0.path.hasPrefix("host/") })
        let binary = try Data(contentsOf: Repository.root.appending(path: path), options: .mappedIfSafe)
        let authority = try Repository.text("Tests/Simulators/SimulatedNitro/NitroPKI.swift")
        let seed = try #require(authority.firstMatch(of: /seed: String = "([^"]+)"/)).1
        for text in [String(seed), "BEGIN CERTIFICATE", "aws.nitro-enclaves", "LocalKeyManagement", "ShimEvidence"] {
            #expect(binary.range(of: Data(text.utf8)) == nil, "\(text) is in it")
        }
        // The search finds what is there.
        #expect(binary.range(of: Data("alfred-evidence/1".utf8)) != nil)
    }

    @Test(arguments: binaries) func c13_productionBinaryLinksOnlyTheAllowedLibraries(_ path: String) throws {
        let needed = try Repository.run("readelf", ["-d", path])
            .split(separator: "\n").filter { $0.contains("(NEEDED)") }
            .compactMap { $0.split(separator: "[").last?.split(separator: "]").first.map(String.init) }
        #expect(!needed.isEmpty)
        let allowed = [
            "libsodium.so", "libssl.so", "libcrypto.so", "libcurl.so", "libc.so", "libm.so", "libgcc_s.so",
            "libstdc++.so", "libpthread.so", "libdl.so", "ld-linux", "libswift", "libFoundationEssentials.so",
            "lib_FoundationCollections.so", "lib_FoundationCShims.so", "libswiftCore.so",
        ]
        for library in needed {
            #expect(allowed.contains { library.hasPrefix($0) }, "\(library) is linked in")
        }
    }

    @Test func sqlStandsOnlyInHostStorage() throws {
        let pattern = try Regex(#"(?i)\b(select\s+.+\s+from|insert\s+into|delete\s+from|update\s+\w+(\.\w+)?\s+set)\s"#)
        for path in Repository.files(under: "host", "swift") where !path.hasPrefix("host/HostStorage/") {
            for line in try Repository.text(path).split(separator: "\n")
            where !line.trimmingCharacters(in: .whitespaces).hasPrefix("//") {
                #expect(line.firstMatch(of: pattern) == nil, "\(path): \(line)")
            }
        }
    }

    @Test func onlyTheAPIServerImportsHummingbird() throws {
        for path in Repository.files(under: "host", "swift") where !path.hasPrefix("host/APIServer/") {
            #expect(!(try Repository.text(path)).contains("import Hummingbird"), "\(path)")
        }
    }
}
