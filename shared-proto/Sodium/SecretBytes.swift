internal import CSodium
internal import Synchronization

/// Bytes that must not leak: locked against swapping, between guard pages, wiped when their owner lets go.
///
/// They cannot be copied by accident, printed or encoded; whoever needs them borrows the memory in place.
/// Making and freeing one costs over 20 µs and a locked page: for keys and tokens, not for frames.
@safe public struct SecretBytes: ~Copyable, @unchecked Sendable {
    // Unchecked: the memory has one owner and is only written through exclusive access.

    /// Length in bytes.
    public let count: Int
    private let base: UnsafeMutableRawPointer
    /// How many were made in this process, for the tests that show that calls make none.
    static let made = Atomic<UInt64>(0)

    /// Takes `count` bytes of locked memory and lets `fill` write them.
    ///
    /// The memory is owned before `fill` runs, so it is wiped and freed also when `fill` throws.
    public init<E: Error>(
        count: Int, fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        Sodium.initialise()
        Self.made.add(1, ordering: .relaxed)
        guard let memory = unsafe sodium_malloc(count) else { preconditionFailure("no locked memory left") }
        unsafe self.base = memory
        self.count = count
        try unsafe fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
    }

    /// Makes a secret of `count` random bytes.
    public init(random count: Int) {
        unsafe self.init(count: count) { unsafe Random.fill($0) }
    }

    /// Copies `bytes`; wiping the source is its owner's duty.
    public init(copying bytes: UnsafeRawBufferPointer) {
        unsafe self.init(count: bytes.count) { unsafe $0.copyMemory(from: bytes) }
    }

    /// Copies `bytes`, which stay in ordinary memory: for values that are no secret elsewhere, and for tests.
    public init(copying bytes: [UInt8]) {
        unsafe self.init(count: bytes.count) { unsafe $0.copyBytes(from: bytes) }
    }

    deinit { unsafe sodium_free(base) }

    /// Lends the bytes to `body`; the pointer is invalid afterwards.
    @inline(__always)
    public borrowing func withUnsafeBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Lends the bytes for writing; the pointer is invalid afterwards.
    @inline(__always)
    public mutating func withUnsafeMutableBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe body(UnsafeMutableRawBufferPointer(start: base, count: count))
    }

    /// Makes a second secret with the same bytes.
    public borrowing func copy() -> SecretBytes {
        unsafe SecretBytes(copying: UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Compares two secrets in time that depends on their length only.
    public static func constantTimeEqual(_ left: borrowing SecretBytes, _ right: borrowing SecretBytes) -> Bool {
        unsafe left.withUnsafeBytes { left in
            unsafe right.withUnsafeBytes { right in unsafe buffersEqual(left, right) }
        }
    }
}
