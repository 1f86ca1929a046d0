internal import Synchronization

/// Certificates whose signature under their issuers was verified; bounded, the longest unused goes first.
///
/// Only who signed what is remembered. A certificate in here may have ended since: the caller judges that each time.
final class LinkCache: Sendable {
    private let capacity: Int

    private struct Entry {
        let certificate: SignedCertificate
        var lastUse: UInt64
    }
    private struct State {
        var entries: [[UInt8]: Entry] = [:]
        var uses: UInt64 = 0
    }
    private let state = Mutex(State())

    init(capacity: Int) { self.capacity = capacity }

    /// Number of certificates remembered.
    var count: Int { state.withLock { $0.entries.count } }

    func certificate(_ digest: [UInt8]) -> SignedCertificate? {
        state.withLock { state in
            state.uses += 1
            state.entries[digest]?.lastUse = state.uses
            return state.entries[digest]?.certificate
        }
    }

    /// Remembers certificates under their digests.
    func remember(_ certificates: ArraySlice<SignedCertificate>, _ digests: ArraySlice<[UInt8]>) {
        state.withLock { state in
            for (certificate, digest) in zip(certificates, digests) where state.entries[digest] == nil {
                state.uses += 1
                state.entries[digest] = Entry(certificate: certificate, lastUse: state.uses)
            }
            while state.entries.count > capacity,
                let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.entries[oldest.key] = nil
            }
        }
    }
}
