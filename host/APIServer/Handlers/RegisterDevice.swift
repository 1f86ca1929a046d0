import Crypto
import EnclaveProtocol
import HostStorage

/// POST `/v1/devices/apns`: stores a device whose push token only the enclave can open.
struct RegisterDevice: Sendable {
    let devices: DeviceRepository
    let enclave: any EnclavePort

    func answer(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let identifier = try call.body.text("device_id").trimmedOfWhiteSpace
        let tokenText = try call.body.text("apns_token").trimmedOfWhiteSpace
        let environment: DeviceEnvironment = try call.body.choice("environment")
        guard Self.isWord(identifier, 1...128, also: "._:-") else { throw APIError(.invalidDeviceID) }
        guard Self.isWord(tokenText, 1...200, also: "._-") else { throw APIError(.invalidAPNsToken) }
        let token = Array((Self.isHex(tokenText) ? tokenText.lowercased() : tokenText).utf8)

        let sealed = try await enclave.sealOne(
            DataItem(purpose: .deviceAPNsToken, user: user, recordID: identifier, content: token), call)
        let registration = DeviceRegistration(
            user: user.uuid, deviceIdentifier: identifier, sealedToken: sealed.bytes,
            tokenSHA256: Array(SHA256.hash(data: token)), sealedKeyVersion: sealed.keyVersion, environment: environment)
        _ = try await stored(call) { () throws(StorageError) in try await devices.register(registration) }
        return .json(.object(["ok": .bool(true)]))
    }

    private static func isWord(_ text: String, _ length: ClosedRange<Int>, also: String) -> Bool {
        length.contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || also.utf8.contains(byte)
            }
    }

    private static func isHex(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) }
    }
}
