/// Where one connection is between requests, heads, bodies and answers; decides, and leaves the doing to its handler.
struct EdgeState: Sendable {
    /// What arrives next.
    enum Phase: Equatable, Sendable {
        /// Nothing of a request has come yet.
        case idle
        /// First bytes of a head.
        case head
        case body(received: Int)
        /// A whole request has been passed on, and nothing of the next has come.
        case answering
        case rejected
    }

    private(set) var phase = Phase.idle
    /// Requests passed on, and answers written to their end.
    private var forwarded = 0
    private var answered = 0
    /// The answer being written has begun.
    private var isAnswerOpen = false
    /// A rejection that waits until this many answers are written.
    private var pending: (code: APIErrorCode, afterAnswers: Int)?
    private var isRejectionWritten = false

    /// What to do with a rejection.
    enum Rejection: Equatable, Sendable {
        case write(APIErrorCode)
        /// The answers of earlier requests come first.
        case later
        /// The answer of this very request has begun: nothing sensible can be written any more.
        case closeNow
        case none
    }

    /// What to do with a part of the responder's answer.
    enum Writing: Equatable, Sendable {
        case pass
        case drop
        /// Pass this part, then reject.
        case passThenReject(APIErrorCode)
    }

    var isRejected: Bool { phase == .rejected }
    /// The body of a request is awaited or arriving.
    var isInBody: Bool { if case .body = phase { true } else { false } }
    /// No request is under way.
    var isQuiet: Bool { phase == .idle && forwarded == answered }
    /// Nothing of another request has come behind the one being answered.
    var isLastAnswer: Bool { forwarded - answered <= 1 && phase != .head }
    /// An answer to the request in hand may be preceded by `100 Continue`.
    var mayContinue: Bool { forwarded == answered && !isAnswerOpen }

    /// Bytes arrived; answers whether a head begins with them.
    mutating func bytesArrived() -> Bool {
        guard phase == .idle || phase == .answering else { return false }
        phase = .head
        return true
    }

    mutating func headForwarded() {
        forwarded += 1
        phase = .body(received: 0)
    }

    /// Counts body bytes; `false` beyond the limit.
    mutating func bodyArrived(_ count: Int) -> Bool {
        guard case .body(let received) = phase else { return true }
        phase = .body(received: received + count)
        return received + count <= EdgeLimits.maximumBodyBytes
    }

    mutating func requestEnded() {
        if !isRejected { phase = forwarded == answered ? .idle : .answering }
    }

    /// Refuses the request in hand.
    mutating func reject(_ code: APIErrorCode) -> Rejection {
        guard !isRejected else { return .none }
        let isForwarded = if case .body = phase { true } else { false }
        phase = .rejected
        let earlier = isForwarded ? forwarded - 1 : forwarded
        guard answered <= earlier, !(isForwarded && answered == earlier && isAnswerOpen) else {
            isRejectionWritten = true
            return .closeNow
        }
        guard answered == earlier else {
            pending = (code, earlier)
            return .later
        }
        isRejectionWritten = true
        return .write(code)
    }

    /// The responder writes a part; `ends` for the last one of an answer.
    mutating func writing(ends: Bool) -> Writing {
        guard !isRejectionWritten else { return .drop }
        isAnswerOpen = !ends
        guard ends else { return .pass }
        answered += 1
        if let pending, answered == pending.afterAnswers {
            self.pending = nil
            isRejectionWritten = true
            return .passThenReject(pending.code)
        }
        if phase == .answering, answered == forwarded { phase = .idle }
        return .pass
    }
}
