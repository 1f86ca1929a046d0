import NIOCore
import NIOEmbedded
import NIOHTTP2
import Testing

@testable import Push

/// PING on a silent connection.
@Suite struct ConnectionWatchTests {
    private func connected() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: nil)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/none")).wait()
        // As in the pool: the handler comes to a connection that is open already.
        let watch = ConnectionWatch(.init(silence: .seconds(60), answer: .seconds(10)))
        try channel.pipeline.syncOperations.addHandler(watch)
        return channel
    }

    private func ping(_ channel: EmbeddedChannel) throws -> HTTP2PingData? {
        guard let frame = try channel.readOutbound(as: HTTP2Frame.self) else { return nil }
        guard case .ping(let data, ack: false) = frame.payload else { return nil }
        return data
    }

    private func receive(_ payload: HTTP2Frame.FramePayload, _ channel: EmbeddedChannel) throws {
        try channel.writeInbound(HTTP2Frame(streamID: .rootStream, payload: payload))
        // Passed on to what comes after.
        #expect(try channel.readInbound(as: HTTP2Frame.self) != nil)
    }

    @Test func asksAfterAMinuteOfSilenceAndIsContentWithTheAnswer() throws {
        let channel = try connected()
        channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(try ping(channel) == nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        let first = try #require(try ping(channel))
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        try receive(.ping(first, ack: true), channel)
        channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(channel.isActive)
        #expect(try ping(channel) == nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        let second = try #require(try ping(channel))
        #expect(second != first)
        _ = try channel.finish()
    }

    @Test func closesAConnectionThatDoesNotAnswer() throws {
        let channel = try connected()
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        let sent = try #require(try ping(channel))
        // Neither an old answer nor another frame counts as the answer.
        try receive(.ping(HTTP2PingData(withInteger: 99), ack: true), channel)
        #expect(sent != HTTP2PingData(withInteger: 99))
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test func doesNotAskWhileTheServiceTalks() throws {
        let channel = try connected()
        for _ in 1...5 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(40))
            try receive(.settings(.ack), channel)
        }
        #expect(try ping(channel) == nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(try ping(channel) != nil)
        _ = try channel.finish()
    }
}
