#!/usr/bin/env python3
"""Set reconciliation by negentropy, version 1, with the reference's way of splitting: plain and slow.

    negentropy.py < cases.json      writes each case again with the trace that both sides make

A case is {"left": [n…], "right": [n…], "limits": [l, r]}; item n is at time n // 3 and has as id
SHA-256 of "item" and n in decimal, so that some share a time and all can be written down briefly.
"""

import bisect, hashlib, json, sys

END = 2**64 - 1


def item(n):
    return n // 3, hashlib.sha256(b"item%d" % n).digest()


def varint(value):
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127 | 128)
    return bytes(reversed(groups))


def fingerprint(items):
    total = sum(int.from_bytes(id, "little") for _, id in items) % 2**256
    return hashlib.sha256(total.to_bytes(32, "little") + varint(len(items))).digest()[:16]


def between(lower, upper):
    """The shortest bound that parts two neighbours."""
    if lower[0] != upper[0]:
        return upper[0], b""
    shared = next(i for i in range(32) if lower[1][i] != upper[1][i])
    return upper[0], upper[1][:shared + 1]


class Reader:
    def __init__(self, data):
        self.data, self.time = data, 0

    def take(self, count):
        part, self.data = self.data[:count], self.data[count:]
        assert len(part) == count
        return part

    def varint(self):
        value = 0
        while True:
            byte = self.take(1)[0]
            value = value << 7 | byte & 127
            if byte < 128:
                return value

    def bound(self):
        step = self.varint()
        self.time = END if step == 0 else min(self.time + step - 1, END)
        return self.time, self.take(self.varint())


class Writer:
    def __init__(self):
        self.time = 0

    def bound(self, bound):
        time, prefix = bound
        step = 0 if time == END else time - self.time + 1
        self.time = time
        return varint(step) + varint(len(prefix)) + prefix


class Side:
    def __init__(self, items, initiates, limit):
        self.items, self.initiates, self.limit = sorted(items), initiates, limit
        self.have, self.need = [], []

    def start(self):
        writer = Writer()
        return b"\x61" + self.split(0, len(self.items), (END, b""), writer)

    def list(self, lower, upper, bound, writer):
        ids = b"".join(id for _, id in self.items[lower:upper])
        return writer.bound(bound) + varint(2) + varint(upper - lower) + ids

    def split(self, lower, upper, bound, writer):
        count = upper - lower
        if count < 32:
            return self.list(lower, upper, bound, writer)
        out = b""
        for part in range(16):
            size = count // 16 + (part < count % 16)
            end = lower + size
            edge = bound if end == upper else between(self.items[end - 1], self.items[end])
            out += writer.bound(edge) + varint(1) + fingerprint(self.items[lower:end])
            lower = end
        return out

    def full(self, size):
        return self.limit and size > self.limit - 200

    def answer(self, message):
        reader, writer = Reader(message), Writer()
        if reader.take(1) != b"\x61":
            assert not self.initiates
            return b"\x61"
        out, lower, before, skipping = b"\x61", 0, (0, b""), False
        while reader.data:
            bound, mode = reader.bound(), reader.varint()
            padded = (bound[0], bound[1].ljust(32, b"\0"))
            upper = bisect.bisect_left(self.items, padded, lower)
            piece = b""

            def skip():
                return writer.bound(before) + varint(0) if skipping else b""

            if mode == 0:
                skipping = True
            elif mode == 1:
                if reader.take(16) == fingerprint(self.items[lower:upper]):
                    skipping = True
                else:
                    piece = skip() + self.split(lower, upper, bound, writer)
                    skipping = False
            else:
                assert mode == 2
                theirs = {reader.take(32) for _ in range(reader.varint())}
                if self.initiates:
                    ours = [id for _, id in self.items[lower:upper]]
                    self.have += [id for id in ours if id not in theirs]
                    self.need += sorted(theirs - set(ours))
                    skipping = True
                else:
                    fits = lower
                    while fits < upper and not self.full(len(out) + 32 * (fits - lower)):
                        fits += 1
                    edge = bound if fits == upper else self.items[fits]
                    out += skip() + self.list(lower, fits, edge, writer)
                    skipping, upper = False, fits
            if self.full(len(out) + len(piece)):
                return out + varint(0) + varint(0) + varint(1) + fingerprint(self.items[upper:])
            out += piece
            lower, before = upper, bound
        return out


def play(case):
    left = Side(map(item, case["left"]), True, case["limits"][0])
    right = Side(map(item, case["right"]), False, case["limits"][1])
    trace, message = [], left.start()
    while len(message) > 1:
        answer = right.answer(message)
        trace += [message.hex(), answer.hex()]
        message = left.answer(answer)
    return {
        **case, "trace": trace, "have": [id.hex() for id in left.have],
        "need": [id.hex() for id in left.need]}


if __name__ == "__main__":
    json.dump([play(case) for case in json.load(sys.stdin)], sys.stdout, indent=1)
    print()
