// swift-tools-version: 6.2
import PackageDescription

// The only place where arrows between modules are drawn.
// `ENCLAVE_ONLY=1 swift build` leaves out `host/` and every third-party package.
let enclaveOnly = Context.environment["ENCLAVE_ONLY"] == "1"

let base: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]
/// For modules that touch C or hold secrets.
let strict: [SwiftSetting] = base + [.strictMemorySafety()]

func systemLibrary(_ name: String, in folder: String) -> Target {
    .systemLibrary(name: name, path: "\(folder)/SystemLibraries/\(name)")
}

func test(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: dependencies, path: "Tests/\(name)Tests", resources: resources,
        swiftSettings: base)
}

// MARK: - shared-proto and enclave: no third-party package

var targets: [Target] = [
    systemLibrary("CSodium", in: "shared-proto"),
    systemLibrary("COpenSSL", in: "shared-proto"),
    systemLibrary("CLinux", in: "shared-proto"),
    .target(
        name: "EnclaveProtocol", path: "shared-proto/EnclaveProtocol", swiftSettings: strict),
    .target(
        name: "Sodium", dependencies: ["CSodium"], path: "shared-proto/Sodium", swiftSettings: strict),
    .target(
        name: "AttestedSession", dependencies: ["EnclaveProtocol", "Sodium", "CLinux"],
        path: "shared-proto/AttestedSession", swiftSettings: strict),

    systemLibrary("CCurl", in: "enclave"),
    .target(
        name: "EnclaveVault", dependencies: ["EnclaveProtocol", "Sodium"],
        path: "enclave/EnclaveVault", swiftSettings: strict),
    .target(
        name: "EnclaveRuntime",
        dependencies: [
            "EnclaveProtocol", "Sodium", "AttestedSession", "EnclaveVault", "CCurl", "COpenSSL", "CLinux",
        ],
        path: "enclave/EnclaveRuntime", swiftSettings: strict),
    .target(
        name: "EnclaveDevShim",
        dependencies: ["EnclaveProtocol", "Sodium", "EnclaveVault", "EnclaveRuntime", "CLinux"],
        path: "enclave/EnclaveDevShim", swiftSettings: strict),
    .executableTarget(
        name: "enclave-runtime", dependencies: ["EnclaveRuntime"],
        path: "enclave/Executables/enclave-runtime", swiftSettings: base),
    .executableTarget(
        name: "enclave-dev-shim", dependencies: ["EnclaveRuntime", "EnclaveDevShim"],
        path: "enclave/Executables/enclave-dev-shim", swiftSettings: base),

    // A Nitro secure module for tests; no product of ours depends on it.
    .target(
        name: "SimulatedNitro", dependencies: ["COpenSSL"], path: "Tests/Simulators/SimulatedNitro",
        swiftSettings: strict),

    .executableTarget(
        name: "rpc-bench", dependencies: ["AttestedSession", "EnclaveProtocol", "Sodium"],
        path: "Tests/Benchmarks/rpc-bench", swiftSettings: base),
    .executableTarget(
        name: "tls-floor", path: "Tests/Benchmarks/tls-floor",
        linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),

    test("EnclaveProtocol", ["EnclaveProtocol"]),
    test("SimulatedNitro", ["SimulatedNitro"]),
    test("Sodium", ["Sodium"]),
    test("AttestedSession", ["AttestedSession", "EnclaveProtocol", "Sodium"], resources: [.copy("peers")]),
    test("EnclaveVault", ["EnclaveVault", "EnclaveDevShim", "EnclaveProtocol", "Sodium"]),
    test(
        "EnclaveRuntime",
        [
            "EnclaveRuntime", "EnclaveDevShim", "EnclaveVault", "EnclaveProtocol", "AttestedSession", "Sodium",
            "SimulatedNitro", "COpenSSL",
        ]),
]

var products: [Product] = [
    .executable(name: "enclave-runtime", targets: ["enclave-runtime"]),
    .executable(name: "enclave-dev-shim", targets: ["enclave-dev-shim"]),
    .executable(name: "rpc-bench", targets: ["rpc-bench"]),
    .executable(name: "tls-floor", targets: ["tls-floor"]),
]

var dependencies: [Package.Dependency] = []

// MARK: - host, simulators, end-to-end tests

if !enclaveOnly {
    // Exact, so that two builds of one commit are of the same sources; an update is a commit.
    dependencies = [
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-http2", exact: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-certificates", exact: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", exact: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        // Tests only: reads the published contract.
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ]

    let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
    let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
    let hummingbirdHTTP2 = Target.Dependency.product(name: "HummingbirdHTTP2", package: "hummingbird")
    let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
    let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
    let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
    let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
    let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
    let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
    let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
    let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
    let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
    let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
    let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
    let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
    let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
    let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
    let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")

    targets += [
        systemLibrary("CPostgres", in: "host"),
        systemLibrary("CHiredis", in: "host"),
        .target(
            name: "HostRuntime", dependencies: [logging, lifecycle, "CLinux"],
            path: "host/HostRuntime", swiftSettings: strict),
        .target(
            name: "AttestationVerifier", dependencies: ["EnclaveProtocol", "Sodium", "COpenSSL"],
            path: "host/AttestationVerifier", swiftSettings: strict),
        .target(
            name: "HostStorage",
            dependencies: [
                "HostRuntime", "CPostgres", "CHiredis", "CLinux", "COpenSSL", crypto, logging, nioCore, nioPosix,
                nioSSL,
            ],
            path: "host/HostStorage", resources: [.embedInCode("migrations")], swiftSettings: strict),
        .target(
            name: "EnclaveClient",
            dependencies: [
                "EnclaveProtocol", "Sodium", "AttestedSession", "AttestationVerifier", "HostRuntime", "HostStorage",
                logging, lifecycle,
            ],
            path: "host/EnclaveClient", swiftSettings: strict),
        .target(
            name: "Push",
            dependencies: [
                "HostRuntime", asyncHTTPClient, nioCore, nioSSL, nioHTTP1, nioHTTP2, jwtKit, crypto, logging,
            ],
            path: "host/Push", swiftSettings: base),
        .target(
            name: "KeyOperations",
            dependencies: [
                "AttestationVerifier", "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol",
                asyncHTTPClient, nioCore, nioHTTP1, nioSSL, crypto,
            ],
            path: "host/KeyOperations", swiftSettings: base),
        .target(
            name: "LLMGateway",
            dependencies: [
                "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol", asyncHTTPClient, nioCore, nioPosix,
                nioHTTP1, nioSSL, crypto, lifecycle,
            ],
            path: "host/LLMGateway", resources: [.embedInCode("prices.json")], swiftSettings: base),
        .target(
            name: "HostProcess",
            dependencies: [
                "HostRuntime", "HostStorage", "EnclaveClient", "KeyOperations", "EnclaveProtocol", "LLMGateway",
                lifecycle,
            ],
            path: "host/HostProcess", swiftSettings: base),
        .target(name: "CContract", path: "host/SystemLibraries/CContract"),
        .target(
            name: "APIServer",
            dependencies: [
                "CContract", "HostProcess", "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol", "Sodium",
                "LLMGateway",
                hummingbird, hummingbirdCore,
                asyncHTTPClient, nioCore, nioPosix, nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1, nioSSL, httpTypes,
                crypto, cryptoExtras, logging, lifecycle, unixSignals,
            ],
            path: "host/APIServer", exclude: ["openapi.yaml", "docs.html"], swiftSettings: base),
        .target(
            name: "JobWorker",
            dependencies: [
                "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol", "Sodium", "Push", "LLMGateway",
                logging,
                lifecycle,
            ],
            path: "host/JobWorker", swiftSettings: base),
        .executableTarget(
            name: "api-server",
            dependencies: ["APIServer", "HostRuntime", "HostStorage", "EnclaveClient", logging, lifecycle],
            path: "host/Executables/api-server", swiftSettings: base),
        .executableTarget(
            name: "worker",
            dependencies: [
                "APIServer", "JobWorker", "Push", "HostProcess", "HostRuntime", "HostStorage", asyncHTTPClient, logging,
                lifecycle, unixSignals,
            ],
            path: "host/Executables/worker", swiftSettings: base),
        .executableTarget(
            name: "alfredctl",
            dependencies: [
                "HostProcess", "HostRuntime", "HostStorage", "EnclaveClient", "KeyOperations", "AttestationVerifier",
                "EnclaveProtocol", "Sodium", "AttestedSession", argumentParser, logging,
            ],
            path: "host/Executables/alfredctl", swiftSettings: base),
        .target(
            name: "LLMEvaluation", dependencies: ["LLMGateway", "HostRuntime"], path: "host/LLMEvaluation",
            exclude: ["fixtures"],
            swiftSettings: base),
        .executableTarget(
            name: "llm-eval", dependencies: ["LLMEvaluation", "HostRuntime", argumentParser],
            path: "host/Executables/llm-eval",
            swiftSettings: base),

        .target(
            name: "SimulatorKit",
            dependencies: [
                "SimulatedNitro",
                "AttestationVerifier", hummingbird, hummingbirdCore, hummingbirdHTTP2, x509, asn1, crypto, cryptoExtras,
                asyncHTTPClient, nioCore, nioHTTP1, nioHTTP2, nioSSL, httpTypes, logging, lifecycle,
            ],
            path: "Tests/Simulators/SimulatorKit", swiftSettings: base),
        .executableTarget(
            name: "simulators", dependencies: ["SimulatorKit", argumentParser, logging, lifecycle, unixSignals],
            path: "Tests/Simulators/simulators", swiftSettings: base),
        .executableTarget(
            name: "budget-worker", dependencies: ["LLMGateway", "HostRuntime", "HostStorage"],
            path: "Tests/LLMGatewayProcesses/budget-worker", swiftSettings: base),
        .target(
            name: "LocalStack",
            dependencies: [
                "HostRuntime", "SimulatorKit", "CLocalStack", asyncHTTPClient, nioCore, nioPosix, nioSSL, nioHTTP1,
            ],
            path: "Tests/LocalStack/LocalStack", swiftSettings: base),
        // It searches gigabytes of memory for secrets: optimised in a debug build too.
        .target(
            name: "CLocalStack", path: "Tests/LocalStack/CLocalStack", cSettings: [.unsafeFlags(["-O2"])]),
        .executableTarget(
            name: "enclave-bench",
            dependencies: [
                "LocalStack", "AttestedSession", "AttestationVerifier", "EnclaveProtocol", "Sodium", asyncHTTPClient,
                nioCore, nioHTTP1, nioSSL, argumentParser,
            ],
            path: "Tests/Benchmarks/enclave-bench", swiftSettings: base),
        .executableTarget(
            name: "jobs-bench",
            dependencies: [
                "JobWorker", "Push", "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol", argumentParser,
                logging, lifecycle,
            ],
            path: "Tests/Benchmarks/jobs-bench", swiftSettings: base),
        .executableTarget(
            name: "llm-bench",
            dependencies: [
                "LLMGateway", "HostRuntime", "HostStorage", argumentParser, asyncHTTPClient, nioCore, nioHTTP1, crypto,
            ],
            path: "Tests/Benchmarks/llm-bench", swiftSettings: base),
        .executableTarget(
            name: "alfred-local", dependencies: ["LocalStack", argumentParser],
            path: "Tests/LocalStack/alfred-local", swiftSettings: base),

        .target(
            name: "AttestationCases",
            dependencies: ["AttestationVerifier", "EnclaveProtocol", "Sodium", "SimulatedNitro"],
            path: "Tests/AttestationCases/AttestationCases", swiftSettings: base),
        .executableTarget(
            name: "attestation-bench",
            dependencies: ["AttestationVerifier", "AttestedSession", "EnclaveProtocol", "SimulatedNitro", "Sodium"],
            path: "Tests/Benchmarks/attestation-bench", swiftSettings: base),
        .executableTarget(
            name: "attestation-cases", dependencies: ["AttestationCases", "AttestationVerifier"],
            path: "Tests/AttestationCases/attestation-cases", swiftSettings: base),

        test("HostRuntime", ["HostRuntime", logging]),
        test("AttestationVerifier", ["AttestationVerifier", "EnclaveProtocol", "Sodium", "SimulatedNitro"]),
        test("AttestationReplay", ["AttestationCases", "AttestationVerifier", "EnclaveProtocol", "Sodium"]),
        test(
            "EnclaveClient",
            ["EnclaveClient", "AttestationVerifier", "EnclaveProtocol", "AttestedSession", "Sodium", "HostRuntime"]),
        test("HostStorage", ["HostStorage", "HostRuntime", "LocalStack", logging]),
        test(
            "LLMGateway",
            [
                "LLMGateway", "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol", "SimulatorKit",
                "Sodium",
                "budget-worker", "HostProcess", crypto,
            ]),
        test("LLMEvaluation", ["LLMEvaluation", "LLMGateway", "HostRuntime", "SimulatorKit"]),
        test("HostProcess", ["HostProcess", "HostRuntime", "HostStorage", "EnclaveProtocol"]),
        test(
            "Push",
            [
                "Push", "HostRuntime", "SimulatorKit", asyncHTTPClient, nioCore, nioHTTP1, nioHTTP2,
                .product(name: "NIOEmbedded", package: "swift-nio"), crypto, jwtKit, logging,
            ]),
        test(
            "APIServer",
            [
                "APIServer", "HostProcess", "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol",
                "LLMGateway", hummingbird, httpTypes, nioCore, nioPosix, nioHTTP1,
                .product(name: "NIOEmbedded", package: "swift-nio"), crypto, cryptoExtras, logging,
                lifecycle, .product(name: "Yams", package: "Yams"),
            ]),
        test(
            "JobWorker",
            [
                "JobWorker", "Push", "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol", "Sodium",
                "LocalStack", "LLMGateway",
                logging, lifecycle,
            ]),
        test(
            "HostileHost",
            ["LocalStack", "SimulatorKit", "AttestedSession", "AttestationVerifier", "EnclaveProtocol", "Sodium"]),
        test(
            "EndToEnd",
            [
                "LocalStack", "SimulatorKit", "HostRuntime", "HostStorage", "EnclaveClient", "EnclaveProtocol",
                "EnclaveDevShim", "EnclaveRuntime", "EnclaveVault", "Sodium",
            ]),
        test(
            "KeyOperations",
            [
                "KeyOperations", "AttestationVerifier", "AttestedSession", "EnclaveClient", "EnclaveProtocol",
                "HostRuntime", "SimulatorKit", "SimulatedNitro", "Sodium", asyncHTTPClient, nioCore, nioHTTP1, nioSSL,
                crypto, cryptoExtras,
            ]),
        test(
            "EnclaveKMS",
            ["EnclaveRuntime", "EnclaveVault", "EnclaveProtocol", "Sodium", "SimulatorKit", "SimulatedNitro"]),
        test("Simulator", ["SimulatorKit", asyncHTTPClient, nioCore, nioHTTP1, nioSSL, crypto, cryptoExtras]),
        test("Architecture", ["HostRuntime"]),
    ]
    products += [
        .executable(name: "api-server", targets: ["api-server"]),
        .executable(name: "worker", targets: ["worker"]),
        .executable(name: "alfredctl", targets: ["alfredctl"]),
        .executable(name: "llm-eval", targets: ["llm-eval"]),
        .executable(name: "simulators", targets: ["simulators"]),
        .executable(name: "alfred-local", targets: ["alfred-local"]),
        .executable(name: "enclave-bench", targets: ["enclave-bench"]),
        .executable(name: "jobs-bench", targets: ["jobs-bench"]),
        .executable(name: "llm-bench", targets: ["llm-bench"]),
        .executable(name: "attestation-cases", targets: ["attestation-cases"]),
        .executable(name: "attestation-bench", targets: ["attestation-bench"]),
    ]
}

let package = Package(
    name: "alfred-backend",
    products: products,
    dependencies: dependencies,
    targets: targets,
    swiftLanguageModes: [.v6]
)
