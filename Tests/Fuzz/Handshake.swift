import Sodium

@testable import AttestedSession

/// A handshake of two honest sides, of which the input alters one byte or none, or messages that are made up.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHandshake(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = Input(start, count)
    let mode = input.byte()
    let position = Int(input.number())
    let mask = input.byte()
    let host = X25519.PrivateKey()
    let enclave = X25519.PrivateKey()
    if mode % 4 == 3 { return madeUp(input.take(4096), host, enclave) }

    let prologue = input.take(64)
    let payload = input.take(256)
    var initiator = NoiseIK(initiatorKnowing: enclave.publicKey, prologue: prologue)
    // What both sides said before differs, where the input says so.
    var responder = NoiseIK(
        responderWith: enclave.publicKey, prologue: mode % 4 == 0 ? altered(prologue, position, mask) : prologue)
    do throws(NoiseError) {
        let first = try initiator.writeFirst(staticKey: host, payload: payload)
        let arrived = mode % 4 == 1 ? altered(first, position, mask) : first
        let isWhole = arrived == first && (mode % 4 != 0 || altered(prologue, position, mask) == prologue)
        do throws(NoiseError) {
            let read = try responder.readFirst(arrived, staticKey: enclave)
            precondition(isWhole, "an altered first message was taken")
            precondition(read.initiatorKey == host.publicKey && read.payload == payload)
        } catch {
            precondition(!isWhole, "a good first message was refused: \(error)")
            return 0
        }
        let second = try responder.writeSecond(payload: payload)
        let answer = mode % 4 == 2 ? altered(second, position, mask) : second
        do throws(NoiseError) {
            let read = try initiator.readSecond(answer, staticKey: host)
            precondition(answer == second, "an altered second message was taken")
            precondition(read == payload && initiator.handshakeHash == responder.handshakeHash)
        } catch {
            precondition(answer != second, "a good second message was refused: \(error)")
        }
    } catch {
        preconditionFailure("an honest side could not go on: \(error)")
    }
    return 0
}

private func altered(_ bytes: [UInt8], _ position: Int, _ mask: UInt8) -> [UInt8] {
    guard !bytes.isEmpty else { return bytes }
    var bytes = bytes
    bytes[position % bytes.count] ^= mask
    return bytes
}

/// Nobody without the keys makes a message that is taken.
private func madeUp(
    _ message: [UInt8], _ host: borrowing X25519.PrivateKey, _ enclave: borrowing X25519.PrivateKey
) -> CInt {
    var responder = NoiseIK(responderWith: enclave.publicKey, prologue: [])
    precondition((try? responder.readFirst(message, staticKey: enclave)) == nil, "a made-up first message was taken")
    var initiator = NoiseIK(initiatorKnowing: enclave.publicKey, prologue: [])
    guard (try? initiator.writeFirst(staticKey: host)) != nil else { return 0 }
    precondition((try? initiator.readSecond(message, staticKey: host)) == nil, "a made-up second message was taken")
    return 0
}
