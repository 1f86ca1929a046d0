public import EnclaveProtocol
internal import Synchronization

/// The counters of `metrics`: fixed names and labels, no ids.
public final class Counters: Sendable {
    private struct Key: Hashable {
        let name: String
        let resource: String
        let result: String
    }

    /// Labels come from closed lists; this only bounds a mistake.
    private static let maximumCounters = 512
    private let counts = Mutex<[Key: UInt64]>([:])

    /// All at zero.
    public init() {}

    func add(_ name: String, resource: String = "", result: String = "", _ amount: UInt64 = 1) {
        let key = Key(name: name, resource: resource, result: result)
        counts.withLock { counts in
            guard counts[key] != nil || counts.count < Self.maximumCounters else { return }
            counts[key, default: 0] += amount
        }
    }

    /// A call was answered.
    func callAnswered(_ method: String, _ result: String) {
        add("enclave_calls_served_total", resource: method, result: result)
    }

    /// A Google API was read, or could not be.
    func googleCall(_ resource: String, _ result: String) {
        add("enclave_google_calls_total", resource: resource, result: result)
    }

    /// A refresh at the provider ended.
    func refresh(_ result: String) { add("enclave_refresh_total", result: result) }

    /// Something sealed did not open.
    func sealedRejected(_ result: String) { add("enclave_sealed_rejected_total", result: result) }

    /// A user's minute was used up.
    func userLimited(_ resource: String) { add("enclave_user_limited_total", resource: resource) }

    /// The counters in their wire order.
    public var snapshot: [EnclaveMetrics.Counter] {
        counts.withLock { $0 }
            .map { .init(name: $0.name, resource: $0.resource, result: $0.result, count: $1) }
            .sorted { ($0.name, $0.resource, $0.result) < ($1.name, $1.resource, $1.result) }
    }
}
