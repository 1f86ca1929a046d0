internal import EnclaveProtocol
internal import EnclaveVault

extension Operations {
    /// `metrics`: the counters, which name nobody.
    func metrics(_ request: EmptyMessage) throws(EnclaveFailure) -> EnclaveMetrics {
        let evicted = EnclaveMetrics.Counter(
            name: "enclave_version_memory_evicted_total", resource: "", result: "",
            count: vault.statistics.evictedConnectors)
        return EnclaveMetrics((counters.snapshot + [evicted]).sorted { $0.name < $1.name })
    }
}
