import Foundation

/// The names of the IANA time zone data, links among them, in their spelling.
enum TimeZoneNames {
    /// The installed data; without it only what Foundation itself lists.
    private static let path = "/usr/share/zoneinfo/tzdata.zi"
    private static let maximumBytes = 1 << 20

    /// By lower-case name. "Factory" is a zone of the data that says that nobody chose one.
    private static let spellings: [String: String] = {
        let names = TimeZone.knownTimeZoneIdentifiers + ["UTC"] + installed()
        let usable = names.filter { $0 != "Factory" && $0.utf8.count <= 64 && TimeZone(identifier: $0) != nil }
        return Dictionary(usable.map { ($0.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
    }()

    /// Whether it is such a name in exactly its spelling.
    static func contains(_ name: String) -> Bool { spelling(name) == name }

    /// The spelling of the data for a zone written in other letters; what is no zone stays as it is.
    static func spelled(_ name: String) -> String { spelling(name) ?? name }

    /// Names are ASCII: nothing else may be folded into one.
    private static func spelling(_ name: String) -> String? {
        guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        return spellings[name.lowercased()]
    }

    /// `Z name …` begins a zone, `L target name` is a link.
    private static func installed() -> [String] {
        guard let file = FileHandle(forReadingAtPath: path), let bytes = try? file.read(upToCount: maximumBytes) else {
            return []
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            switch fields.first {
            case "Z" where fields.count > 1: return String(fields[1])
            case "L" where fields.count == 3: return String(fields[2])
            default: return nil
            }
        }
    }
}
