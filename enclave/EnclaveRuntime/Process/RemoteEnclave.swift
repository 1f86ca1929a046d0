internal import AttestedSession
internal import Sodium

/// `enclave-runtime`: remote mode only.
public enum RemoteEnclave {
    /// Runs the process; returns its exit status.
    public static func main() -> Int32 {
        Hardening.resetFatalSignals()
        let started = MonotonicInstant.now
        Hardening.apply()
        guard let configuration = EnclaveProcess.configure(.remote) else { return 2 }
        let log = Log(level: configuration.logLevel, json: configuration.logsJSON)
        guard EnclaveProcess.prepare(configuration, log) else { return 1 }
        do throws(ConfigurationViolation) {
            let module = try secureModule(configuration)
            let identity = try NitroIdentity.of(configuration, module)
            let evidence = NitroEvidence(identity, module: module, signingSeed: configuration.signingSeed, log: log)
            guard let keys = AWSKeyService(configuration, module: module, log: log) else {
                throw ConfigurationViolation("EGRESS_CA_FILE", "holds no certificate that can be read")
            }
            return EnclaveProcess.serve(
                configuration, evidence: evidence, kms: keys, keyService: keys, log: log, since: started,
                hourly: { if (try? readDocument(module)) == nil { log.write(.warn, .secureModule("no time")) } })
        } catch {
            EnclaveProcess.complain("\(error)")
            return 2
        }
    }

    /// The module, once it has seeded the kernel's randomness: an enclave's own pool is not to be trusted at first.
    private static func secureModule(_ configuration: EnclaveConfiguration) throws(ConfigurationViolation) -> NSMClient
    {
        let module: NSMClient
        let random: [UInt8]
        do throws(SecureModuleError) {
            module = try NSMClient(path: configuration.nsmDevice)
            random = try module.random()
        } catch {
            throw ConfigurationViolation("NSM_DEVICE_PATH", "is no secure module that answers (\(error))")
        }
        guard random.count >= 32, Hardening.seed(random) else {
            throw ConfigurationViolation("NSM_DEVICE_PATH", "gives too little randomness, or the kernel takes none")
        }
        return module
    }
}

extension NitroIdentity {
    /// What the module says this enclave is, as far as configuration allows that.
    static func of(
        _ configuration: EnclaveConfiguration, _ module: some SecureModule
    ) throws(ConfigurationViolation) -> NitroIdentity {
        let identity: NitroIdentity
        do throws(SecureModuleError) {
            identity = try NitroIdentity(try readDocument(module))
        } catch {
            throw ConfigurationViolation("NSM_DEVICE_PATH", "signs no document with an identity (\(error))")
        }
        let isLocal = configuration.environment == .local
        if identity.isDebug, !isLocal {
            throw ConfigurationViolation(
                "NSM_DEVICE_PATH", "PCR0, 1 or 2 is zero: a debug enclave starts in local only")
        }
        if configuration.expectedRuntime.lowercased() != runtime {
            throw ConfigurationViolation("TEE_EXPECTED_RUNTIME", "must be \(runtime) where a secure module answers")
        }
        if let pin = try StatedIdentity.read(configuration),
            pin.runtime.lowercased() != runtime || !identity.matches(pin.measurement)
        {
            throw ConfigurationViolation(
                StatedIdentity.variable(configuration), "states another identity than the secure module")
        }
        if isLocal, !configuration.allowedMeasurements.contains(where: identity.matches) {
            throw ConfigurationViolation("KMS_ALLOWED_MEASUREMENTS", "does not list this enclave's own measurement")
        }
        return identity
    }
}

/// A document made for this enclave alone; its timestamp becomes the enclave's time.
private func readDocument(_ module: some SecureModule) throws(SecureModuleError) -> OwnDocument {
    let document = try OwnDocument(
        try module.attest(userData: Array("alfred-self/1".utf8), nonce: Random.bytes(32), publicKey: nil))
    guard document.timestampMilliseconds > 0 else { throw .malformed }
    WallClock.set(unixMilliseconds: document.timestampMilliseconds)
    return document
}
