#!/usr/bin/env python3
"""Makes signature-tricks.json: one signature per class that a careless verifier takes.

Plain curve arithmetic, no library: RFC 8032 with torsion added by hand. Run once; the file stays.
"""
import hashlib, json, sys

p = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
d = -121665 * pow(121666, p - 2, p) % p


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    k = d * x1 * x2 * y1 * y2 % p
    return ((x1 * y2 + x2 * y1) * pow(1 + k, p - 2, p) % p,
            (y1 * y2 + x1 * x2) * pow(1 - k, p - 2, p) % p)


def mul(n, a):
    r = (0, 1)
    while n:
        if n & 1:
            r = add(r, a)
        a, n = add(a, a), n >> 1
    return r


def lift(y, sign):
    x2 = (y * y - 1) * pow(d * y * y + 1, p - 2, p) % p
    x = pow(x2, (p + 3) // 8, p)
    if (x * x - x2) % p:
        x = x * pow(2, (p - 1) // 4, p) % p
    assert (x * x - x2) % p == 0
    return ((p - x) % p if x & 1 != sign else x, y)


def enc(a): return (a[1] | (a[0] & 1) << 255).to_bytes(32, "little")
def le(n): return n.to_bytes(32, "little")
def h(*parts): return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


B = lift(4 * pow(5, p - 2, p) % p, 0)
T8 = None
y = 2
while T8 is None:  # a point of order eight: L times any point that has one
    try:
        t = mul(L, lift(y, 0))
        if mul(4, t) != (0, 1):
            T8 = t
    except AssertionError:
        pass
    y += 1

a, r = h(b"talea tricks a"), h(b"talea tricks r")
A, msg = mul(a, B), b"talea"
rows = []


def row(name, good, key, R, S, m=msg):
    rows.append({"name": name, "good": good, "key": key.hex(), "message": m.hex(),
                 "signature": (R + S).hex()})


def sign(key, R, m=msg, secret=a, nonce=r): return le((nonce + h(R, key, m) * secret) % L)


KA, R = enc(A), enc(mul(r, B))
S = sign(KA, R)
row("honest", True, KA, R, S)
row("S above L", False, KA, R, le(int.from_bytes(S, "little") + L))
row("S with high bits", False, KA, R, S[:31] + bytes([S[31] | 0x80]))
# Small-order A: k·A vanishes when eight divides k, so (R, r) verifies under no one's key.
small = enc(T8)
n = 0
while h(R, small, b"m%d" % n) % 8:
    n += 1
row("small-order A", False, small, R, le(r), b"m%d" % n)
# Small-order R: R = identity, S = k·a.
row("small-order R", False, KA, enc((0, 1)), sign(KA, enc((0, 1)), nonce=0))
# Non-canonical: y is written as y + p (only 19 values of y have room); identity y=1, A of order 1.
odd = le(1 + p)
row("non-canonical A", False, odd, R, le(r))
row("non-canonical R", False, KA, odd, sign(KA, odd, nonce=0))
# Non-canonical A that is no small-order point: y = p + k for small k that lies on the curve.
for k in range(2, 19):
    try:
        lift(k, 0)
    except AssertionError:
        continue
    row("non-canonical A of large order", False, le(k + p), R, le(r))
    row("non-canonical R of large order", False, KA, le(k + p), sign(KA, le(k + p)))
    break
# Mixed order: honest point plus torsion. Holds with the cofactor (R) or on every eighth message (A).
mixed = enc(add(A, T8))
n = 0
while h(R, mixed, b"m%d" % n) % 8:
    n += 1
row("mixed-order A, equation holds", False, mixed, R, sign(mixed, R, b"m%d" % n), b"m%d" % n)
row("mixed-order A, cofactor needed", False, mixed, R, sign(mixed, R))
# Order two alone: what libsodium before 1.0.21 took for an honest key (CVE-2025-69277).
mixed = enc(add(A, mul(4, T8)))
n = 0
while h(R, mixed, b"m%d" % n) % 2:
    n += 1
row("mixed-order A by order two, equation holds", False, mixed, R, sign(mixed, R, b"m%d" % n), b"m%d" % n)
Rm = enc(add(mul(r, B), T8))
row("mixed-order R, cofactor needed", False, KA, Rm, sign(KA, Rm))
json.dump(rows, sys.stdout, indent=1)
print()
