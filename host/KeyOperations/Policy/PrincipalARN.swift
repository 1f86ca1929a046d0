/// What a key policy may name: one role or one user of one account.
///
/// A pattern, a whole account or an assumed role is none: the first two let others in, and the third is never the
/// text that the secure module extends PCR3 with.
public enum PrincipalARN: String, Sendable {
    case role
    case user

    private static let maximumBytes = 700

    /// Which of the two `text` is the ARN of; nil for any other text.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.maximumBytes, text.utf8.allSatisfy({ $0 < 0x80 }),
            let match = text.wholeMatch(
                of: #/arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)(/[A-Za-z0-9+=,.@_-]+)+/#)
        else { return nil }
        self.init(rawValue: String(match.output.1))
    }
}
