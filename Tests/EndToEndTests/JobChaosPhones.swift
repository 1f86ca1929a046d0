import Foundation
import SimulatorKit

/// The phones that a push service refuses for good, by token; of each fifty users four.
struct JobChaosPhones {
    /// 410, dead since after they registered: such a device is disabled.
    private(set) var gone: Set<String> = []
    /// 410, dead since before they registered: registered again meanwhile, so they stay.
    private(set) var registeredAgain: Set<String> = []
    /// 400: unknown to APNs; disabled too.
    private(set) var bad: Set<String> = []

    var all: Set<String> { gone.union(registeredAgain).union(bad) }

    init(_ seed: ManyJobsSeed) {
        for user in 0..<seed.users {
            let token = ManyJobsSeed.token(user, 0)
            switch user % 50 {
            // One of each route; what else there is, only APNs knows.
            case 7, 12: gone.insert(token)
            case 13: bad.insert(token)
            case 17: registeredAgain.insert(token)
            default: break
            }
        }
    }

    /// Tells the simulated service; the phones are registered by now.
    func tell(_ control: SimulatorControl) async throws {
        let now = Int(Date().timeIntervalSince1970 * 1000)
        for token in gone { try await control.setDevice(token, .unregistered(sinceUnixMilliseconds: now + 1000)) }
        for token in registeredAgain {
            try await control.setDevice(token, .unregistered(sinceUnixMilliseconds: now - 86_400_000))
        }
        for token in bad { try await control.setDevice(token, .bad) }
    }

    /// Why the device of `token` has to be disabled; empty when it must not be.
    func disabledReason(_ token: String) -> String {
        if gone.contains(token) { return "unregistered" }
        return bad.contains(token) ? "bad_token" : ""
    }
}

/// Faults of both ways to the phones, a few calls each, one after the other.
struct JobChaosFaults {
    private typealias Strike = (effect: Fault.Effect?, moment: Fault.Moment)

    private static let everywhere: [Strike] = [(.reset, .before), (.reset, .afterwards), (nil, .before)]
    private static let endpoint: [Strike] =
        everywhere + [
            (.status(code: 429, retryAfterSeconds: 1), .before), (.status(code: 503), .before),
            (.status(code: 500), .afterwards),
        ]
    private static let direct: [Strike] =
        everywhere + [
            (.status(code: 429, retryAfterSeconds: 1, body: ["reason": "TooManyRequests"]), .before),
            (.status(code: 503, body: ["reason": "ServiceUnavailable"]), .before),
            (.status(code: 500, body: ["reason": "InternalServerError"]), .afterwards),
            // The provider token is young: only a clock can be wrong, and the worker waits.
            (.status(code: 403, body: ["reason": "ExpiredProviderToken"]), .before),
            (.goAway(refusingThis: true), .before), (.goAway(refusingThis: false), .before),
            (.maximumStreams(4), .before), (.maximumStreams(100), .before),
        ]

    /// Until `time` is over; then the service is well again.
    static func sow(_ control: SimulatorControl, for time: Duration) async throws {
        let end = ContinuousClock.now + time
        var waiting: [Fault] = []
        while ContinuousClock.now < end {
            // Each strikes before one comes again, however short the time is.
            if waiting.isEmpty {
                waiting = (direct.map { fault(.devicePush, $0) } + endpoint.map { fault(.endpointPush, $0) }).shuffled()
            }
            try await control.setFault(waiting.removeLast())
            try await Task.sleep(for: .milliseconds(.random(in: 100...300)))
        }
        try await control.clearFaults()
    }

    private static func fault(_ call: ProviderCall, _ strike: Strike) -> Fault {
        Fault(
            call, latencyMilliseconds: .random(in: 0...50), effect: strike.effect, moment: strike.moment,
            times: .random(in: 1...6))
    }
}
