/// One statement on its way through the loop; touched by the loop's thread only.
final class PostgresCall {
    enum Place { case waiting, sent, over }

    let id: UInt64
    let statement: Statement
    let parameters: EncodedParameters
    let deadline: Instant
    private var continuation: CheckedContinuation<Result<Rows, StorageError>, Never>?
    var place = Place.waiting
    /// Sent once more when a named statement had become stale.
    var repeated = false

    /// What has come back so far.
    var failure: PostgresFailure?
    var rows = Rows.none
    var preparing = false
    /// Name of the statement it ran under, `nil` when unnamed.
    var usesName = false

    init(_ request: PostgresLoop.Request) {
        id = request.id
        statement = request.statement
        parameters = request.parameters
        deadline = request.deadline
        continuation = request.continuation
    }

    /// Answered, or given up by its caller.
    var isAnswered: Bool { continuation == nil }

    func answer(_ result: Result<Rows, StorageError>) {
        continuation?.resume(returning: result)
        continuation = nil
    }
}

/// A first-in first-out queue over an array, compacted now and then.
struct FIFO<Element> {
    private var storage: [Element?] = []
    private var head = 0

    var count: Int { storage.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : storage[head] }

    mutating func append(_ element: Element) { storage.append(element) }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        defer {
            storage[head] = nil
            head += 1
            if head > 64, head * 2 > storage.count {
                storage.removeFirst(head)
                head = 0
            }
        }
        return storage[head]
    }

    mutating func removeAll() -> [Element] {
        defer {
            storage = []
            head = 0
        }
        return storage[head...].compactMap { $0 }
    }

    mutating func removeAll(where leave: (Element) -> Bool) {
        storage = storage[head...].compactMap { $0 }.filter { !leave($0) }
        head = 0
    }
}
