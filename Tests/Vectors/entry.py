"""Talea's entries, read and judged: decoded strictly, verified, hashed, chained, private bodies opened.
Written from docs/PROTOCOL.md, not from the Swift code; needs PyNaCl alone. What the fields of each
message are says schema.py."""
import hashlib, hmac
import nacl.bindings as sodium
from schema import BODIES, SPEC


def need(holds, what):
    if not holds: raise ValueError(what)


def varint(data, at):
    value = shift = 0
    while True:
        need(at < len(data) and shift < 64, "varint")
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            need((byte or not shift) and value < 2**64, "long varint")
            return value, at
        shift += 7


def read(name, data):
    out, at, last = {}, 0, 0
    while at < len(data):
        tag, at = varint(data, at)
        field = tag >> 3
        need(field in SPEC[name], f"{name}: field {field}")
        label, kind = SPEC[name][field]
        need(field > last or field == last and "*" in kind, f"{name}.{label}: order or repetition")
        last, base = field, kind.rstrip("!*")
        need(tag & 7 == (0 if base in "ns" else 2), f"{name}.{label}: wire type")
        raw, at = varint(data, at)
        if base in "ns":
            value = (raw >> 1) ^ -(raw & 1) if base == "s" else raw
            need(raw and abs(value) < 2**53, f"{name}.{label}: number")
        else:
            value, at = data[at:at + raw], at + raw
            need(len(value) == raw and (value or base == "Value"), f"{name}.{label}: length")
            if base == "i": need(raw == 32, f"{name}.{label}: 32 bytes")
            elif base == "t":
                value = value.decode()
                need("\0" not in value, f"{name}.{label}: text")
            elif base != "b": value = read(base, value)
        if "*" in kind: out.setdefault(label, []).append(value)
        else: out[label] = value
    for label, kind in SPEC[name].values():
        need("!" not in kind or label in out, f"{name}.{label} missing")
    if name == "Value": need(len(out) == 1, "one value")
    return out


def header(data):
    h = read("Header", data)
    need(h["version"] == 1, "newer peer")
    need(("key" in h) == (h["kind"] != 1) and not (h["kind"] == 1 and "topic" in h), "key or topic")
    if "log" in h:
        stated = {"expires", "about", "basis", "versions"} & set(h)
        need(h["kind"] < 40 and "sequence" in h and not stated, "shape")
        need(("previous" in h) == (h["sequence"] > 1), "previous")
    else:
        chained = {"sequence", "previous"} & set(h)
        need(h["kind"] >= 40 and "expires" in h and not chained, "shape")
    records = [v["record"] for v in h.get("versions", [])]
    need(records == sorted(set(records)), "versions")
    return h


def join(parts): return b"".join(p.encode() if isinstance(p, str) else p for p in parts)
def sha(*parts): return hashlib.sha256(join(parts)).digest()
def mac(key, *parts): return hmac.new(key, join(parts), "sha256").digest()
def u64(n): return n.to_bytes(8, "big")
def s(text): return len(text.encode()).to_bytes(4, "big") + text.encode()


def unhex(text):
    need(bytes.fromhex(text).hex() == text, "hex")
    return bytes.fromhex(text)


def signed(head, signature, key):
    need(len(signature) == 64, "signature length")
    need(sodium.crypto_core_ed25519_is_valid_point(key), "key not of prime order")
    message = b"DSSEv1 30 application/vnd.talea.entry.v1 %d " % len(head) + head
    sodium.crypto_sign_open(signature + message, key)


def entries(rows, keys, logs):
    """Checks entries in order; fills keys (entry id → author, key) and logs (log → last entry)."""
    for row in rows:
        need(set(row) == {"header", "signature", "body", "id"}, "entry members")
        head, sig, body = unhex(row["header"]), unhex(row["signature"]), unhex(row["body"])
        h, ident = header(head), sha(head, sig)
        need(unhex(row["id"]) == ident, "id")
        need(len(body) == h["body_size"] and sha(body) == h["body_hash"], "body")
        before = logs.get(h["log"]) if "log" in h else None
        if before:
            last = before[1]
            need(h["previous"] == before[0] and h["sequence"] == last["sequence"] + 1
                 and h["time"] >= last["time"] and h["author"] == last["author"]
                 and h.get("topic") == last.get("topic"), "chain")
        if h["kind"] == 1:
            k = read("Key", body)
            need(h["log"] == sha("talea.log.key.v1", h["author"]), "key log")
            if before:
                hashed = sha("talea.nextkey.v1", k["public_key"])
                need(hashed == before[2]["next_key_hash"], "commitment")
            else: need(h["sequence"] == 1 and k["public_key"] == h["author"], "first key")
            keys[ident] = (h["author"], k["public_key"])
        author, key = keys[h["key"] if "key" in h else ident]
        need(author == h["author"], "another's key")
        signed(head, sig, key)
        # Sealed to a contract's key: a step, a settlement, and what a witness keeps of a request.
        content = body if h["kind"] in (20, 27, 42) else read(BODIES[h["kind"]], body)
        if h["kind"] == 21:
            need(("log" in content) == ("sequence" in content), "a log with its sequence")
            need(("highest_step" in content) == ("highest" in content), "a step with its sequence")
        if before and "key" in h:
            # The key rises at a continue that names the one it rises from, and nowhere else.
            rises = h["key"] != last["key"]
            need(rises == (h["kind"] == 2), "continue")
            need(not rises or content["from"] == last["key"], "continue from")
        else: need(h["kind"] != 2, "continue at the beginning")
        if h["kind"] == 3:
            seq, last = content.get("sequence", 0), content.get("id", bytes(32))
            need(h["sequence"] == 1 and ("id" in content) == (seq > 0), "cut")
            need(h["log"] == sha("talea.log.successor.v1", h["author"], content["log"], u64(seq),
                                 last), "log after a cut")
            before = logs.get(content["log"])
            need(not before or (before[0], before[1]["sequence"]) == (last, seq), "cut elsewhere")
        if "log" in h: logs[h["log"]] = (ident, h, content)
    return h, content


def opened(body, key, h):
    """A private body: nonce ‖ commitment ‖ ciphertext, moved nowhere, padded to its class."""
    need(body[24:56] == sha("talea.body.v1", key), "commitment")
    if "log" in h: data = h["log"] + u64(h["sequence"]) + h.get("previous", bytes(32))
    else: data = h["about"]
    data = h["author"] + data
    padded = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(body[56:], data, body[:24], key)
    plain = padded.rstrip(b"\0")
    size = 256
    while size < len(plain): size *= 2
    need(plain.endswith(b"\x80") and len(padded) == size, "padding")
    return plain[:-1]
