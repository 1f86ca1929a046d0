"""An independent peer of the attested session: noiseprotocol (PyPI) for Noise, everything else written from WIRE.md.

  noise_peer.py initiator PORT HOST_PRIVATE_HEX
      opens a session on 127.0.0.1:PORT, makes one call whose body is "ping from python", prints what came back;
      the session key is taken from the evidence, whose signature the Swift side of the test vouches for.
  noise_peer.py responder ENCLAVE_PRIVATE_HEX ANSWER_HEX
      listens, prints its port, answers one challenge with ANSWER_HEX (a whole hello answer), accepts the handshake,
      prints the initiator's static key, and answers one call with its own body reversed.
"""
import hashlib
import socket
import struct
import sys

try:
    from noise.connection import Keypair, NoiseConnection
except ImportError:
    sys.exit("the Python package noiseprotocol is missing: pip install noiseprotocol==0.3.1")

NAME = b"Noise_IK_25519_ChaChaPoly_SHA256"
REQUEST, RESPONSE, CREDIT = 1, 2, 5


# Deterministic CBOR, as much as is needed here.

def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for size, code in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if value < 1 << (8 * size):
            return bytes([major << 5 | code]) + value.to_bytes(size, "big")


def cbor(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(4, len(value)) + b"".join(cbor(item) for item in value)


def uncbor(data, at=0):
    major, value = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return None, at
    if value >= 24:
        size = 1 << (value - 24)
        value, at = int.from_bytes(data[at:at + size], "big"), at + size
    if major == 0:
        return value, at
    if major in (2, 3):
        piece = data[at:at + value]
        return (piece if major == 2 else piece.decode()), at + value
    items = []
    for _ in range(value):
        item, at = uncbor(data, at)
        items.append(item)
    return items, at


# Frames and records.

def send_frame(connection, payload):
    connection.sendall(struct.pack(">I", len(payload)) + payload)


def receive_exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            sys.exit("the peer closed the connection")
        data += piece
    return data


def receive_frame(connection):
    (length,) = struct.unpack(">I", receive_exactly(connection, 4))
    return receive_exactly(connection, length)


def send_record(connection, noise, call, kind, chunk):
    send_frame(connection, noise.encrypt(struct.pack(">IBB", call, kind, 0) + chunk))


def receive_record(connection, noise):
    record = noise.decrypt(receive_frame(connection))
    call, kind, flags = struct.unpack(">IBB", record[:6])
    return call, kind, flags, record[6:]


def prologue(request, answer):
    text = b"alfred-session/1"
    for payload in (request, answer):
        text += struct.pack(">I", len(payload)) + payload
    return hashlib.sha256(text).digest()


def initiator(port, private):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    request = cbor([1, 3, [bytes(range(32)), 1000, 1100, "session", "python"]])
    send_frame(connection, request)
    answer = receive_frame(connection)
    (version, kind, body), _ = uncbor(answer)
    assert (version, kind) == (1, 3), (version, kind)
    evidence, _ = uncbor(body[0])
    assert evidence[0] == "alfred-evidence/1"

    noise = NoiseConnection.from_name(NAME)
    noise.set_as_initiator()
    noise.set_keypair_from_private_bytes(Keypair.STATIC, private)
    noise.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, evidence[7])
    noise.set_prologue(prologue(request, answer))
    noise.start_handshake()
    send_frame(connection, cbor([1, 4, bytes(noise.write_message())]))
    (_, kind, message), _ = uncbor(receive_frame(connection))
    assert kind == 4, kind
    (lifetime,), _ = uncbor(bytes(noise.read_message(message)))

    body = b"ping from python"
    send_record(connection, noise, 1, REQUEST, cbor([32, 5000, "python", None, body]))
    call, kind, flags, chunk = receive_record(connection, noise)
    assert (call, kind, flags) == (1, RESPONSE, 0), (call, kind, flags)
    print(lifetime, chunk.decode(), flush=True)


def responder(private, answer):
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(10)
    print(listening.getsockname()[1], flush=True)
    connection, _ = listening.accept()
    connection.settimeout(10)
    request = receive_frame(connection)
    send_frame(connection, answer)

    noise = NoiseConnection.from_name(NAME)
    noise.set_as_responder()
    noise.set_keypair_from_private_bytes(Keypair.STATIC, private)
    noise.set_prologue(prologue(request, answer))
    noise.start_handshake()
    (version, kind, message), _ = uncbor(receive_frame(connection))
    assert (version, kind) == (1, 4), (version, kind)
    assert bytes(noise.read_message(message)) == b""
    print(noise.noise_protocol.handshake_state.rs.public_bytes.hex(), flush=True)
    send_frame(connection, cbor([1, 4, bytes(noise.write_message(cbor([77])))]))

    call, kind, flags, chunk = receive_record(connection, noise)
    assert (call, kind, flags, chunk) == (0, CREDIT, 0, bytes(4)), (call, kind, flags, chunk)
    call, kind, flags, chunk = receive_record(connection, noise)
    assert (call, kind, flags) == (1, REQUEST, 0), (call, kind, flags)
    (method, _, request_id, trace, body), _ = uncbor(chunk)
    assert (method, request_id, trace) == (32, "swift", None)
    send_record(connection, noise, call, RESPONSE, body[::-1])
    connection.recv(1)


if sys.argv[1] == "initiator":
    initiator(int(sys.argv[2]), bytes.fromhex(sys.argv[3]))
else:
    responder(bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3]))
