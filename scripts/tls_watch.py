"""What went over a wire: captured from a bridge, put together again, and judged record by record."""

import collections, socket, struct, sys

ETHERNET, SOL_PACKET, ADD_MEMBERSHIP, PROMISCUOUS = 14, 263, 1, 1


def capture(interface, path):
    """Writes each frame with its length in front, until the process is ended."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    wire.bind((interface, 0))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024 * 1024)
    index = socket.if_nametoindex(interface)
    wire.setsockopt(SOL_PACKET, ADD_MEMBERSHIP, struct.pack("IHH8s", index, PROMISCUOUS, 0, b""))
    with open(path, "wb", buffering=1 << 20) as file:
        print("ready", flush=True)
        while True:
            frame = wire.recv(1 << 17)
            file.write(struct.pack(">I", len(frame)) + frame)


def frames(path):
    bytes_ = open(path, "rb").read()
    at = 0
    while at + 4 <= len(bytes_):
        size = struct.unpack(">I", bytes_[at:at + 4])[0]
        yield bytes_[at + 4:at + 4 + size]
        at += 4 + size


def flows(path):
    """Bytes by (source, port, target, port), for connections whose beginning was seen."""
    starts, pieces = {}, collections.defaultdict(dict)
    for frame in frames(path):
        if frame[12:14] != b"\x08\x00" or len(frame) < ETHERNET + 40 or frame[ETHERNET + 9] != 6:
            continue
        header = (frame[ETHERNET] & 15) * 4
        total = struct.unpack(">H", frame[ETHERNET + 2:ETHERNET + 4])[0] or len(frame) - ETHERNET
        tcp = frame[ETHERNET + header:ETHERNET + total]
        source, target, sequence = struct.unpack(">HHI", tcp[:8])
        flow = (frame[ETHERNET + 12:ETHERNET + 16], source, frame[ETHERNET + 16:ETHERNET + 20], target)
        if tcp[13] & 2:
            starts[flow], pieces[flow] = sequence + 1, {}
        elif flow in starts:
            data = tcp[(tcp[12] >> 4) * 4:]
            if data:
                place = (sequence - starts[flow]) % (1 << 32)
                if len(data) > len(pieces[flow].get(place, b"")):
                    pieces[flow][place] = data
    for flow in starts:
        whole = bytearray()
        for place in sorted(pieces[flow]):
            data = pieces[flow][place]
            if place > len(whole):
                break
            whole += data[len(whole) - place:]
        yield flow, bytes(whole)


def is_tls13_answer(record):
    """Whether a ServerHello (RFC 8446, 4.1.3) selects TLS 1.3 in `supported_versions`."""
    at = 4 + 2 + 32
    at += 1 + record[at] + 2 + 1
    end = at + 2 + struct.unpack(">H", record[at:at + 2])[0]
    at += 2
    while at + 4 <= end:
        kind, size = struct.unpack(">HH", record[at:at + 4])
        if kind == 43:
            return record[at + 4:at + 4 + size] == b"\x03\x04"
        at += 4 + size
    return False


def judge(path):
    """(connections, answers, bytes): refused where anything but TLS 1.3 was seen."""
    connections = answers = total = 0
    for flow, data in flows(path):
        if not data:
            continue
        connections, total, at, first = connections + 1, total + len(data), 0, True
        while at + 5 <= len(data):
            kind, major, minor, size = struct.unpack(">BBBH", data[at:at + 5])
            if kind not in (20, 21, 22, 23) or major != 3 or minor not in (1, 3) or size > 16_640:
                raise ValueError(f"no TLS record at byte {at} of {flow}: {data[at:at + 16].hex()}")
            record = data[at + 5:at + 5 + size]
            if first and kind == 22 and len(record) == size and record[0] == 2:
                if not is_tls13_answer(record):
                    raise ValueError(f"{flow} answers with something older than TLS 1.3")
                answers += 1
            if not first and kind == 22:
                raise ValueError(f"{flow} shakes hands in clear after its hello")
            first = False
            at += 5 + size
    return connections, answers, total


if __name__ == "__main__":
    capture(sys.argv[1], sys.argv[2])
