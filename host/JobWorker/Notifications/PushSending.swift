import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import Push

/// One claimed notification, from opening it to recording what became of it.
struct PushSending: Sendable {
    /// Limit of opening token and payload; with the longest send it stays inside the lease.
    static let openLimit = Duration.seconds(5)
    /// Tries of recording an outcome while Postgres is away; after them the lease runs out.
    static let recordingTries = 5
    /// Wait after a failure that was not the notification's.
    static let heldPause = Duration.seconds(2)

    let stores: WorkerStores
    let enclave: any WorkerEnclave
    let routes: PushRoutes
    let drain: Drain
    let report: WorkerReport
    let now: @Sendable () -> Date

    func run(_ push: ClaimedPush) async {
        let start = ContinuousClock.now
        var dueAt: Date?
        let outcome = await self.outcome(of: push, &dueAt)
        let delay = dueAt.map { now().timeIntervalSince($0) }
        let isRecorded = await record(outcome, of: push)
        report.pushEnded(push, isRecorded ? outcome : nil, took: start.duration(to: .now), reminderDelay: delay)
    }

    private func outcome(of push: ClaimedPush, _ dueAt: inout Date?) async -> PushOutcome {
        if push.isDeviceDisabled { return .failed(code: "DEVICE_DISABLED") }
        if let quiet = await quietOutcome(push) { return quiet }
        do throws(EnclaveCallError) {
            let (token, payload) = try await open(push)
            guard let payload else { return .failed(code: "PUSH_PAYLOAD_UNREADABLE") }
            dueAt = payload.dueAt
            let message = PushMessage(
                id: push.lease.id, deviceToken: token, title: payload.title, body: payload.body,
                requestID: callID(push), kind: push.kind.subject, user: push.lease.user, actionKey: push.actionKey,
                expiresAt: push.expiresAt)
            return await send(message, push)
        } catch {
            let failure = EnclaveErrorMapping.job(error, during: .data)
            switch failure.kind {
            case .deferred: return .postponed(Self.heldPause)
            case .transient: return .again(code: failure.code, after: PushRetry.wait(after: push.attempt))
            case .permanent, .skip: return .failed(code: failure.code)
            }
        }
    }

    /// Judged before the first sending only: a repeat belongs to a notification that may have been seen already.
    private func quietOutcome(_ push: ClaimedPush) async -> PushOutcome? {
        guard push.attempt == 1, !push.ignoreQuietHours else { return nil }
        do throws(StorageError) {
            let preferences = try await stores.preferences.getOrCreate(push.lease.user)
            guard let hours = QuietHours(preferences) else { return nil }
            let moment = now()
            guard hours.contains(moment) else { return nil }
            if push.kind == .connector { return .held(until: hours.end(after: moment)) }
            return .suppressed(
                quietHoursStart: preferences.quietHoursStart, quietHoursEnd: preferences.quietHoursEnd)
        } catch {
            return .postponed(Self.heldPause)
        }
    }

    /// Token and payload, in one call; a payload of another shape is nil.
    private func open(_ push: ClaimedPush) async throws(EnclaveCallError) -> (token: String, payload: PushPayload?) {
        let user = UserID(push.lease.user)
        let items = [
            DataItem(
                purpose: .deviceAPNsToken, user: user, recordID: push.deviceIdentifier, content: push.sealedToken),
            DataItem(
                purpose: .pushPayload, user: user, recordID: push.lease.id.lowercased, content: push.sealedPayload),
        ]
        let answer = try await enclave.open(
            items, context: CallContext(requestID: callID(push), deadline: Self.openLimit))
        guard answer.results.count == 2 else { throw .answerInvalid }
        let token = try answer.results[0].content()
        let payload = try answer.results[1].content()
        return (
            String(decoding: token, as: UTF8.self),
            try? JSONDecoder().decode(PushPayload.self, from: Data(payload))
        )
    }

    /// Sends, or gives up at the end of the drain; what was under way then goes out again with the same id.
    private func send(_ message: PushMessage, _ push: ClaimedPush) async -> PushOutcome {
        let environment: PushEnvironment =
            switch push.environment {
            case .sandbox: .sandbox
            case .production: .production
            }
        let answer = await withTaskGroup(of: PushAnswer?.self) { group in
            group.addTask { await routes.send(message, to: environment) }
            group.addTask {
                await drain.ended.wait()
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        return answer.map { Self.outcome(of: $0, for: push) } ?? .postponed(.zero)
    }

    /// What an answer means for notification and device.
    static func outcome(of answer: PushAnswer, for push: ClaimedPush) -> PushOutcome {
        func failed(_ code: String, disable reason: String?) -> PushOutcome {
            // A token registered after this one was read is another token: that device stays.
            .failed(
                code: code, disableDevice: reason, registeredBefore: push.tokenRegisteredAt.addingTimeInterval(0.001))
        }
        switch answer {
        case .delivered: return .delivered
        case .deliveredElsewhere: return .deliveredElsewhere
        case .simulated: return .simulated
        case .transient(let code, let retryAfter):
            return .again(code: code, after: PushRetry.wait(after: push.attempt, atLeast: retryAfter))
        case .misconfigured(let code): return .postponed(PushRetry.operatorPause, code: code)
        case .refused(let code, let deviceIsGone): return failed(code, disable: deviceIsGone ? "unregistered" : nil)
        case .unregistered(let code, let since):
            // The provider tells milliseconds.
            let registered = (push.tokenRegisteredAt.timeIntervalSince1970 * 1000).rounded(.down)
            let isOlder = since.map { ($0.timeIntervalSince1970 * 1000).rounded() < registered } ?? false
            return failed(code, disable: isOlder ? nil : "unregistered")
        case .tokenRejected(let code, let isStorm): return failed(code, disable: isStorm ? nil : "bad_token")
        }
    }

    private func callID(_ push: ClaimedPush) -> String {
        push.requestID.flatMap(RequestID.init)?.text ?? push.lease.id.lowercased
    }

    /// Whether the outcome was recorded: the lease was still held.
    private func record(_ outcome: PushOutcome, of push: ClaimedPush) async -> Bool {
        var pause = Backoff(first: .milliseconds(100), cap: .seconds(1))
        for attempt in 1...Self.recordingTries {
            do throws(StorageError) {
                return try await stores.outbox.record(outcome, of: push)
            } catch {
                report.storageFailed("outbox", error)
                guard error != .userDeleted, attempt < Self.recordingTries else { return false }
                try? await Task.sleep(for: pause.next())
            }
        }
        return false
    }
}

/// Waits between the tries of one notification.
enum PushRetry {
    static let longest = 60.0
    /// While the operator has to mend something.
    static let operatorPause = Duration.seconds(60)

    /// After try n: min(2^(n−1), 60) s, drawn evenly from [half, full]; `floor` wins when it is longer.
    static func wait(after attempt: Int, atLeast floor: Duration? = nil) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return wait(after: attempt, atLeast: floor, using: &generator)
    }

    static func wait(
        after attempt: Int, atLeast floor: Duration? = nil, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let full = min(Double(1 << min(max(attempt - 1, 0), 10)), longest)
        let drawn = Duration.seconds(full * Double.random(in: 0.5...1, using: &generator))
        return floor.map { max($0, drawn) } ?? drawn
    }
}

extension PushKind {
    var subject: PushSubject {
        switch self {
        case .meetingReminder: .meetingReminder
        case .morningBrief: .morningBrief
        case .urgentEmail: .urgentEmail
        case .connector: .connector
        case .test: .test
        }
    }
}
