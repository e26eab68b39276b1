#!/usr/bin/env python3
"""verify.html in a real browser, opened as a file and with no network: it accepts the golden proofs and says who signed
what, and says plainly what is wrong with damaged ones and with one of another author.
  scripts/proof_page_test.py"""

import base64, hashlib, json, os, shutil, sys, tempfile, time
import urllib.parse

import axe_playwright_python
import nacl.bindings as sodium
from selenium.webdriver.common.by import By

from pages import browser

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{ROOT}/Tests/Vectors")
import verify
from schema import SPEC

AXE = open(f"{os.path.dirname(axe_playwright_python.__file__)}/axe.min.js", encoding="utf-8").read()
PAGE = f"{ROOT}/Sources/Dashboard/Page/verify.html"
PROOFS = json.load(open(f"{ROOT}/Tests/Vectors/proofs.json"))["proofs"]


def hold(holds, what):
    if not holds:
        raise SystemExit(f"A rule was broken: {what}")


# -- proofs written anew, field by field -------------------------------------------------------------------

def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def write(name, values):
    """The message again; what is given as bytes goes in as it is."""
    out = b""
    for number, (label, kind) in sorted(SPEC[name].items()):
        base, found = kind.rstrip("!*"), values.get(label)
        for value in found if "*" in kind and found else [] if found is None else [found]:
            if base == "n":
                out += varint(number << 3) + varint(value)
                continue
            if base == "s":
                out += varint(number << 3) + varint(value << 1 if value >= 0 else -2 * value - 1)
                continue
            data = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else write(base, value)
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def text(data):
    out = ""
    for at in range(0, len(data), 2):
        group = data[at:at + 2]
        value = int.from_bytes(group, "big")
        for _ in range(len(group) + 1):
            value, digit = divmod(value, 45)
            out += verify.B45[digit]
    return "TALEA1:" + out


def changed(proof, change):
    fields = verify.read("Proof", verify.un45(proof[7:]))
    change(fields)
    return text(write("Proof", fields))


def flipped(data, bit):
    data = bytearray(data)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def signed_anew(fields, seed, author=None):
    """The request's header under another key; where `author` is set, it also says so."""
    key, secret = sodium.crypto_sign_seed_keypair(seed)
    head = verify.read("Header", fields["entry"]["header"])
    if author:
        head["author"] = key
    head = write("Header", head)
    message = b"DSSEv1 30 application/vnd.talea.entry.v1 %d " % len(head) + head
    fields["entry"] |= {"header": head, "signature": sodium.crypto_sign(message, secret)[:64]}


def damaged():
    own, admitting, request, later, sealed, ended = PROOFS

    def opening(**values):
        return lambda f: f["opening"].update(values)

    def entry(label, bit):
        return lambda f: f["entry"].update({label: flipped(f["entry"][label], bit)})
    plain = verify.read("Proof", verify.un45(admitting[7:]))["opening"]["plain"]
    yield "another contract", changed(own, lambda f: f.update(contract=bytes(32)))
    yield "a bit of the signature", changed(own, entry("signature", 3))
    yield "a bit of the time in the header", changed(own, entry("header", 8 * 110))
    yield "another body key", changed(own, opening(body_key=bytes(32)))
    yield "another nonce", changed(own, opening(nonce=bytes(24)))
    yield "a word inside", changed(admitting, opening(plain=plain.replace(b"making", b"makinh")))
    yield "a request's signature", changed(request, entry("signature", 9))
    yield "a request's body", changed(request, entry("body", 77))
    yield "another writer", changed(request, lambda f: f.update(sequencer=bytes(31) + b"\1"))
    yield "another key of a sealed request", changed(sealed, lambda f: f.update(request_key=bytes(32)))
    yield "a sealed request left closed", changed(sealed, lambda f: f.pop("request_key"))
    yield "a settlement of another sequencer", changed(ended, lambda f: f.pop("sequencer"))
    yield "no key log", changed(later, lambda f: f.pop("keys"))
    yield "half a key log", changed(later, lambda f: f["keys"].pop())
    yield "a key log that nothing needs", changed(own, lambda f: f.update(
        keys=verify.read("Proof", verify.un45(later[7:]))["keys"]))
    yield "S above the order", changed(request, lambda f: f["entry"].update(signature=f["entry"]["signature"][:32] + (
        int.from_bytes(f["entry"]["signature"][32:], "little") + 2**252
        + 27742317777372353535851937790883648493).to_bytes(32, "little")))
    yield "a field spelled out twice", text(verify.un45(own[7:]) + b"\x22\x20" + bytes(64))
    yield "its last letter", own[:-1]
    yield "small letters", own.lower()
    yield "an unknown kind of text", "HELLO"
    yield "the wrong author", changed(request, lambda f: signed_anew(f, b"m" * 32))


def main():
    with tempfile.TemporaryDirectory(prefix="talea-proof-") as folder, browser(language="en") as driver:
        page = f"{folder}/verify.html"
        shutil.copy(PAGE, page)
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.emulateNetworkConditions",
                               {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0})

        def checked(address, given=None):
            driver.get("about:blank")
            driver.get(address)
            if given is not None:
                driver.execute_script("document.getElementById('text').value = arguments[0]", given)
                driver.find_element(By.ID, "check").click()
            end = time.monotonic() + 10
            while time.monotonic() < end:
                state = driver.execute_script("return document.documentElement.dataset.checked")
                if state in ("valid", "invalid"):
                    return state, driver.find_element(By.ID, "found").text
                time.sleep(0.02)
            raise SystemExit(f"no verdict on {str(given)[:40]}")

        for proof in PROOFS:
            for state, said in [checked(f"file://{page}", proof),
                                checked(f"file://{page}#" + urllib.parse.quote(proof, safe="$*+-./:"))]:
                hold(state == "valid" and "Every check holds" in said, f"a golden proof is refused: {said}")
                hold("did:key:z6Mk" in said and "202" in said and "Not shown by it" in said, f"who, when, limits: {said}")
        hold(checked(f"file://{page}", PROOFS[0][:40] + "\n" + PROOFS[0][40:] + "\r\n ")[0] == "valid", "broken lines")
        hold("its sequencer" in checked(f"file://{page}", PROOFS[5])[1], "a writer in the sequencer's place is told apart")
        hold("a milestone was reached" in checked(f"file://{page}", PROOFS[1])[1], "the move in plain words")
        count = 0
        for name, proof in damaged():
            state, said = checked(f"file://{page}", proof)
            hold(state == "invalid" and "NOT VALID" in said and "Every check" not in said, f"{name}: {said}")
            colour = driver.find_element(By.CSS_SELECTOR, ".verdict").value_of_css_property("color")
            hold(colour.startswith(("rgba(179, 21, 28", "rgba(255, 138, 134")), f"{name} is not said in red: {colour}")
            count += 1
        # Whoever signs in an own name is shown in that name, and in no other.
        state, said = checked(f"file://{page}", changed(PROOFS[2], lambda f: signed_anew(f, b"m" * 32, author=True)))
        mallory = verify.did(sodium.crypto_sign_seed_keypair(b"m" * 32)[0])
        hold(state == "valid" and mallory in said, f"a stranger's request is the stranger's: {said}")
        driver.execute_script(AXE)
        found = driver.execute_async_script(
            "const done = arguments[0]; axe.run({runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa']})"
            ".then(r => done(r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))))")
        hold(not found, f"for everybody: {found}")
        driver.find_element(By.ID, "tongue").click()
        time.sleep(0.5)
        hold("各项检查通过" in driver.find_element(By.ID, "found").text, "in Chinese too")

        # A page for customers: a photo that was signed, and one that was not.
        photo, other = b"\xff\xd8\xff a photograph", b"\xff\xd8\xff another"
        act = {"transition": "milestone", "record": 1, "arguments": [
            {"name": "evidence", "value": {"hash": hashlib.sha256(photo).digest()}}]}

        def with_photo(fields):
            body = write("Request", {"salt": b"s" * 32, "act": act})
            head = verify.read("Header", fields["entry"]["header"]) | {
                "body_hash": hashlib.sha256(body).digest(), "body_size": len(body)}
            fields["entry"] |= {"header": write("Header", head), "body": body}
            signed_anew(fields, b"m" * 32, author=True)
        proof = changed(PROOFS[2], with_photo)
        for shown, wanted in [(photo, "valid"), (other, "invalid")]:
            given = {"title": "How it was made </script>", "steps": [{"proof": proof, "photos": [
                {"type": "image/jpeg", "data": base64.b64encode(shown).decode()}]}]}
            data = json.dumps(given).replace("<", "\\u003c")
            html = open(PAGE, encoding="utf-8").read().replace('id="given">null<', f'id="given">{data}<')
            with open(f"{folder}/steps.html", "w", encoding="utf-8") as file:
                file.write(html)
            state, said = checked(f"file://{folder}/steps.html")
            hold(state == wanted, f"a photo: {said}")
            hold("NOT VALID: this is not the photo" in said if wanted == "invalid" else "that was signed" in said, said)
        # Words that somebody signed stand in their own place, and turn nothing; sums have the digits that were signed.
        act = {"transition": "pay_state", "record": 1, "arguments": [
            {"name": "amount", "value": {"money": {"minor": 700, "currency": "RWF"}}},
            {"name": "other", "value": {"money": {"minor": 2**53 - 1, "currency": "CNY"}}},
            {"name": "reference", "value": {"text": "A, amount = \u00a59,000.00\u202e\n\u200b"}}]}
        state, said = checked(f"file://{page}", changed(PROOFS[2], with_photo))
        names, values = (driver.execute_script("return [...document.querySelectorAll('dd ' + arguments[0])].map(e => e.innerText)", tag)
                         for tag in ("dt", "dd"))
        hold(state == "valid" and names == ["amount", "other", "reference"], f"three fields and no more: {names} {said}")
        hold(values[0].endswith("700") and values[1].endswith("90,071,992,547,409.91"), f"sums as they were signed: {values}")
        hold(values[2].strip() == "A, amount = \u00a59,000.00", f"words as they are seen: {values[2]!r}")
        asked = driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        hold(not [name for name in asked if not name.startswith("data:")], f"the page asked for {asked}")
        complaints = [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]
        hold(not complaints, f"the browser complains: {complaints}")
        print(f"{len(PROOFS)} proofs accepted twice, {count} damaged ones refused in words, photos told apart.")


if __name__ == "__main__":
    main()
