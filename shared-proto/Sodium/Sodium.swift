internal import CSodium

/// Start-up of the cryptographic library; everything in this module calls it by itself.
public enum Sodium {
    private static let started: Bool = sodium_init() >= 0

    /// Prepares the library once; later calls cost one comparison.
    ///
    /// Ends the process when there is no source of randomness: nothing that follows could be trusted.
    @inline(__always)
    public static func initialise() {
        precondition(started, "libsodium cannot start")
    }
}

/// Randomness of the operating system.
public enum Random {
    /// Returns `count` fresh random bytes.
    public static func bytes(_ count: Int) -> [UInt8] {
        unsafe Hash.digest(count) { unsafe fill($0) }
    }

    /// Fills `buffer` with fresh random bytes; allocates nothing.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        Sodium.initialise()
        unsafe randombytes_buf(buffer.octets, buffer.count)
    }
}

/// Memory helpers for secrets that live on the stack or in a reused buffer.
public enum SecretMemory {
    /// Overwrites `buffer` with zeros in a way the optimiser may not leave out.
    @inline(__always)
    public static func wipe(_ buffer: UnsafeMutableRawBufferPointer) {
        unsafe sodium_memzero(buffer.baseAddress, buffer.count)
    }

    /// Lends `count` bytes of scratch memory on the stack and wipes them when `body` returns or throws.
    ///
    /// The memory is not locked: for values that live microseconds, such as the key of one seal.
    public static func withScratch<R: ~Copyable, E: Error>(
        _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { buffer throws(E) in
            defer { unsafe wipe(buffer) }
            return try unsafe body(buffer)
        }
    }
}

/// Compares two byte strings in time that depends on their length only.
public func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    unsafe left.withUnsafeBytes { left in
        unsafe right.withUnsafeBytes { right in unsafe constantTimeEqual(left, right) }
    }
}

/// Compares two buffers in time that depends on their length only.
public func constantTimeEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    unsafe buffersEqual(left, right)
}

func buffersEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    guard left.count > 0 else { return true }
    return unsafe sodium_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
}

/// What C gets as the address of an empty buffer: some of its functions take no null. Never read, never written.
private enum Nothing {
    nonisolated(unsafe) static let address = UnsafeMutablePointer<UInt8>.allocate(capacity: 16)
}

extension UnsafeRawBufferPointer {
    /// The first byte as C wants it.
    @inline(__always)
    var octets: UnsafePointer<UInt8> {
        unsafe baseAddress?.assumingMemoryBound(to: UInt8.self) ?? UnsafePointer(Nothing.address)
    }

    @inline(__always)
    var length: UInt64 { UInt64(count) }
}

extension UnsafeMutableRawBufferPointer {
    /// The first byte as C wants it.
    @inline(__always)
    var octets: UnsafeMutablePointer<UInt8> {
        unsafe baseAddress?.assumingMemoryBound(to: UInt8.self) ?? Nothing.address
    }
}
