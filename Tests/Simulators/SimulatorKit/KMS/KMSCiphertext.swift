import Crypto
import Foundation

/// The simulator's own form of a ciphertext blob: names its key, is bound to the encryption context.
enum KMSCiphertext {
    private static let magic = Array("simkms1\0".utf8)

    static func seal(
        _ plaintext: [UInt8], keyARN: String, material: [UInt8], context: [String: String]
    ) throws -> [UInt8] {
        let box = try AES.GCM.seal(
            Data(plaintext), using: SymmetricKey(data: material), authenticating: additionalData(keyARN, context))
        return magic + [UInt8(keyARN.utf8.count)] + Array(keyARN.utf8) + Array(box.combined ?? Data())
    }

    /// The key that a blob names; nil when it is no blob.
    static func keyARN(of blob: [UInt8]) -> String? {
        guard blob.count > magic.count, blob.starts(with: magic) else { return nil }
        let length = Int(blob[magic.count])
        let name = blob.dropFirst(magic.count + 1).prefix(length)
        return name.count == length ? String(validating: name, as: UTF8.self) : nil
    }

    static func open(_ blob: [UInt8], material: [UInt8], context: [String: String]) -> [UInt8]? {
        guard let arn = keyARN(of: blob),
            let box = try? AES.GCM.SealedBox(combined: Data(blob.dropFirst(magic.count + 1 + arn.utf8.count))),
            let plaintext = try? AES.GCM.open(
                box, using: SymmetricKey(data: material), authenticating: additionalData(arn, context))
        else { return nil }
        return Array(plaintext)
    }

    private static func additionalData(_ arn: String, _ context: [String: String]) -> Data {
        let pairs = context.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        return ([arn] + pairs).reduce(into: Data()) { data, text in
            data.append(Data("\(text.utf8.count):".utf8) + Data(text.utf8))
        }
    }
}
