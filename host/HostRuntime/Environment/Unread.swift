/// Why this version does nothing with some of the rows; they stay known so that they are no misspellings.
enum Unread {
    static let gateway = "read by the LLM gateway, which does not exist yet"
    static let migrations = "refused by alfredctl: only the embedded migrations can be applied yet"
    static let privacyDelete = "delete requests are not worked through yet"
    static let direct = "there is no direct delivery to APNs yet"
    static let directRefused = "refused by the worker: there is no direct delivery to APNs yet"
}
