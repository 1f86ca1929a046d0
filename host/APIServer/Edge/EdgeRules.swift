import NIOHTTP1

/// What a request head must be before anything else looks at it.
enum EdgeRules {
    /// Why the head is refused; nil when it is fine.
    static func refusal(of head: HTTPRequestHead) -> APIErrorCode? {
        guard head.version == .http1_1, head.headers["host"].count == 1 else { return .invalidRequest }
        let encodings = head.headers["transfer-encoding"]
        let lengths = head.headers["content-length"]
        let isChunked = encodings.map { $0.lowercased() } == ["chunked"]
        guard encodings.isEmpty || (isChunked && lengths.isEmpty) else { return .invalidRequest }
        guard lengths.count <= 1 else { return .invalidRequest }
        if let length = lengths.first {
            guard !length.isEmpty, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return .invalidRequest
            }
            guard let count = Int(length), count <= EdgeLimits.maximumBodyBytes else { return .payloadTooLarge }
        }
        guard headSize(head) <= EdgeLimits.maximumHeadBytes, head.headers.count <= EdgeLimits.maximumHeaderFields else {
            return .headersTooLarge
        }
        let expectations = head.headers["expect"]
        guard expectations.isEmpty || expectations.map({ $0.lowercased() }) == ["100-continue"] else {
            return .expectationFailed
        }
        return nil
    }

    static func expectsContinue(_ head: HTTPRequestHead) -> Bool {
        head.headers.first(name: "expect") != nil
    }

    /// A wish for another protocol. It is not granted, but the decoder stops behind such a request all the same.
    static func asksForUpgrade(_ head: HTTPRequestHead) -> Bool {
        head.method == .CONNECT || head.headers.contains(name: "upgrade")
    }

    /// Bytes of the request line and the header lines.
    private static func headSize(_ head: HTTPRequestHead) -> Int {
        head.headers.reduce(head.uri.utf8.count + 16) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
    }
}
