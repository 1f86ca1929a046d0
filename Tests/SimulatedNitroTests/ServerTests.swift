import Foundation
import SimulatedNitro
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The socket in the place of `/dev/nsm`.
@Suite struct ServerTests {
    private let path = FileManager.default.temporaryDirectory.appending(path: "nsm-\(UUID().uuidString.prefix(8))").path

    private func server() throws -> (SimulatedSecureModule, SecureModuleServer) {
        let module = SimulatedSecureModule(
            registers: Registers.make(image: "one", instanceID: "i-0123456789abcdef0"))
        return (module, try SecureModuleServer(module, path: path))
    }

    /// A connection with a deadline for each read.
    private func connect() throws -> FileHandle {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw POSIXError(.ECONNREFUSED) }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    private func frame(_ bytes: [UInt8]) -> Data {
        Data([0, 0, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes)
    }

    /// The next frame; nil at the end of the connection, or when it is reset.
    private func read(_ connection: FileHandle) throws -> [UInt8]? {
        guard let head = try? connection.read(upToCount: 4), head.count == 4 else { return nil }
        let count = head.reduce(0) { $0 << 8 | Int($1) }
        return try connection.read(upToCount: count).map { Array($0) }
    }

    @Test func answersOneRequestAfterTheOther() throws {
        let (module, server) = try server()
        defer { server.close() }
        let connection = try connect()
        for _ in 0..<3 {
            try connection.write(contentsOf: frame(CBORItem.text("DescribeNSM").encoded()))
            let answer = try #require(try read(connection))
            #expect(
                CBORItem(decoding: answer)?.value("DescribeNSM")?.value("module_id") == .text(module.moduleID))
        }
        #expect(module.requestCount == 3)
    }

    @Test func endsTheConnectionOfALongRequest() throws {
        let (_, server) = try server()
        defer { server.close() }
        let connection = try connect()
        try connection.write(contentsOf: frame([UInt8](repeating: 0x60, count: 0x1001)))
        #expect(try read(connection) == nil)
    }

    @Test func hangsUpWhenToldTo() throws {
        let (module, server) = try server()
        defer { server.close() }
        module.misbehave(.hangUp, times: 1)
        let connection = try connect()
        try connection.write(contentsOf: frame(CBORItem.text("GetRandom").encoded()))
        #expect(try read(connection) == nil)
        let second = try connect()
        try second.write(contentsOf: frame(CBORItem.text("GetRandom").encoded()))
        #expect(try read(second) != nil)
    }

    @Test func nothingListensOnceItIsClosed() throws {
        let (_, server) = try server()
        let connection = try connect()
        server.close()
        server.close()
        #expect(try read(connection) == nil)
        #expect(throws: (any Error).self) { try connect() }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func refusesAPathThatIsTooLong() {
        let module = SimulatedSecureModule(registers: [])
        #expect(throws: (any Error).self) {
            try SecureModuleServer(module, path: "/tmp/" + String(repeating: "x", count: 120))
        }
    }
}
