import Foundation
import LLMGateway

/// Ids of `gmail.messages.list`, newest first.
struct MailList: Decodable {
    /// Most ids of one answer.
    static let maximum = 50

    let ids: [String]

    private enum CodingKeys: String, CodingKey { case messages }
    private struct Item: Decodable { let id: String }

    init?(json: [UInt8]) {
        guard let list = try? JSONDecoder().decode(MailList.self, from: Data(json)) else { return nil }
        self = list
    }

    init(from decoder: any Decoder) throws {
        let items =
            try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent([Item].self, forKey: .messages) ?? []
        ids = items.map(\.id)
        guard ids.count <= Self.maximum, ids.allSatisfy(Self.isID) else {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "out of bounds"))
        }
    }

    /// What the enclave takes as a message's id.
    private static func isID(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "_")
                    || $0 == UInt8(ascii: "-")
            }
    }
}

/// One message of `gmail.messages.metadata`.
struct MailMessage: Decodable {
    let material: MailMaterial

    private enum CodingKeys: String, CodingKey { case id, snippet, labelIds, internalDate, payload }
    private struct Payload: Decodable { let headers: [Header]? }
    private struct Header: Decodable {
        let name: String
        let value: String
    }

    init?(json: [UInt8]) {
        guard let message = try? JSONDecoder().decode(MailMessage.self, from: Data(json)) else { return nil }
        self = message
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let headers = try fields.decodeIfPresent(Payload.self, forKey: .payload)?.headers ?? []
        func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name }?.value
        }
        let milliseconds = try fields.decodeIfPresent(String.self, forKey: .internalDate).flatMap(Double.init)
        material = MailMaterial(
            id: try fields.decode(String.self, forKey: .id), from: header("from") ?? "",
            subject: header("subject") ?? "", snippet: try fields.decodeIfPresent(String.self, forKey: .snippet) ?? "",
            receivedAt: milliseconds.map { Date(timeIntervalSince1970: $0 / 1000) },
            labels: Set(try fields.decodeIfPresent([String].self, forKey: .labelIds) ?? []).sorted(),
            hasAttachments: header("content-type")?.lowercased().hasPrefix("multipart/mixed") ?? false)
    }
}
