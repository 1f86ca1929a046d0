internal import CCurl
internal import COpenSSL

/// The roots that servers must chain to, parsed once and shared by all connections.
@safe final class TrustedRoots: @unchecked Sendable {
    // Unchecked: OpenSSL locks and counts references to a store by itself.
    private static let systemFile = "/etc/ssl/certs/ca-certificates.crt"
    fileprivate let store: OpaquePointer

    /// The certificates of a PEM file, by default the system's; nil when there is none in it.
    init?(file: String?) {
        guard let store = unsafe X509_STORE_new() else { return nil }
        unsafe self.store = store
        guard unsafe X509_STORE_load_file(store, file ?? Self.systemFile) == 1 else { return nil }
    }

    deinit { unsafe X509_STORE_free(store) }
}

/// One libcurl easy handle with its kept-alive connections; used by one thread at a time.
@safe final class CurlHandle: @unchecked Sendable {
    // Unchecked: `Egress` lends a handle to one thread at a time.

    /// What came back besides the body.
    struct Outcome {
        let status: Int
        let retryAfterSeconds: UInt32?
    }

    private let handle: UnsafeMutableRawPointer
    private var headers: UnsafeMutablePointer<curl_slist>?
    private var connectTo: UnsafeMutablePointer<curl_slist>?

    init?() {
        guard let handle = unsafe curl_easy_init() else { return nil }
        unsafe self.handle = handle
    }

    deinit {
        clear()
        unsafe curl_easy_cleanup(handle)
    }

    func set(_ option: CURLoption, _ value: Int) { unsafe _ = alfred_curl_set_long(handle, option, value) }

    func set(_ option: CURLoption, _ value: String) {
        unsafe value.withCString { unsafe _ = alfred_curl_set_pointer(handle, option, $0) }
    }

    /// Forgets the last request, keeps connections, and sets everything that holds for every request.
    func reset(_ url: String, milliseconds: Int, roots: TrustedRoots, routes: [String], relay: String?) {
        unsafe curl_easy_reset(handle)
        set(CURLOPT_URL, url)
        set(CURLOPT_PROTOCOLS_STR, "https")
        set(CURLOPT_PROXY, "")
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_NETRC, 0)
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_ACCEPT_ENCODING, "identity")
        set(CURLOPT_USERAGENT, "alfred-enclave/1")
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        unsafe _ = alfred_curl_set_pointer(handle, CURLOPT_CAINFO, nil)
        unsafe _ = alfred_curl_set_pointer(handle, CURLOPT_CAPATH, nil)
        unsafe _ = alfred_curl_set_tls_context(handle, useTrustedRoots)
        unsafe _ = alfred_curl_set_pointer(
            handle, CURLOPT_SSL_CTX_DATA, UnsafeRawPointer(roots.store))
        set(CURLOPT_MAXCONNECTS, 4)
        // The least that libcurl takes instead of 64 KiB, for every handle sends through it once it has a TLS connection.
        set(CURLOPT_UPLOAD_BUFFERSIZE, 16 * 1024)
        // Instead of 16 KiB: each of two dozen handles keeps one while it works.
        set(CURLOPT_BUFFERSIZE, 4 * 1024)
        set(CURLOPT_TIMEOUT_MS, milliseconds)
        set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds)
        if let relay { set(CURLOPT_ABSTRACT_UNIX_SOCKET, relay) }
        for route in routes { unsafe connectTo = curl_slist_append(connectTo, route) }
        unsafe _ = alfred_curl_set_pointer(handle, CURLOPT_CONNECT_TO, connectTo)
    }

    /// Makes the request a POST of `form`, which must stay valid until it is performed.
    func setForm(_ form: UnsafeRawBufferPointer) {
        set(CURLOPT_POST, 1)
        unsafe _ = alfred_curl_set_pointer(handle, CURLOPT_POSTFIELDS, form.baseAddress)
        set(CURLOPT_POSTFIELDSIZE, form.count)
        unsafe "Expect:".withCString { unsafe headers = curl_slist_append(headers, $0) }
        unsafe _ = alfred_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers)
    }

    /// Sets an option to text that ends in a zero byte; libcurl's copy is wiped when it is freed.
    func set(_ option: CURLoption, _ text: UnsafeRawBufferPointer) {
        unsafe _ = alfred_curl_set_pointer(handle, option, text.baseAddress)
    }

    /// Adds a header line that is no secret.
    func addHeader(_ line: String) {
        unsafe line.withCString { unsafe headers = curl_slist_append(headers, $0) }
        unsafe _ = alfred_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers)
    }

    /// Adds a header line that ends in a zero byte; libcurl's copy is wiped when it is freed.
    func addHeader(_ line: UnsafeRawBufferPointer) {
        unsafe headers = curl_slist_append(headers, line.baseAddress?.assumingMemoryBound(to: CChar.self))
        unsafe _ = alfred_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers)
    }

    /// Drops what belongs to one request only.
    func clear() {
        unsafe curl_slist_free_all(headers)
        unsafe curl_slist_free_all(connectTo)
        unsafe headers = nil
        unsafe connectTo = nil
    }

    /// Performs the request; `receive` gets the body in pieces and ends it by returning false.
    ///
    /// `receive` escapes although it need not: `withoutActuallyEscaping` would write the length of this file's path into
    /// the program, and two folders would not build the same bytes.
    func perform(_ receive: @escaping (UnsafeRawBufferPointer) -> Bool) -> Result<Outcome, ProviderFault> {
        var sink = unsafe BodySink(receive: receive)
        let result = unsafe withUnsafeMutablePointer(to: &sink) { pointer in
            unsafe _ = alfred_curl_set_write(handle, receiveBody)
            unsafe _ = alfred_curl_set_pointer(handle, CURLOPT_WRITEDATA, pointer)
            return unsafe curl_easy_perform(handle)
        }
        guard unsafe !sink.refused else { return .failure(.tooLarge) }
        var status = 0
        guard result == CURLE_OK,
            unsafe alfred_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK
        else { return .failure(.unavailable) }
        var wait: curl_off_t = 0
        unsafe _ = alfred_curl_get_offset(handle, CURLINFO_RETRY_AFTER, &wait)
        return .success(
            Outcome(status: status, retryAfterSeconds: wait > 0 ? UInt32(min(wait, 86_400)) : nil))
    }
}

@unsafe private struct BodySink {
    let receive: (UnsafeRawBufferPointer) -> Bool
    var refused = false
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let sink = unsafe context?.assumingMemoryBound(to: BodySink.self) else { return 0 }
    let length = size * count
    guard unsafe sink.pointee.receive(UnsafeRawBufferPointer(start: bytes, count: length)) else {
        unsafe sink.pointee.refused = true
        return 0
    }
    return length
}

private func useTrustedRoots(
    _: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?, _ store: UnsafeMutableRawPointer?
) -> CURLcode {
    guard let context = unsafe context, let store = unsafe store else { return CURLE_SSL_CERTPROBLEM }
    unsafe SSL_CTX_set1_cert_store(OpaquePointer(context), OpaquePointer(store))
    return CURLE_OK
}
