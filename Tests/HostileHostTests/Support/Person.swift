import AttestedSession
import EnclaveProtocol
import Foundation
import LocalStack
import SimulatorKit
import Testing

/// A user with a connector and a Google account of their own.
struct Person: Sendable {
    let reference = ConnectorReference(user: UserID(UUID()), connector: ConnectorID(UUID()))
    let account = "\(UUID().lowercased)@example.com"

    /// A reading of the calendar.
    var read: GoogleGet {
        GoogleGet(
            reference: reference,
            resource: .calendarEvents(
                timeMin: "2026-11-25T08:00:00Z", timeMax: "2026-11-25T09:00:00Z", maxResults: 10, pageToken: nil))
    }

    /// The same with the connector of `other`.
    func read(connectorOf other: Person) -> GoogleGet {
        GoogleGet(reference: self.reference(connectorOf: other), resource: read.resource)
    }

    /// This user's id with the connector of `other`.
    func reference(connectorOf other: Person) -> ConnectorReference {
        ConnectorReference(user: reference.user, connector: other.reference.connector)
    }
}

extension Stage {
    /// Consent at Google and everything after it; the record is stored and an access token is cached.
    func connect(over session: Session, _ person: Person = Person()) async throws -> Person {
        let complete = try await consent(over: session, person)
        let answer = try await session.answer(.googleConnectComplete, complete, GoogleConnectCompleteAnswer.self)
        #expect(answer.recordVersion == records.row(person.reference)?.recordVersion)
        return person
    }

    /// The request that ends a connection, with a code that Google has just given out.
    func consent(over session: Session, _ person: Person) async throws -> GoogleConnectComplete {
        let stateID = OAuthStateID(UUID())
        let state = UUID().lowercased
        let begun = try await session.answer(
            .googleConnectBegin,
            GoogleConnectBegin(
                user: person.reference.user, stateID: stateID, redirectURI: environment.redirectURI, state: state),
            GoogleConnectBeginAnswer.self)
        let browser = Phone(
            api: "", token: "", authority: stack.settings.state.appending(path: "simulators/ca.pem").path)
        let page = try await browser.browse("\(begun.authorizationURL)&simulator_account=\(person.account)")
        let query = URLComponents(string: page.headers["location"] ?? "")?.queryItems ?? []
        let code = try #require(query.first { $0.name == "code" }?.value, "Google answered \(page.status)")
        return GoogleConnectComplete(
            user: person.reference.user, connector: person.reference.connector, stateID: stateID, state: state,
            sealedVerifier: begun.sealedVerifier, code: code)
    }

    /// Waits until a put of this record is held back.
    func heldPut(_ person: Person) async throws -> RecordPut {
        try await eventually("a put held back", within: .seconds(10)) { self.records.heldPut(person.reference) }
    }
}
