/// What this enclave has seen of each connector: the highest record version and a digest of its content.
///
/// Flat and bounded: 48 bytes an entry and 4 to 8 for the index, growing with use; beyond the limit the entry that was
/// not used for longest goes, and is counted.
struct VersionMemory {
    /// A keyed hash, so that a host can make neither two connectors nor two contents collide.
    struct Digest: Equatable {
        var first: UInt64
        var second: UInt64
    }

    /// The newest record seen of one connector.
    struct Seen: Equatable {
        let version: UInt64
        let content: Digest
    }

    struct Entry {
        var connector: Digest
        var content: Digest
        var version: UInt64
        var older: UInt32
        var newer: UInt32
    }

    static let defaultLimit = 1_000_000
    private static let none = UInt32.max

    let limit: Int
    private(set) var evictions: UInt64 = 0
    private var entries: [Entry] = []
    /// Open addressing with linear probing: positions in `entries`.
    private var index = [UInt32](repeating: none, count: 64)
    private var oldest = none
    private var newest = none

    init(limit: Int = defaultLimit) {
        self.limit = max(1, min(limit, Int(UInt32.max) - 1))
    }

    var count: Int { entries.count }

    /// What was seen of `connector`.
    func seen(_ connector: Digest) -> Seen? {
        let position = index[slot(of: connector)]
        guard position != Self.none else { return nil }
        let entry = entries[Int(position)]
        return Seen(version: entry.version, content: entry.content)
    }

    /// Remembers a record; a version lower than, or equal to, the one seen changes nothing but the entry's age.
    mutating func remember(_ connector: Digest, version: UInt64, content: Digest) {
        let found = index[slot(of: connector)]
        if found != Self.none {
            if version > entries[Int(found)].version {
                entries[Int(found)].version = version
                entries[Int(found)].content = content
            }
            unlink(found)
            linkNewest(found)
            return
        }
        let entry = Entry(
            connector: connector, content: content, version: version, older: Self.none, newer: Self.none)
        let position: UInt32
        if entries.count < limit {
            growIfNeeded()
            position = UInt32(entries.count)
            entries.append(entry)
        } else {
            position = oldest
            unlink(position)
            removeFromIndex(entries[Int(position)].connector)
            entries[Int(position)] = entry
            evictions += 1
        }
        index[slot(of: connector)] = position
        linkNewest(position)
    }

    // MARK: Index

    private func home(of connector: Digest) -> Int {
        Int(truncatingIfNeeded: connector.first) & (index.count - 1)
    }

    /// Where `connector` is in the index, or the free place where it would go.
    private func slot(of connector: Digest) -> Int {
        var slot = home(of: connector)
        while index[slot] != Self.none, entries[Int(index[slot])].connector != connector {
            slot = (slot + 1) & (index.count - 1)
        }
        return slot
    }

    private mutating func growIfNeeded() {
        if entries.count == entries.capacity {
            entries.reserveCapacity(min(limit, max(64, entries.count * 2)))
        }
        guard (entries.count + 1) * 4 > index.count * 3 else { return }
        index = [UInt32](repeating: Self.none, count: index.count * 2)
        for position in entries.indices {
            index[slot(of: entries[position].connector)] = UInt32(position)
        }
    }

    /// Frees the place of `connector` and moves what was pushed past it back, so that no search stops too early.
    private mutating func removeFromIndex(_ connector: Digest) {
        var free = slot(of: connector)
        index[free] = Self.none
        var slot = (free + 1) & (index.count - 1)
        while index[slot] != Self.none {
            let home = home(of: entries[Int(index[slot])].connector)
            let distanceFromHome = (slot - home) & (index.count - 1)
            let distanceFromFree = (slot - free) & (index.count - 1)
            if distanceFromHome >= distanceFromFree {
                index[free] = index[slot]
                index[slot] = Self.none
                free = slot
            }
            slot = (slot + 1) & (index.count - 1)
        }
    }

    // MARK: Age

    private mutating func linkNewest(_ position: UInt32) {
        entries[Int(position)].older = newest
        entries[Int(position)].newer = Self.none
        if newest != Self.none { entries[Int(newest)].newer = position }
        newest = position
        if oldest == Self.none { oldest = position }
    }

    private mutating func unlink(_ position: UInt32) {
        let entry = entries[Int(position)]
        if entry.older == Self.none { oldest = entry.newer } else { entries[Int(entry.older)].newer = entry.newer }
        if entry.newer == Self.none { newest = entry.older } else { entries[Int(entry.newer)].older = entry.older }
    }
}
