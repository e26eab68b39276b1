#!/usr/bin/env python3
"""Checks Talea's golden vectors and exported proofs, upon entry.py. Written from docs/PROTOCOL.md, not
from the Swift code; needs PyNaCl alone.   verify.py FILE...   verify.py proof FILE   (exit 0 = all hold)"""
import base64, json, sys
import nacl.bindings as sodium
from entry import entries, header, join, mac, need, opened, read, s, sha, signed, u64, unhex

B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
B32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
B45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def un64(text):
    need(base64.b64encode(base64.b64decode(text, validate=True)).decode() == text, "base64")
    return base64.b64decode(text)


def did(key):
    n, text = int.from_bytes(b"\xed\x01" + key, "big"), ""
    while n: n, digit = divmod(n, 58); text = B58[digit] + text
    return "did:key:z" + text


def shown(value):
    (kind, v), = value.items()
    if kind == "list": return "[" + ", ".join(map(shown, v["items"])) + "]"
    if kind == "money": return f"{v.get('minor', 0)} minor {v['currency']}"
    if kind == "quantity": return f"{v.get('units', 0)} {v['unit']}"
    if kind == "zero": return {1: "0", 2: "''", 3: "[]"}[v]
    return did(v) if kind == "identity" else v.hex() if kind == "hash" else str(v)


def tell(h, step):
    need(("act" in step) != ("request" in step), "act or request")
    act, who = step.get("act"), did(h["author"])
    if not act:
        asked = header(step["request"]["header"])
        need(sha(step["request"]["body"]) == asked["body_hash"] and asked["kind"] == 42, "request")
        act = read("Request", step["request"]["body"])["act"]
        who += " on request of " + did(asked["author"])
    words = ", ".join(f"{a['name']} = {shown(a['value'])}" for a in act.get("arguments", []))
    print(f"  {who} step {h.get('sequence', '-')} at {h['time']} ms: {act['transition']}({words})")


def derivation(row):
    plain = ("row", "resource", "unit")
    r = {k: unhex(v) if isinstance(v, str) and k not in plain else v for k, v in row.items()}
    a = r.get("author")

    def tail(*names): return join(u64(r[n]) if isinstance(r[n], int) else r[n] for n in names)
    value = {
        "log.key": lambda: sha("talea.log.key.v1", a),
        "log.public": lambda: sha("talea.log.public.v1", a, r["alliance"]),
        "log.line": lambda: sha("talea.log.line.v1", a, s(r["resource"]), u64(r["start"]),
                                u64(r["end"]), s(r["unit"])),
        "log.contract": lambda: sha("talea.log.contract.v1", r["contract"], a,
                                    r["epoch"].to_bytes(4, "big")),
        "log.witness": lambda: sha("talea.log.witness.v1", r["log"], a),
        "topic.alliance": lambda: sha("talea.topic.alliance.v1", sha(r["founding_body"])),
        "topic.contract": lambda: sha("talea.topic.contract.v1", r["contract_key"]),
        "topic.session": lambda: sha("talea.topic.session.v2", tail(
            "initiator_nonce", "responder_nonce", "sender", "receiver", "topic")),
        "contract": lambda: sha("talea.contract.v1", r["contract_key"]),
        "next key": lambda: sha("talea.nextkey.v1", r["key"]),
        "tag": lambda: mac(r["contract_key"], "talea.tag.v1", r["line"], r["release_key"]),
        "body key": lambda: mac(r["contract_key"], "talea.bodykey.v1", tail("log", "sequence")),
        "commitment": lambda: sha("talea.body.v1", r["body_key"]),
        "release": lambda: b"talea.release.v1" + tail("line", "grant", "units", "running_total"),
        "split": lambda: b"talea.split.v1" + tail(
            "line", "grant", "units", "release_key", "tag"),
    }[row["row"]]()
    need(value == r["value"], row["row"])


def public(seed): return sodium.crypto_sign_seed_keypair(seed)[0]


def identity(d, r):
    need(public(unhex(d["seed"])) == unhex(d["public_key"]), "public key")
    need(d["did"] == did(unhex(d["public_key"])), "did")
    entropy = unhex(r["entropy"])
    number = int.from_bytes(entropy, "big") << 20
    number |= int.from_bytes(sha("talea.recovery.check.v1", entropy)[:3], "big") >> 4
    code = "".join(B32[number >> 5 * i & 31] for i in reversed(range(36)))
    need("-".join(code[i:i + 4] for i in range(0, 36, 4)) == r["code"], "recovery code")
    for n in (2, 3):
        seed = mac(entropy, "talea.recovery.key.v1", n.to_bytes(4, "big"))
        need(public(seed) == unhex(r[f"next_key_{n}"]), "next key")
    need(mac(entropy, "talea.recovery.node.v1") == unhex(r["node_secret"]), "node secret")


def proof(j):
    need(set(j) - {"keys"} == {"envelope", "body", "body_key"}, "proof members")
    e, (sig,) = j["envelope"], j["envelope"]["signatures"]
    need(set(e) == {"payload", "payloadType", "signatures"}, "envelope members")
    need(set(sig) == {"keyid", "sig"}, "signature members")
    need(e["payloadType"] == "application/vnd.talea.entry.v1", "payload type")
    head, body, keys = un64(e["payload"]), un64(j["body"]), {}
    h = header(head)
    need(len(body) == h["body_size"] and sha(body) == h["body_hash"] and h["kind"] == 20, "body")
    # The first key is the author; a later one needs the key log beside it.
    if "keys" in j: entries(j["keys"], keys, {})
    author, key = keys[h["key"]] if "keys" in j else (h["author"], h["author"])
    need(author == h["author"] and sig["keyid"] == did(key), "keyid is not the author's")
    signed(head, un64(sig["sig"]), key)
    tell(h, read("Step", opened(body, un64(j["body_key"]), h)))


def fork(j):
    keys = {}
    entries(j["entries"], keys, {})
    data = unhex(j["proof"])
    p, ids = read("ForkProof", data), []
    need(len(data) <= 204800, "proof size")
    for side in (p["one"], p["two"]):
        above = None
        for e in reversed([side["entry"]] + side.get("chain", [])):
            h, ident = header(e["header"]), sha(e["header"], e["signature"])
            need("body" not in e and h["kind"] != 1 and "log" in h, "evidence")
            if above is None:
                author, key = keys[h["key"]]
                need(author == h["author"], "another's key")
                signed(e["header"], e["signature"], key)
            else:
                same = all(h.get(f) == above.get(f) for f in ("author", "log", "topic", "key"))
                need(same and above["previous"] == ident and h["time"] <= above["time"]
                     and h["sequence"] + 1 == above["sequence"], "chain of headers")
            above = h
        ids.append((h, ident))
    (one, a), (two, b) = ids
    need(a < b, "the lesser id first")
    need(all(one.get(f) == two.get(f) for f in ("author", "log", "topic", "key", "sequence")),
         "one place under one key")
    need(unhex(j["fork"]) == sha("talea.fork", one["author"], one["log"], u64(one["sequence"])),
         "fork id")


def checked(e, keys):
    """An entry inside another one, by its own signature."""
    rows = {name: e[name].hex() for name in ("header", "signature", "body")}
    rows["id"] = sha(e["header"], e["signature"]).hex()
    return entries([rows], keys, {})


def witnessed(j):
    """A contract's witnesses: their terms, what they receipt and close, a takeover."""
    terms, key, keys = unhex(j["terms"]), unhex(j["contract_key"]), {}
    t, logs, found = read("WitnessTerms", terms), {}, []
    need(sha("talea.contract.v1", key) == t["contract"], "contract")
    need(t["participants"] == sorted(set(t["participants"])), "participants")
    log = sha("talea.log.contract.v1", t["contract"], t["sequencer"], bytes(4))
    arbiters = sha("talea.log.contract.v1", t["contract"], t["arbiter"], b"\0\0\0\1")
    for row in j["entries"]:
        h, body = entries([row], keys, logs)
        found.append((unhex(row["id"]), h, body))
        if h["kind"] in (21, 22):
            need(h["author"] in t["witnesses"]["identities"], "a witness")
            need(h["log"] == sha("talea.log.witness.v1", log, h["author"]), "witness log")
        if h["kind"] in (23, 24):
            need(h["author"] == t["arbiter"] and h["log"] == arbiters, "the arbiter's log")
            need(body["epoch"] == 1 and h["sequence"] == h["kind"] - 22, "epoch")
        if h["kind"] == 41:
            need(body["witness_terms_hash"] == sha("talea.witness-terms.v1", terms), "terms hash")
        if h["kind"] == 42:
            key_of = mac(key, "talea.requestkey.v1", h["author"], body[:24])
            plain = opened(body, key_of, h)
            need(plain == unhex(j["plaintext"]), "plaintext")
            tell(h, {"act": read("Request", plain)["act"]})
        if h["kind"] == 24:
            claim = next(i for i, g, b in found if g["kind"] == 23)
            heads = []
            for e in body["receipts"]:
                g, r = checked(e, keys)
                need(g["author"] in t["witnesses"]["identities"] and g["kind"] == 21, "a witness")
                need(r["subject"] == claim and r["log"] == arbiters, "of the claim")
                heads.append((r["highest"], r["highest_step"]))
            need(len(heads) >= t["witnesses"]["threshold"], "M receipts")
            need(max(heads) == (body["sequence"], body["step"]), "the highest step")


def settled(j):
    key, keys, logs = unhex(j["contract_key"]), {}, {}
    for row in j["entries"]: h, body = entries([row], keys, logs)
    need(h["kind"] == 27 and h["sequence"] == 1, "settlement")
    contract = sha("talea.contract.v1", key)
    need(h["log"] == sha("talea.log.contract.v1", contract, h["author"], b"\0\0\0\1"), "log")
    plain = opened(body, mac(key, "talea.bodykey.v1", h["log"], u64(1)), h)
    need(plain == unhex(j["plaintext"]), "plaintext")
    s = read("Settlement", plain)
    asked = header(s["request"]["header"])
    need(asked["kind"] == 42 and "basis" in asked and "versions" not in asked, "request")
    checked(s["request"], keys)
    for e in s["consents"]:
        g, a = checked(e, keys)
        need(g["kind"] == 41 and g["about"] == asked["about"], "consent")
        need(a["statement"] == sha(s["request"]["header"], s["request"]["signature"]), "consent to")
    act = read("Request", s["request"]["body"])["act"]
    need(act["transition"] == "settle" and act["record"] == 1, "act")
    tell(h, {"act": act})


def allied(j):
    """Who is in an alliance: its rules, an invitation shown and spent, admissions, an expulsion."""
    data, keys, logs, acts = unhex(j["invitation"]), {}, {}, []
    code = read("Invitation", data)
    rules, ticket = read("Founding", code["founding"]), code["ticket"]
    topic, limits = sha("talea.topic.alliance.v1", sha(code["founding"])), {}
    for limit in rules["limits"]:
        limits[limit["name"]] = limit["value"]["integer"]
        need(limit["name"] in ("entries_per_day", "expelled_by", "open_offers"), "limit")
    need(limits["entries_per_day"] == 20 and rules["nonce"] == bytes([0x1f]) * 32, "limits")
    need(rules["admission"] in ("anyone", "invitation", "steward"), "admission")
    spent, shown_by = public(ticket["secret"]), []
    for row in j["entries"]:
        h, body = entries([row], keys, logs)
        if h["kind"] == 1: continue
        need(h["topic"] == topic, "topic")
        if h["kind"] == 48:
            need(body["invitation"] == ticket["terms"], "terms of the invitation")
            need([e["header"] for e in body["keys"]] == [unhex(r["header"]) for r in j["entries"]
                 if header(unhex(r["header"]))["kind"] == 1
                 and header(unhex(r["header"]))["author"] == h["author"]], "keys")
            need(h["time"] <= ticket["terms"]["expires"], "in time")
            need(len(body["proof"]) == 64, "proof")
            message = b"talea.joining.v1" + topic + h["author"]
            sodium.crypto_sign_open(body["proof"] + message, spent)
            shown_by.append(h["author"])
            continue
        need(h["log"] == sha("talea.log.public.v1", h["author"], topic), "public log")
        if h["kind"] == 30: need(unhex(row["body"]) == code["founding"], "founding")
        else: acts.append((h["author"], h["sequence"], h["kind"], body))
    stewards, cuts, members = set(rules["stewards"]), {}, set(rules["stewards"])
    for who in {b["member"] for _, _, k, b in acts if k == 32} - stewards:
        says = {}
        for a, _, k, b in acts:
            if k == 32 and b["member"] == who and a in stewards:
                need(b["log"] == sha("talea.log.public.v1", who, topic), "expelled log")
                says[a] = min(says.get(a, 2**53), b.get("sequence", 0))
        n = limits.get("expelled_by", 1)
        if len(says) >= n: cuts[who] = sorted(says.values())[n - 1]
    while True:
        more = {b["member"] for a, q, k, b in acts if k == 31 and a in members
                and (a in stewards or rules["admission"] == "invitation" and q <= cuts.get(a, q))}
        if more <= members: break
        members |= more
    used = [(a, b["member"]) for a, _, k, b in acts if b.get("invitation") == spent]
    need(used == [(ticket["inviter"], shown_by[0])], "one admission for one invitation")
    for row in j["standings"]:
        need(set(row) == {"did", "standing"}, "standing members")
        who = {did(m): m for m in members}.get(row["did"])
        found = ("outsider" if who is None and rules["admission"] != "anyone"
                 else "steward" if who in stewards
                 else f"expelled {cuts[who]}" if who in cuts else "member")
        need(found == row["standing"], "standing")
        # A did that nobody can have is no outsider.
        need(row["did"] in [did(a) for a, _, _, _ in acts] + [did(b["member"]) for *_, b in acts],
             "somebody named")
        print(f"  {row['did']} {found}")


def un45(text):
    out = b""
    for i in range(0, len(text), 3):
        group = text[i:i + 3]
        value, size = sum(B45.index(c) * 45**n for n, c in enumerate(group)), len(group) - 1
        need(size and value < 256**size, "base45")
        out += value.to_bytes(size, "big")
    return out


def shown_alone(text):
    """One signed thing for a reader who has nothing else: the text in a QR code."""
    need(text.startswith("TALEA1:"), "TALEA1:")
    p, keys, logs = read("Proof", un45(text[7:])), {}, {}
    rows = [{n: e[n].hex() for n in ("header", "signature", "body")}
            | {"id": sha(e["header"], e["signature"]).hex()} for e in p.get("keys", [])]
    for row in rows:
        need(header(unhex(row["header"]))["kind"] == 1, "a key entry")
        entries([row], keys, logs)
    e, opening, h = p["entry"], p.get("opening"), header(p["entry"]["header"])
    need(p.get("sequencer") != h["author"], "told twice")
    about = sha("talea.log.contract.v1", p["contract"], p.get("sequencer", h["author"]), bytes(4))
    act, request, parts, used = None, e, [e], set()
    if h["kind"] != 42:
        need(h["kind"] in (20, 27) and opening and "body" not in e, "a step, opened")
        need(h["log"] in [sha("talea.log.contract.v1", p["contract"], h["author"], bytes(3), bytes([n]))
                          for n in (0, 1)], "the contract's log")
        plain, key = opening["plain"], opening["body_key"]
        data = h["author"] + h["log"] + u64(h["sequence"]) + h.get("previous", bytes(32))
        size = 256
        while size <= len(plain): size *= 2
        padded = plain + b"\x80" + bytes(size - len(plain) - 1)
        sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, data, opening["nonce"], key)
        body = opening["nonce"] + sha("talea.body.v1", key) + sealed
        need(len(body) == h["body_size"] and sha(body) == h["body_hash"], "body")
        inside = read("Step" if h["kind"] == 20 else "Settlement", plain)
        request, act = inside.get("request"), inside.get("act")
        need((act is None) != (request is None), "act or request")
        parts += [inside[n] for n in ("request", "proposal") if n in inside]
        parts += [x for n in ("consents", "lines", "receipts") for x in inside.get(n, [])]
    else: need(opening is None, "no step")
    if request:
        r = header(request["header"])
        need(r["kind"] == 42 and r.get("about") == about and r.get("topic") == h["topic"], "request")
        body = request["body"]
        act = read("Request", opened(body, p["request_key"], r) if "request_key" in p else body)["act"]
    else: need(not {"sequencer", "request_key"} & set(p), "no request")
    for part in parts:
        g = header(part["header"])
        if "body" in part:
            need(len(part["body"]) == g["body_size"] and sha(part["body"]) == g["body_hash"], "body inside")
        known = g["author"] in [author for author, _ in keys.values()]
        author, key = keys[g["key"]] if known else (g["author"], g["author"])
        need(author == g["author"], "another's key")
        signed(part["header"], part["signature"], key)
        used.add(g["key"])
    for log in logs.values():
        need(log[1]["sequence"] > 1 and log[0] in used, "a key log that nothing needs")
    tell(h, {"act": act})


def unique(pairs):
    need(len(dict(pairs)) == len(pairs), "member twice")
    return dict(pairs)


def check(path):
    text = open(path, "rb").read().decode()
    if text.startswith("TALEA1:"): return shown_alone(text.rstrip("\r\n"))
    j = json.loads(text, object_pairs_hook=unique)
    if set(j) == {"proofs"}: return [shown_alone(one) for one in j["proofs"]]
    if "envelope" in j: return proof(j)
    if set(j) == {"derivations"}: return [derivation(row) for row in j["derivations"]]
    if set(j) == {"did", "recovery"}: return identity(j["did"], j["recovery"])
    if set(j) == {"entries", "proof", "fork"}: return fork(j)
    if set(j) == {"entries", "terms", "contract_key", "plaintext"}: return witnessed(j)
    if set(j) == {"entries", "contract_key", "plaintext"}: return settled(j)
    if set(j) == {"entries", "invitation", "standings"}: return allied(j)
    private = {"contract_key", "body_key", "plaintext"}
    need(set(j) in ({"entries"}, {"entries"} | private), "file members")
    h, body = entries(j["entries"], {}, {})
    if private <= set(j):
        key = mac(unhex(j["contract_key"]), "talea.bodykey.v1", h["log"], u64(h["sequence"]))
        need(key == unhex(j["body_key"]), "body key")
        need(opened(body, key, h) == unhex(j["plaintext"]), "plaintext")
        tell(h, read("Step", unhex(j["plaintext"])))


if __name__ == "__main__":
    bad, files = 0, sys.argv[1:]
    for path in files[1:] if files[:1] == ["proof"] else files:
        try:
            check(path)
            print("ok", path)
        except Exception as error:  # whatever goes wrong, the file is not proven
            bad += 1
            print("refused", path, f"{type(error).__name__}: {error}")
    sys.exit(1 if bad or not files else 0)
