import Foundation
import Testing

@testable import HostStorage

let policy = RetryPolicy(base: .seconds(30), maximum: .seconds(1800))

func claim(
    _ repository: JobRepository, maximum: Int = 100, background: Int? = nil, perUser: Int = 1,
    lease: Duration = .seconds(60)
) async throws -> [ClaimedJob] {
    try await repository.claim(
        JobClaim(
            owner: "test", maximum: maximum, maximumBackground: background ?? maximum, perUserLimit: perUser,
            lease: lease))
}

extension ScheduleRhythm {
    static let test = ScheduleRhythm(
        calendarScan: .seconds(300), urgentEmail: .seconds(900), briefCatchUp: .seconds(7200))
}

extension TestDatabase {
    @discardableResult
    func enqueue(
        _ user: UUID, _ type: JobType = .calendarScan, key: String = UUID().uuidString, dueIn seconds: Double? = nil,
        expiresIn expiry: Double? = nil
    ) async throws -> UUID {
        let id = UUID()
        let job = NewJob(
            id: id, user: user, type: type, idempotencyKey: key, dueAt: seconds.map { Date(timeIntervalSinceNow: $0) },
            expiresAt: expiry.map { Date(timeIntervalSinceNow: $0) }, requestID: "r-1")
        #expect(try await JobRepository(pool).enqueue(job))
        return id
    }

    func state(_ job: UUID) async throws -> String {
        try await sql("select state from alfred.jobs where id = $1", [.uuid(job)]).required().text(0)
    }
}
