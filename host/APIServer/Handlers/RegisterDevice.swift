import Crypto
import EnclaveClient
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

        let sealed = try await seal(token, identifier, user, call)
        let registration = DeviceRegistration(
            user: user.uuid, deviceIdentifier: identifier, sealedToken: sealed.bytes,
            tokenSHA256: Array(SHA256.hash(data: token)), sealedKeyVersion: sealed.keyVersion, environment: environment)
        _ = try await stored(call) { () throws(StorageError) in try await devices.register(registration) }
        return .json(.object(["ok": .bool(true)]))
    }

    private func seal(
        _ token: [UInt8], _ identifier: String, _ user: UserID, _ call: APICall
    ) async throws(APIError) -> (bytes: [UInt8], keyVersion: Int) {
        do throws(EnclaveCallError) {
            let item = DataItem(purpose: .deviceAPNsToken, user: user, recordID: identifier, content: token)
            let answer = try await enclave.seal([item], context: call.enclaveContext)
            guard answer.results.count == 1, let result = answer.results.first else { throw .answerInvalid }
            switch result {
            case .success(let bytes): return (bytes, Int(answer.keyVersion))
            case .failure(let code): throw .failed(EnclaveFailure(code))
            }
        } catch {
            call.note(error, during: "data.seal")
            throw APIError(error, during: .data)
        }
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
