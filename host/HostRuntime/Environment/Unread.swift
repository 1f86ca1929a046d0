/// Why this version does nothing with some of the rows; they stay known so that they are no misspellings.
enum Unread {
    static let migrations = "refused by alfredctl: only the embedded migrations can be applied yet"
}
