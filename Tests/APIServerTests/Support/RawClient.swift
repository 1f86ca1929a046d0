import Foundation
import NIOCore
import NIOPosix

/// A client that writes exactly the bytes it is given.
enum RawClient {
    struct TookTooLong: Error {}

    /// Writes the pieces, with the given pause after each, and reads until the server closes or `enough` is content.
    static func exchange(
        _ port: Int, _ pieces: [(text: String, pause: Duration)], within limit: Duration = .seconds(20),
        until enough: @escaping @Sendable (String) -> Bool = { _ in false }
    ) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask {
                try await Task.sleep(for: limit)
                return nil
            }
            group.addTask {
                try await channel.executeThenClose { inbound, outbound in
                    for piece in pieces {
                        try await outbound.write(ByteBuffer(string: piece.text))
                        if piece.pause > .zero { try await Task.sleep(for: piece.pause) }
                    }
                    var text = ""
                    do {
                        for try await part in inbound {
                            text += String(buffer: part)
                            if enough(text) { break }
                        }
                    } catch {
                        // A reset after the answer is an end like any other.
                    }
                    return text
                }
            }
            defer { group.cancelAll() }
            guard let text = try await group.next() ?? nil else { throw TookTooLong() }
            return text
        }
    }

    static func exchange(_ port: Int, _ text: String) async throws -> String {
        try await exchange(port, [(text, .zero)])
    }
}
