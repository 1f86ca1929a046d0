internal import CHiredis
import Glibc

/// hiredis as codec only: commands to bytes, bytes to replies.
enum RedisEncoder {
    /// `nil` when memory ran out.
    static func encode(_ arguments: [[UInt8]]) -> [UInt8]? {
        var target: UnsafeMutablePointer<CChar>?
        let joined = Array(arguments.joined()) + [0]
        let lengths = arguments.map(\.count)
        let length = unsafe joined.withUnsafeBytes { raw -> Int32 in
            let base = unsafe raw.assumingMemoryBound(to: CChar.self).baseAddress
            var offset = 0
            var pointers: [UnsafePointer<CChar>?] = unsafe []
            for length in lengths {
                unsafe pointers.append(base.map { unsafe $0 + offset })
                offset += length
            }
            return unsafe redisFormatCommandArgv(&target, Int32(arguments.count), &pointers, lengths)
        }
        guard length > 0, let text = unsafe target else { return nil }
        defer { unsafe redisFreeCommand(target) }
        return unsafe Array(UnsafeRawBufferPointer(start: text, count: Int(length)))
    }
}

/// Owner of one reader; used by one event loop.
@safe final class RedisDecoder {
    private let reader: UnsafeMutablePointer<redisReader>

    init?() {
        guard let reader = unsafe redisReaderCreate() else { return nil }
        unsafe self.reader = reader
    }

    deinit { unsafe redisReaderFree(reader) }

    /// `false` on a protocol error: the connection is of no more use.
    func feed(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress, unsafe !bytes.isEmpty else { return true }
        return unsafe redisReaderFeed(reader, base.assumingMemoryBound(to: CChar.self), bytes.count) == REDIS_OK
    }

    /// The next whole reply; `nil` while there is none.
    func next() throws(RedisError) -> RedisReply? {
        var pointer: UnsafeMutableRawPointer?
        guard unsafe redisReaderGetReply(reader, &pointer) == REDIS_OK else { throw .unavailable }
        guard let reply = unsafe pointer else { return nil }
        defer { unsafe freeReplyObject(reply) }
        return unsafe Self.value(reply.assumingMemoryBound(to: redisReply.self), depth: 0)
    }

    private static func value(_ reply: UnsafeMutablePointer<redisReply>, depth: Int) -> RedisReply {
        switch unsafe reply.pointee.type {
        case REDIS_REPLY_INTEGER: return unsafe .integer(reply.pointee.integer)
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: return unsafe .bytes(bytes(reply))
        case REDIS_REPLY_ERROR:
            let word = unsafe bytes(reply).prefix { $0 != UInt8(ascii: " ") }
            return .error(String(decoding: word, as: UTF8.self))
        case REDIS_REPLY_ARRAY where depth < 8:
            guard let elements = unsafe reply.pointee.element else { return .array([]) }
            let count = unsafe Int(reply.pointee.elements)
            return .array(
                (0..<count).map { index in
                    unsafe elements[index].map { unsafe value($0, depth: depth + 1) } ?? .null
                })
        default: return .null
        }
    }

    private static func bytes(_ reply: UnsafeMutablePointer<redisReply>) -> [UInt8] {
        guard let text = unsafe reply.pointee.str else { return [] }
        return unsafe Array(UnsafeRawBufferPointer(start: text, count: Int(reply.pointee.len)))
    }
}
