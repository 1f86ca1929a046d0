import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
public import HostRuntime
public import ServiceLifecycle

/// Copies the enclave's counters into the metrics of this process.
public struct EnclaveMetricsPull: Service {
    static let interval = Duration.seconds(30)
    static let limit = Duration.seconds(5)
    private static let copied: Set<Metric> = [
        .enclaveGoogleCalls, .enclaveRefreshes, .enclaveSealedRejected, .enclaveUserLimited,
        .enclaveVersionMemoryEvicted,
    ]

    private let enclave: any WorkerEnclave
    private let metrics: MetricsRegistry

    public init(enclave: any WorkerEnclave, metrics: MetricsRegistry) {
        self.enclave = enclave
        self.metrics = metrics
    }

    /// Repeats every 30 seconds until shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if enclave.isAvailable { await pull() }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    /// One round; a failure leaves the numbers as they were.
    func pull() async {
        let context = CallContext(requestID: RequestID.new().text, deadline: Self.limit)
        guard let answer = try? await enclave.metrics(context: context) else { return }
        for counter in answer.counters {
            guard let metric = Metric(rawValue: counter.name), Self.copied.contains(metric) else { continue }
            metrics.setTotal(
                metric, [.resource: counter.resource, .result: counter.result], to: Double(counter.count))
        }
    }
}
