import Foundation
import HostRuntime
import NIOCore
import NIOHTTP2
import SimulatorKit
import Testing

@testable import Push

/// APNs that asks for patience, closes or loses connections, and bounds their streams.
extension DirectPushTests {
    @Test func waitsAsLongAsAPNsAsks() async throws {
        try await withAPNs { (world: World) async throws in
            for status in [429, 503] {
                try await world.control.setFault(
                    Fault(.devicePush, effect: .status(code: status, retryAfterSeconds: 17), times: 1))
                #expect(
                    await world.routes.send(pushMessage(), to: .production)
                        == .transient(code: "APNS_HTTP_\(status)", retryAfter: .seconds(17)))
            }
            #expect(await world.routes.send(pushMessage(), to: .production) == .delivered)
            #expect(world.metrics.exposition().contains(#"alfred_apns_provider_tokens_total{reason="first"} 1"#))
        }
    }

    @Test func repeatsAtOnceWhatAGoAwayLeftUnprocessed() async throws {
        try await withAPNs { (world: World) async throws in
            let message = pushMessage()
            try await world.control.setFault(Fault(.devicePush, effect: .goAway(refusingThis: true), times: 1))
            #expect(await world.routes.send(message, to: .sandbox) == .delivered)
            let deliveries = try await world.control.deliveries()
            #expect(deliveries.map(\.count) == [1] && deliveries.first?.id == message.id.uuidString.lowercased())
            #expect(try await world.control.count(of: .devicePush) == 2)
        }
    }

    @Test func repeatsOnlyOnceAtOnce() async throws {
        try await withAPNs { (world: World) async throws in
            try await world.control.setFault(Fault(.devicePush, effect: .goAway(refusingThis: true)))
            #expect(
                await world.routes.send(pushMessage(), to: .sandbox)
                    == .transient(code: "APNS_NETWORK_ERROR", retryAfter: nil))
            #expect(try await world.control.count(of: .devicePush) == 2)
        }
    }

    @Test func sendsOnAfterAGoAwayThatStillAnswers() async throws {
        try await withAPNs { (world: World) async throws in
            try await world.control.setFault(Fault(.devicePush, effect: .goAway(refusingThis: false), times: 1))
            #expect(await world.routes.send(pushMessage(), to: .sandbox) == .delivered)
            #expect(await world.routes.send(pushMessage(), to: .sandbox) == .delivered)
            #expect(try await world.control.deliveries().map(\.count) == [1, 1])
        }
    }

    /// Some were answered, some refused, some processed although they count as refused: each shows once.
    @Test func aGoAwayAmongManyLosesAndDoublesNone() async throws {
        try await withAPNs { (world: World) async throws in
            for times in [20, 1, 20, 1] {
                let effect: Fault.Effect? = times == 1 ? .goAway(refusingThis: true) : nil
                try await world.control.setFault(
                    Fault(.devicePush, latencyMilliseconds: 20, effect: effect, times: times))
            }
            var left = (0..<100).map { pushMessage(actionKey: "\($0)") }
            for _ in 0..<3 where !left.isEmpty {
                let sent = left
                left = await withTaskGroup(of: PushMessage?.self) { group in
                    for message in sent {
                        group.addTask { await world.routes.send(message, to: .sandbox) == .delivered ? nil : message }
                    }
                    return await group.reduce(into: [PushMessage]()) { list, message in
                        if let message { list.append(message) }
                    }
                }
            }
            #expect(left.isEmpty)
            let deliveries = try await world.control.deliveries()
            #expect(deliveries.count == 100 && Set(deliveries.map(\.id)).count == 100)
            #expect(deliveries.allSatisfy { !$0.contentChanged })
        }
    }

    @Test func callsAResetAndASilentServiceTransientAndTheRepeatIsTheSameNotification() async throws {
        try await withAPNs(timeout: 3000) { (world: World) async throws in
            let message = pushMessage()
            try await world.control.setFault(Fault(.devicePush, effect: .reset, moment: .afterwards, times: 1))
            let network = PushAnswer.transient(code: "APNS_NETWORK_ERROR", retryAfter: nil)
            #expect(await world.routes.send(message, to: .sandbox) == network)
            try await world.control.setFault(Fault(.devicePush, effect: .hang, times: 1))
            #expect(await world.routes.send(message, to: .sandbox) == network)
            #expect(await world.routes.send(message, to: .sandbox) == .delivered)
            #expect(try await world.control.deliveries().map(\.count) == [2])
        }
    }

    @Test func keepsToTheStreamsThatAPNsAllows() async throws {
        try await withAPNs { (world: World) async throws in
            try await world.control.setFault(Fault(.devicePush, effect: .maximumStreams(3), times: 1))
            #expect(await world.routes.send(pushMessage(), to: .sandbox) == .delivered)
            try await world.control.setFault(Fault(.devicePush, latencyMilliseconds: 20))
            let answers = await withTaskGroup(of: PushAnswer.self) { group in
                for index in 0..<60 {
                    group.addTask { await world.routes.send(pushMessage(actionKey: "\(index)"), to: .sandbox) }
                }
                return await group.reduce(into: [PushAnswer]()) { $0.append($1) }
            }
            #expect(answers.count == 60 && answers.allSatisfy { $0 == .delivered })
            let counts = try await world.control.calls().first { $0.call == .devicePush }
            #expect(try #require(counts).mostAtOnce <= 3)
            #expect(try await world.control.deliveries().count == 61)
        }
    }

    @Test func tellsAStreamThatWasNotProcessedFromOtherFailures() {
        #expect(DirectPush.isUnprocessed(NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .cancel)))
        #expect(DirectPush.isUnprocessed(NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .refusedStream)))
        #expect(!DirectPush.isUnprocessed(NIOHTTP2Errors.streamClosed(streamID: 1, errorCode: .internalError)))
        #expect(!DirectPush.isUnprocessed(ChannelError.ioOnClosedChannel))
    }
}
