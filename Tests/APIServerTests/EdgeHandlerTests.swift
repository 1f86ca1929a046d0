import Foundation
import HostProcess
import HostRuntime
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import APIServer

@Suite struct EdgeStateTests {
    @Test func aRequestAndItsAnswerComeBackToIdle() {
        var state = EdgeState()
        let begins = state.bytesArrived()
        #expect(begins)
        let again = state.bytesArrived()
        #expect(!again)
        state.headForwarded()
        _ = state.bodyArrived(10)
        state.requestEnded()
        #expect(state.phase == .answering)
        #expect(state.writing(ends: false) == .pass)
        #expect(state.writing(ends: true) == .pass)
        #expect(state.isQuiet)
    }

    @Test func aRejectionWaitsForEarlierAnswers() {
        var state = EdgeState()
        _ = state.bytesArrived()
        state.headForwarded()
        state.requestEnded()
        _ = state.bytesArrived()
        #expect(state.reject(.invalidRequest) == .later)
        #expect(state.writing(ends: false) == .pass)
        #expect(state.writing(ends: true) == .passThenReject(.invalidRequest))
        #expect(state.writing(ends: false) == .drop)
    }

    @Test func aBodyBeyondTheLimitIsRejectedInPlaceOfItsAnswer() {
        var state = EdgeState()
        _ = state.bytesArrived()
        state.headForwarded()
        let fits = state.bodyArrived(EdgeLimits.maximumBodyBytes)
        let isTooMuch = !state.bodyArrived(1)
        #expect(fits && isTooMuch)
        #expect(state.reject(.payloadTooLarge) == .write(.payloadTooLarge))
        #expect(state.writing(ends: true) == .drop)
        #expect(state.reject(.invalidRequest) == .none)
    }

    @Test func anAnswerThatHasBegunCannotBeReplaced() {
        var state = EdgeState()
        _ = state.bytesArrived()
        state.headForwarded()
        _ = state.writing(ends: false)
        #expect(state.reject(.requestReadTimeout) == .closeNow)
    }
}

/// One connection's handlers on a clock that the test moves.
@Suite struct EdgeClockTests {
    private let channel = EmbeddedChannel()
    private let readiness = Readiness([])
    private let head = "GET / HTTP/1.1\r\nHost: a\r\n"

    init() throws {
        let accessLog = AccessLog(log: LineBuffer().log(), metrics: MetricsRegistry())
        let edge = EdgeHandler(accessLog: accessLog, readiness: readiness)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(FirstByteHandler(edge))
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
        try pipeline.addHandler(edge)
        channel.triggerUserOutboundEvent(EdgeHandler.Attended(), promise: nil)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func receive(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    private func answer(_ headers: HTTPHeaders = ["content-length": "0"]) throws {
        try channel.writeOutbound(
            HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)))
        try channel.writeOutbound(HTTPServerResponsePart.end(nil))
    }

    private func sent() throws -> String {
        var text = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
        return text
    }

    private func pass(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    @Test func endsAHeadThatNeverEnds() throws {
        pass(70)
        try receive(head)
        pass(9)
        try receive("X: y")
        #expect(try sent() == "")
        pass(1)
        #expect(try sent().hasPrefix("HTTP/1.1 408 "))
        pass(1)
        #expect(!channel.isActive)
    }

    @Test func endsABodyThatNeverEnds() throws {
        try receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{")
        pass(14)
        #expect(try sent() == "")
        pass(1)
        #expect(try sent().hasPrefix("HTTP/1.1 408 "))
    }

    @Test func waitsForAHandlerAsLongAsItTakes() throws {
        try receive(head + "\r\n")
        pass(600)
        try answer()
        #expect(try sent().hasPrefix("HTTP/1.1 200 "))
    }

    @Test func endsAConnectionThatTakesNoAnswer() throws {
        try receive(head + "\r\n")
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        pass(14)
        #expect(channel.isActive)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        pass(60)
        #expect(channel.isActive)
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        pass(15)
        #expect(!channel.isActive)
    }

    @Test func closesAnIdleConnectionSilently() throws {
        try receive(head + "\r\n")
        try answer()
        _ = try sent()
        pass(74)
        #expect(channel.isActive)
        pass(1)
        #expect(!channel.isActive)
        #expect(try sent() == "")
    }

    @Test func eachRequestHasItsOwnTime() throws {
        for _ in 0..<3 {
            try receive(head)
            pass(8)
            try receive("\r\n")
            try answer()
            pass(60)
        }
        #expect(channel.isActive)
        #expect(try sent().components(separatedBy: "200 OK").count == 4)
    }

    @Test func saysWhileDrainingThatTheConnectionCloses() throws {
        try receive(head + "\r\n")
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        try answer()
        #expect(try sent().contains("connection: close"))
        pass(1)
        #expect(!channel.isActive)
    }

    @Test func saysSoFromTheMomentTheEndIsAnnounced() throws {
        try receive(head + "\r\n")
        try answer()
        #expect(try !sent().contains("connection: close"))
        readiness.beginDraining()
        pass(2)
        #expect(channel.isActive, "a quiet connection waits for its next request")
        try receive(head + "\r\n")
        try answer()
        #expect(try sent().contains("connection: close"))
        try receive(head + "\r\n")
        pass(1)
        #expect(!channel.isActive)
    }

    @Test func ofRequestsSentTogetherTheLastAnswerSaysIt() throws {
        readiness.beginDraining()
        try receive(head + "\r\n" + head + "\r\n")
        try answer()
        #expect(try !sent().contains("connection: close"))
        try answer()
        #expect(try sent().contains("connection: close"))
    }

    @Test func aRequestThatCrossesTheCloseIsAnswered() throws {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(900))
        try receive(head + "\r\n")
        pass(5)
        try answer()
        let text = try sent()
        #expect(text.hasPrefix("HTTP/1.1 200 ") && text.contains("connection: close"))
        pass(1)
        #expect(!channel.isActive)
    }

    @Test func aConnectionWithoutARequestEndsSoonAfterTheListener() throws {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        pass(1)
        pass(1)
        #expect(!channel.isActive)
        #expect(try sent() == "")
    }
}
