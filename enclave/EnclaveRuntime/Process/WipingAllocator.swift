internal import CCurl
internal import CLinux
internal import COpenSSL

/// Allocators for OpenSSL and libcurl that wipe what they free: TLS keys, bearer headers, request and answer buffers.
enum WipingAllocator {
    /// Installs both; must come before any other call into either library.
    static func install() {
        _ = unsafe CRYPTO_set_mem_functions(openSSLAllocate, openSSLReallocate, openSSLFree)
        // Threads may be in OpenSSL when the process ends: it must not take its tables away under them.
        _ = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
        _ = unsafe curl_global_init_mem(
            Int(CURL_GLOBAL_DEFAULT), curlAllocate, curlFree, curlReallocate, curlDuplicate, curlClear)
    }
}

private func wipeAndFree(_ memory: UnsafeMutableRawPointer?) {
    guard let memory = unsafe memory else { return }
    unsafe explicit_bzero(memory, malloc_usable_size(memory))
    unsafe free(memory)
}

private func reallocate(_ memory: UnsafeMutableRawPointer?, _ count: Int) -> UnsafeMutableRawPointer? {
    guard let memory = unsafe memory else { return unsafe malloc(count) }
    guard count > 0 else {
        unsafe wipeAndFree(memory)
        return nil
    }
    let usable = unsafe malloc_usable_size(memory)
    // Within the block it has, and not wastefully so, nothing moves.
    if count <= usable, count >= usable / 2 { return unsafe memory }
    guard let moved = unsafe malloc(count) else { return nil }
    unsafe moved.copyMemory(from: memory, byteCount: min(count, usable))
    unsafe wipeAndFree(memory)
    return unsafe moved
}

private func openSSLAllocate(_ count: Int, _: UnsafePointer<CChar>?, _: Int32) -> UnsafeMutableRawPointer? {
    count > 0 ? unsafe malloc(count) : nil
}

private func openSSLReallocate(
    _ memory: UnsafeMutableRawPointer?, _ count: Int, _: UnsafePointer<CChar>?, _: Int32
) -> UnsafeMutableRawPointer? {
    unsafe reallocate(memory, count)
}

private func openSSLFree(_ memory: UnsafeMutableRawPointer?, _: UnsafePointer<CChar>?, _: Int32) {
    unsafe wipeAndFree(memory)
}

private func curlAllocate(_ count: Int) -> UnsafeMutableRawPointer? { unsafe malloc(count) }

private func curlFree(_ memory: UnsafeMutableRawPointer?) { unsafe wipeAndFree(memory) }

private func curlReallocate(_ memory: UnsafeMutableRawPointer?, _ count: Int) -> UnsafeMutableRawPointer? {
    unsafe reallocate(memory, count)
}

private func curlDuplicate(_ text: UnsafePointer<CChar>?) -> UnsafeMutablePointer<CChar>? {
    guard let text = unsafe text else { return nil }
    return unsafe strdup(text)
}

private func curlClear(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? { unsafe calloc(count, size) }
