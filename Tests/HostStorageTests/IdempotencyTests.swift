import Foundation
import Testing

@testable import HostStorage

/// What the API stores so that a repeated request is not done twice.
@Suite struct IdempotencyTests {
    private func attempt(_ user: UUID, key: UInt8 = 1, request: UInt8 = 1, lock: Duration = .seconds(60))
        -> IdempotentAttempt
    {
        IdempotentAttempt(
            user: user, route: "POST /v1/x", keyHash: [UInt8](repeating: key, count: 32),
            requestHash: [UInt8](repeating: request, count: 32), lock: lock)
    }

    @Test func ofManyAttemptsInTwoPoolsOneDoesTheWork() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let other = try database.anotherPool(role: "alfred_api")
        let pools = [database.pool, other]
        let found = try await withThrowingTaskGroup(of: IdempotentReservation.self) { group in
            for index in 0..<16 {
                group.addTask { try await IdempotentAnswerRepository(pools[index % 2]).reserve(attempt(user)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(found.count { if case .mine = $0 { true } else { false } } == 1)
        #expect(found.count { $0 == .inProgress } == 15)
        let answers = IdempotentAnswerRepository(other)
        guard case .mine(let id) = try #require(found.first(where: { $0 != .inProgress })) else { return }
        #expect(try await answers.store(id, of: user, status: 200, sealed: [7], sealedKeyVersion: 3))
        #expect(try await answers.reserve(attempt(user)) == .answered(id: id, status: 200, sealed: [7]))
        #expect(try await answers.reserve(attempt(user, request: 2)) == .reused)
    }

    @Test func anotherUserAndAnotherRouteHaveKeysOfTheirOwn() async throws {
        let database = try await TestDatabase.make()
        let (one, two) = (try await database.user(), try await database.user())
        let answers = IdempotentAnswerRepository(database.pool)
        guard case .mine = try await answers.reserve(attempt(one)) else { throw Unexpected() }
        guard case .mine = try await answers.reserve(attempt(two)) else { throw Unexpected() }
        var elsewhere = attempt(one)
        elsewhere.route = "POST /v1/y"
        guard case .mine = try await answers.reserve(elsewhere) else { throw Unexpected() }
    }

    @Test func aDeadAttemptIsReplacedAndCannotStoreItsAnswerAnyMore() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let answers = IdempotentAnswerRepository(database.pool)
        guard case .mine(let dead) = try await answers.reserve(attempt(user, lock: .zero)) else { throw Unexpected() }
        #expect(try await answers.reserve(attempt(user, request: 2)) == .reused)
        guard case .mine(let next) = try await answers.reserve(attempt(user)) else { throw Unexpected() }
        #expect(try await !answers.store(dead, of: user, status: 200, sealed: [1], sealedKeyVersion: 1))
        try await answers.release(dead, of: user)
        #expect(try await answers.store(next, of: user, status: 404, sealed: [2], sealedKeyVersion: 1))
        try await answers.release(next, of: user)
        #expect(try await answers.reserve(attempt(user)) == .answered(id: next, status: 404, sealed: [2]))
    }

    @Test func anAnswerIsForgottenAfterADayAndAReleasedKeyIsFree() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let answers = IdempotentAnswerRepository(database.pool)
        guard case .mine(let id) = try await answers.reserve(attempt(user)) else { throw Unexpected() }
        try await answers.release(id, of: user)
        guard case .mine(let second) = try await answers.reserve(attempt(user)) else { throw Unexpected() }
        #expect(try await answers.store(second, of: user, status: 200, sealed: [2], sealedKeyVersion: 1))
        try await database.sql("update alfred.idempotent_answers set expires_at = now()")
        guard case .mine = try await answers.reserve(attempt(user, request: 9)) else { throw Unexpected() }
    }

    @Test func nothingIsReservedForADeletedUser() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        try await database.sql("update alfred.users set status = 'DELETED', deleted_at = now()")
        await #expect(throws: StorageError.userDeleted) {
            _ = try await IdempotentAnswerRepository(database.pool).reserve(attempt(user))
        }
    }

    struct Unexpected: Error {}
}
