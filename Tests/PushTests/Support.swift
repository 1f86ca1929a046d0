import Crypto
import Foundation
import HostRuntime
import SimulatorKit

@testable import Push

/// A notification for tests.
func pushMessage(
    title: String = "Meeting in 5 min", body: String = "Design at 10:00",
    token: String = String(repeating: "ab", count: 32), kind: PushSubject = .meetingReminder, id: UUID = UUID(),
    user: UUID = UUID(), actionKey: String = "MEETING_REMINDER:1", expiresAt: Date = Date().addingTimeInterval(300)
) -> PushMessage {
    PushMessage(
        id: id, deviceToken: token, title: title, body: body, requestID: "r-1", kind: kind, user: user,
        actionKey: actionKey, expiresAt: expiresAt)
}

/// The push variables as a worker reads them.
func pushConfiguration(_ variables: [String: String]) -> PushConfiguration {
    var reader = ConfigurationReader(
        EnvironmentSource.load(process: .worker, environment: variables, directory: "/"))
    return PushConfiguration(reading: &reader)
}

let quietLog = HostLog(process: .worker, sink: LogSink { _ in })
