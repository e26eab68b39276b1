#!/usr/bin/env python3
"""Makes two-prices.json: one XChaCha20-Poly1305 ciphertext that is authentic under two keys.

The cipher does not commit to its key (Albertini et al., "How to Abuse and Fix Authenticated
Encryption Without Key Commitment", 2020). One block is solved so that both Poly1305 sums agree.
Run once; the file stays.
"""
import hashlib, json, struct, sys

P = 2**130 - 5


def rounds(state):
    x = list(state)

    def quarter(a, b, c, d):
        for p, q, r, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = x[p] + x[q] & 0xffffffff
            v = x[r] ^ x[p]
            x[r] = (v << n | v >> 32 - n) & 0xffffffff
    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return x


def words(*parts): return list(struct.unpack("<16I", b"".join(parts)))


SIGMA = b"expand 32-byte k"


def block(key, counter, nonce):
    s = words(SIGMA, key, struct.pack("<I", counter), nonce)
    return struct.pack("<16I", *((a + b) & 0xffffffff for a, b in zip(rounds(s), s)))


def stream(key, nonce):  # poly key, then 256 bytes
    x = rounds(words(SIGMA, key, nonce[:16]))
    sub = struct.pack("<8I", *(x[:4] + x[12:]))
    out = b"".join(block(sub, i, bytes(4) + nonce[16:]) for i in range(5))
    return out[:32], out[64:320]


def xor(a, b): return bytes(x ^ y for x, y in zip(a, b))


def poly(r, data):
    acc = 0
    for i in range(0, len(data), 16):
        acc = (acc + int.from_bytes(data[i:i + 16], "little") + 2**128) * r % P
    return acc


aad = b"\1" * 32 + b"\2" * 32 + (3).to_bytes(8, "big") + b"\4" * 32
nonce = hashlib.sha256(b"nonce").digest()[:24]
keys = [hashlib.sha256(b"one price").digest(), hashlib.sha256(b"other price").digest()]
(p1, ks1), (p2, ks2) = (stream(k, nonce) for k in keys)
CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffff
r1, r2 = (int.from_bytes(p[:16], "little") & CLAMP for p in (p1, p2))
s1, s2 = (int.from_bytes(p[16:], "little") for p in (p1, p2))
tail = struct.pack("<QQ", len(aad), 256)
head = aad + bytes(-len(aad) % 16)
k = 16  # blocks from the solved one (the second of sixteen) to the end, lengths included
for trial in range(10_000):
    plain = b"price: 1000 CNY " + bytes(16) + hashlib.sha256(b"%d" % trial).digest()[:16]
    ct = bytearray(xor(plain + b"\x80" + bytes(207), ks1))
    ct[16:32] = bytes(16)
    a1, a2 = (poly(r, head + bytes(ct) + tail) - pow(2, 128, P) * pow(r, k, P) for r in (r1, r2))
    inverse = pow(pow(r1, k, P) - pow(r2, k, P), P - 2, P)
    for t in range(-4, 5):
        x = (a2 - a1 + s2 - s1 + t * 2**128) * inverse % P - 2**128
        if not 0 <= x < 2**128:
            continue
        ct[16:32] = x.to_bytes(16, "little")
        tags = [(poly(r, head + bytes(ct) + tail) + s) % 2**128 for r, s in ((r1, s1), (r2, s2))]
        if tags[0] == tags[1]:
            json.dump({"keys": [key.hex() for key in keys], "nonce": nonce.hex(),
                       "associated": aad.hex(),
                       "sealed": (bytes(ct) + tags[0].to_bytes(16, "little")).hex(),
                       "plaintexts": [xor(ct, ks).hex() for ks in (ks1, ks2)]},
                      sys.stdout, indent=1)
            print()
            sys.exit()
sys.exit("no solution")
