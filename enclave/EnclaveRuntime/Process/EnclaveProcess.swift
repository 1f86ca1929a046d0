public import AttestedSession
public import EnclaveVault
internal import CLinux
internal import Glibc

/// The life of an enclave process, the same for both executables.
public enum EnclaveProcess {
    /// Reads the configuration; the violations are printed and nil is returned when there are any.
    public static func configure(_ executable: EnclaveExecutable) -> EnclaveConfiguration? {
        do throws(ConfigurationError) {
            return try EnclaveConfiguration(try ConfigurationSource.load(executable), for: executable)
        } catch {
            for violation in error.violations { complain("\(violation)") }
            return nil
        }
    }

    /// Serves until SIGTERM or SIGINT, then drains; returns the exit status.
    ///
    /// `isDevShim` repeats every minute that nothing here is secure.
    public static func serve(
        _ configuration: EnclaveConfiguration, evidence: any EvidenceSource, kms: any KeyManagement,
        keyService: (any KeyService)? = nil, log: Log, since started: MonotonicInstant, isDevShim: Bool
    ) -> Int32 {
        // Blocked before there is any other thread, so that only this one takes them.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe sigaddset(&signals, SIGINT)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        if Hardening.lockMemory() == .secretsOnly { log.write(.warn, .memoryNotLocked) }
        log.write(
            .info,
            .starting(
                environment: configuration.environment.rawValue, mode: configuration.mode.rawValue,
                measurement: evidence.measurement, keyID: configuration.keyID, keyVersion: configuration.keyVersion))
        for name in configuration.unknownVariables { log.write(.warn, .unknownVariable(name)) }
        let server: EnclaveServer
        do throws(EnclaveStartError) {
            server = try EnclaveServer(
                configuration, evidence: evidence, kms: kms, keyService: keyService, log: log)
        } catch {
            switch error {
            case .configuration(let violation): complain("\(violation)")
            case .addressUnusable: complain("ENCLAVE_RUNTIME_BIND_ADDR: the address cannot be bound")
            }
            return error == .addressUnusable ? 1 : 2
        }
        server.start()
        log.write(
            .info,
            .ready(
                address: address(configuration.bind, server.boundPort),
                milliseconds: MonotonicInstant.now.milliseconds(after: started)))
        if isDevShim { log.write(.warn, .devShim) }
        // Most of what starting touched is not needed again, and a process whose memory is locked would keep it for good.
        alfred_release_file_pages()
        while true {
            var minute = timespec(tv_sec: 60, tv_nsec: 0)
            if unsafe sigtimedwait(&signals, nil, &minute) > 0 { break }
            if isDevShim, errno == EAGAIN { log.write(.warn, .devShim) }
        }
        log.write(.info, .draining)
        server.drain()
        log.write(.info, .stopped)
        return 0
    }

    /// Says on stderr why the process ends.
    public static func complain(_ text: String) {
        var line = "enclave: \(text)\n"
        line.withUTF8 { bytes in unsafe _ = Glibc.write(2, bytes.baseAddress, bytes.count) }
    }

    private static func address(_ endpoint: Endpoint, _ port: UInt16) -> String {
        if case .tcp(let host, _) = endpoint { return Endpoint.tcp(host: host, port: port).description }
        return endpoint.description
    }
}

/// `enclave-runtime`: remote mode only.
public enum RemoteEnclave {
    /// Runs the process; returns its exit status.
    ///
    /// This version has no Nitro evidence and no AWS KMS yet: it checks its configuration, says so, and ends.
    public static func main() -> Int32 {
        Hardening.resetFatalSignals()
        Hardening.apply()
        guard let configuration = EnclaveProcess.configure(.remote) else { return 2 }
        EnclaveProcess.complain(
            "NSM_DEVICE_PATH: \(configuration.nsmDevice) is no Nitro secure module that this version can use; it has no "
                + "\(configuration.mode.rawValue) mode yet and serves nothing")
        return 2
    }
}
