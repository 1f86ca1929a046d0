import Foundation
import HostRuntime
import Testing

@Suite struct DotEnvTests {
    @Test(arguments: [
        ("A=b", "b"), ("  A = b c  ", "b c"), ("export A=b", "b"), ("A=b # note", "b"), ("A=b#c", "b#c"),
        ("A='b # $c'", "b # $c"), ("A=\"b\\n\\\"c\\\"\" # note", "b\n\"c\""), ("A=", ""), ("A=# note", ""),
        ("A=b\r", "b"), ("A=x=y", "x=y"),
    ])
    func readsAnAssignment(line: String, value: String) {
        let read = DotEnv.parse("# comment\n\n\(line)\n")
        #expect(read.values == ["A": value])
        #expect(read.violations == [])
    }

    @Test(arguments: [
        "canary", "=canary", "1A=canary", "A-B=canary", "A='canary", "A=\"canary", "A=\"can\\xary\"", "A='can' ary",
    ])
    func namesTheLineOfABadAssignmentAndNotItsContent(line: String) {
        let read = DotEnv.parse("B=1\n\(line)\n")
        #expect(read.violations.map(\.variable) == [".env line 2"])
        #expect(!read.violations.description.contains("canary"))
    }

    @Test func refusesANameSetTwice() {
        #expect(DotEnv.parse("A=1\nA=2\n").violations.map(\.variable) == [".env line 2"])
    }
}

@Suite struct EnvironmentSourceTests {
    @Test func theRealEnvironmentWinsOverTheFile() throws {
        let start = try Start(
            ["API_BIND_ADDR": "127.0.0.1:1"], dotEnv: "API_BIND_ADDR=127.0.0.1:2\nAPI_MAX_CONNECTIONS=99")
        let api = try start.api().api
        #expect(api.bindAddress.port == 1)
        #expect(api.maximumConnections == 99)
    }

    @Test func aBlankRealValueIsUnset() throws {
        #expect(
            try Start(["API_MAX_CONNECTIONS": "  "], dotEnv: "API_MAX_CONNECTIONS=99").api().api.maximumConnections
                == 99)
    }

    @Test func theNearestParentsFileIsRead() throws {
        let start = try Start(dotEnv: "API_MAX_CONNECTIONS=99")
        let below = start.folder.path + "/.local"
        #expect(DotEnv.nearest(to: below + "/keys") == start.folder.path + "/.env")
        try start.folder.write("", to: ".local/.env")
        #expect(DotEnv.nearest(to: below + "/keys") == below + "/.env")
    }

    @Test func theFileIsNotReadOutsideLocal() throws {
        let start = try Start.production(dotEnv: "API_MAX_CONNECTIONS=99\nnonsense")
        #expect(try start.api().api.maximumConnections == 4096)
    }

    @Test func theFileMayNotLeaveLocal() throws {
        #expect(try Start(dotEnv: "ALFRED_ENV=production").refused() == ["ALFRED_ENV"])
        #expect(try Start(dotEnv: "ALFRED_ENV=local").refused() == [])
    }

    @Test func anUnknownEnvironmentIsRefused() throws {
        #expect(try Start(["ALFRED_ENV": "prod"]).refused().contains("ALFRED_ENV"))
    }

    @Test func aSecretMayComeFromAFile() throws {
        let start = try Start(["DATABASE_URL": nil, "DATABASE_URL_FILE": "url"])
        try start.folder.write(" postgres://127.0.0.1/alfred\n", to: "url")
        #expect(try start.api().storage.database.url.text.withValue { $0 } == "postgres://127.0.0.1/alfred")
    }

    @Test(arguments: [0o640, 0o604, 0o700])
    func aSecretFileThatOthersMayReadIsRefused(mode: Int) throws {
        let start = try Start(["DATABASE_URL": nil, "DATABASE_URL_FILE": "url"])
        try start.folder.write("postgres://127.0.0.1/alfred", to: "url", mode: mode)
        #expect(start.refused().contains("DATABASE_URL_FILE"))
    }

    @Test func aSecretFileMustBeAReadableFileWithText() throws {
        let start = try Start(["DATABASE_URL": nil, "DATABASE_URL_FILE": "url"])
        #expect(start.refused().contains("DATABASE_URL_FILE"))
        try start.folder.write("  \n", to: "url")
        #expect(start.refused().contains("DATABASE_URL_FILE"))
        try start.folder.write(String(repeating: "x", count: SecretFile.maximumBytes + 1), to: "url")
        #expect(start.refused().contains("DATABASE_URL_FILE"))
        #expect(throws: SecretFileError.notAFile) { try SecretFile.text(at: start.folder.path) }
    }

    @Test func aSecretAndItsFileTogetherAreRefused() throws {
        let both = try Start(["DATABASE_URL_FILE": "url"])
        try both.folder.write("postgres://127.0.0.1/alfred", to: "url")
        #expect(both.refused() == ["DATABASE_URL"])
        let overridden = try Start(dotEnv: "DATABASE_URL_FILE=nowhere")
        #expect(overridden.refused() == [])
    }

    @Test(arguments: ["GOOGLE_OAUTH_CLIENT_SECRET", "TEE_ATTESTATION_SIGNING_PRIVATE_KEY"])
    func aHostNeverStartsWithASecretOfTheEnclave(name: String) throws {
        #expect(try Start([name: "canary"]).refused() == [name])
        #expect(try Start(dotEnv: "\(name)=canary").refused() == [name])
        #expect(try Start.production([name: "canary"]).refused() == [name])
        #expect(try Start(dotEnv: "\(name)_FILE=nowhere").refused() == [])
        #expect(try Start.production([name + "_FILE": "nowhere"]).refused() == [name + "_FILE"])
    }

    @Test func outsideLocalAForeignSecretEndsTheStart() throws {
        #expect(
            try Start.production(["CLERK_SECRET_KEY": "canary"]).workerViolations().map(\.variable) == [
                "CLERK_SECRET_KEY"
            ])
        #expect(try Start(["CLERK_SECRET_KEY": "canary"]).workerViolations() == [])
        #expect(
            try Start.production(["APNS_AUTH_TOKEN": "canary"]).apiViolations().map(\.variable) == ["APNS_AUTH_TOKEN"])
    }

    @Test func misspeltVariablesAreNamed() throws {
        let start = try Start(
            ["WORKER_TICK_SECOND": "1", "OTHER": "1", "CLERK_SECRET_KEY_FILE": "x"], dotEnv: "TEE_X=1")
        #expect(start.load(.worker).unknownVariables == ["TEE_X", "WORKER_TICK_SECOND"])
    }

    @Test(arguments: ["TEE_ALLOWED_MEASUREMENTS", "KMS_ALLOWED_MEASUREMENTS"])
    func aBlankAllowListIsAnErrorAndNotTheDefault(name: String) throws {
        #expect(try Start([name: " "]).refused() == [name])
        #expect(try Start(dotEnv: "\(name)=").refused() == [name])
        #expect(try Start([name: "x:1"], dotEnv: "\(name)=").refused() == [])
        #expect(try Start([name: ","]).refused() == [name])
    }

    @Test func loadedValuesDoNotPrint() throws {
        let loaded = try Start().load(.api)
        var dumped = ""
        dump(loaded, to: &dumped)
        for text in ["\(loaded)", String(reflecting: loaded), dumped] { #expect(!text.contains("canary")) }
    }
}

@Suite struct SecretTests {
    @Test func aSecretDoesNotPrint() {
        let secret = Secret("canary")
        var dumped = ""
        dump([secret], to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\([secret])", dumped] {
            #expect(!text.contains("canary"))
        }
        #expect(secret.withValue { $0 } == "canary")
    }

    @Test(arguments: [keyText, " \(keyText)\n"])
    func readsAKeyInPlace(text: String) throws {
        let folder = try Folder()
        let path = try folder.write(text, to: "key")
        var key = [UInt8](repeating: 0, count: 32)
        try key.withUnsafeMutableBytes { try SecretFile.readKey(at: path, into: $0) }
        #expect(key == (1...32).map { UInt8($0) })
    }

    @Test(arguments: [
        "", "AAAA", String(keyText.dropLast()), keyText + "AAAA", keyText.replacingOccurrences(of: "=", with: "A"),
        "!" + keyText.dropFirst(), String(keyText.dropLast(2)) + "B=",
    ])
    func refusesAFileThatIsNotAKey(text: String) throws {
        let folder = try Folder()
        let file = try folder.write(text, to: "key")
        #expect(throws: SecretFileError.notAKey) { try SecretFile.checkKey(at: file, count: 32) }
    }
}
