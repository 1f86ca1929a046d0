/// The difference of two texts by lines.
enum LineDifference {
    /// Unchanged lines that are shown before and after a change.
    static let context = 2

    /// Lines that went begin with `-`, new ones with `+`, unchanged ones with a space; each with its line's number,
    /// and `...` where lines are left out.
    static func lines(from old: String, to new: String) -> [String] {
        func split(_ text: String) -> [Substring] {
            text.split(separator: "\n", omittingEmptySubsequences: text.hasSuffix("\n"))
        }
        let (before, after) = (split(old), split(new))
        let difference = after.difference(from: before)
        guard !difference.isEmpty else { return [] }
        var removed: Set<Int> = []
        var inserted: Set<Int> = []
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): inserted.insert(offset)
            }
        }
        var all: [(text: String, isChange: Bool)] = []
        var (left, right) = (0, 0)
        while left < before.count || right < after.count {
            if left < before.count, removed.contains(left) {
                all.append(("- \(left + 1): \(before[left])", true))
                left += 1
            } else if right < after.count, inserted.contains(right) {
                all.append(("+ \(right + 1): \(after[right])", true))
                right += 1
            } else {
                all.append(("  \(right + 1): \(right < after.count ? after[right] : "")", false))
                left += 1
                right += 1
            }
        }
        var out: [String] = []
        var last = -1
        for (place, line) in all.enumerated() {
            let near = max(0, place - context)...min(all.count - 1, place + context)
            guard line.isChange || near.contains(where: { all[$0].isChange }) else { continue }
            if last >= 0, place > last + 1 { out.append("...") }
            out.append(line.text)
            last = place
        }
        return out
    }
}
