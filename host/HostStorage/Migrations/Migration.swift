/// One migration as embedded in the program.
struct Migration: Sendable, Equatable {
    let version: Int
    let name: String
    let sql: String

    /// Statements that cannot run in a transaction, like `create index concurrently`, stand in files that say so.
    var needsTransaction: Bool { !sql.hasPrefix("-- no-transaction\n") }

    /// `nil` unless the file is called `NNNN_name.sql`.
    init?(file: String, contents: [UInt8]) {
        let parts = file.split(separator: "_", maxSplits: 1)
        guard parts.count == 2, parts[0].count == 4, let version = Int(parts[0]), parts[1].hasSuffix(".sql") else {
            return nil
        }
        self.version = version
        name = String(parts[1].dropLast(4))
        sql = String(decoding: contents, as: UTF8.self)
    }

    init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// Every migration of this program, in order. A test compares the list with the folder.
    static let all: [Migration] = [
        ("0001_spine.sql", PackageResources._001_spine_sql),
        ("0002_api.sql", PackageResources._002_api_sql),
        ("0003_job_engine.sql", PackageResources._003_job_engine_sql),
        ("0004_key_rotation.sql", PackageResources._004_key_rotation_sql),
        ("0005_privacy_delete.sql", PackageResources._005_privacy_delete_sql),
        ("0006_job_locality.sql", PackageResources._006_job_locality_sql),
        ("0007_fair_places.sql", PackageResources._007_fair_places_sql),
    ].compactMap { Migration(file: $0.0, contents: $0.1) }
}
