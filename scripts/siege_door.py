"""The local HTTP door under attack: who may have a command done, and what never changes the node."""

import contextlib, hashlib, itertools, json, re, socket, sqlite3, time

from journal_story import hold

# Requests that are left half said at a time.
HELD = 300
TABLES = ("petname", "peer", "alliance", "entry", "statement", "contractKey", "outbox", "standing")


def exchange(port, data, seconds=60):
    """All that comes back until the door ends the connection; what was sent after that is lost."""
    with socket.create_connection(("127.0.0.1", port), seconds) as wire:
        with contextlib.suppress(OSError):
            wire.sendall(data)
        parts = []
        with contextlib.suppress(OSError):
            while part := wire.recv(1 << 16):
                parts.append(part)
        return b"".join(parts).decode("latin-1")


def status(answer):
    return int(answer.split(" ", 2)[1]) if answer.startswith("HTTP/1.1 ") else 0


def request(path, fields, body="", method="POST"):
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields if value is not None)]
    return "\r\n".join([*lines, "Connection: close", f"Content-Length: {len(body)}", "", body]).encode()


def digest(node):
    """Of everything that a command could have changed."""
    total = hashlib.sha256()
    with contextlib.closing(sqlite3.connect(f"file:{node.home}/ledger.sqlite?mode=ro", uri=True)) as db:
        for table in TABLES:
            total.update(repr(db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()).encode())
    return total.hexdigest()


class Browser:
    """A session, from a link that opens once."""

    def __init__(self, node, is_reader=False):
        key = json.load(open(f"{node.home}/api.json"))
        self.port, self.token = key["port"], key["token"]
        made = exchange(self.port, request("/v1/link", [
            ("Host", f"127.0.0.1:{self.port}"), ("Authorization", f"Bearer {self.token}"),
            ("Content-Type", "application/json")], json.dumps({"reader": is_reader})))
        path = json.loads(made.split("\r\n\r\n", 1)[1])["ok"]["path"]
        opened = exchange(self.port, self.get(path))
        self.cookie = re.search(r"(?i)set-cookie: ([^;]+)", opened).group(1)
        self.form_token = re.search(r'name="form-token" content="([^"]*)"', self.page()).group(1)

    def get(self, path, cookie=None):
        return request(path, [("Host", f"127.0.0.1:{self.port}"), ("Cookie", cookie)], method="GET")

    def page(self):
        """The owner's first page."""
        answer = exchange(self.port, self.get("/", self.cookie))
        hold(status(answer) == 200, f"the owner's page answers {answer[:60]!r}")
        return answer


def combinations(port, owner, reader, token, reader_token):
    """path × Host × Origin × content type × token × session, each with a word of its own."""
    here = f"127.0.0.1:{port}"
    return itertools.product(
        ["/v1/command", "/api/v1/name", "/act"],
        {"ours": here, "foreign": f"evil.example:{port}", "no port": "127.0.0.1", "none": None}.items(),
        {"none": None, "own": f"http://{here}", "foreign": "https://evil.example", "null": "null"}.items(),
        {"json": "application/json", "form": "application/x-www-form-urlencoded", "text": "text/plain"}.items(),
        {"none": None, "right": f"Bearer {token}", "wrong": f"Bearer {'0' * len(token)}",
         "reader": f"Bearer {reader_token}"}.items(),
        {"none": (None, "", None), "right": (owner.cookie, owner.form_token, None),
         "no form token": (owner.cookie, "", None), "forged": ("talea-%d=%s" % (port, "0" * 64), owner.form_token, None),
         "other site": (owner.cookie, owner.form_token, "cross-site"),
         "reader": (reader.cookie, reader.form_token, None)}.items())


def is_lawful(path, host, origin, kind, token, session):
    """PROTOCOL of the door (docs/THREATS.md, T18): our Host always. A program: the owner's token, no Origin, JSON.
    A page: a session of the owner with its form token, our own Origin and the type of the path; and no token."""
    if host != "ours":
        return False
    if token != "none":
        return token == "right" and origin == "none" and kind == "json" and path != "/act"
    return session == "right" and origin == "own" and kind == ("form" if path == "/act" else "json") and path != "/v1/command"


def door(node, did, every):
    """Each `every`-th combination, and all lawful ones; how many were tried and how many of them were done."""
    owner, reader = Browser(node), Browser(node, is_reader=True)
    reader_token = json.load(open(f"{node.home}/reader.json"))["token"]
    before, tried, done = digest(node), 0, 0
    for index, (path, *rest) in enumerate(combinations(owner.port, owner, reader, owner.token, reader_token)):
        words, values = zip(*rest)
        may = is_lawful(path, *words)
        if index % every and not may:
            continue
        (host, origin, kind, token, (cookie, form_token, site)), name = values, f"n{index}"
        body = {"/v1/command": json.dumps({"verb": "name", "options": {"did": [did], "name": [name]}}),
                "/api/v1/name": json.dumps({"did": did, "name": name}),
                "/act": f"form-token={form_token}&verb=name&o.did={did.replace(':', '%3A')}&o.name={name}&sign=yes&key={name}&back=%2F"}[path]
        answer = exchange(owner.port, request(path, [
            ("Host", host), ("Origin", origin), ("Content-Type", kind), ("Authorization", token), ("Cookie", cookie),
            ("X-Form-Token", form_token or None), ("Sec-Fetch-Site", site)], body))
        after, tried, what = digest(node), tried + 1, f"{path} {words}: {answer[:60]!r}"
        hold((after != before) == may, f"the node {'was' if after != before else 'was not'} changed by {what}")
        hold(may or not 200 <= status(answer) < 300, f"a refusal that sounds like a yes: {what}")
        before, done = after, done + may
    return {"combinations": tried, "done": done}


def smuggling(node, did):
    """Requests that two readers could understand differently, or that never end: none does anything."""
    owner = Browser(node)
    before, port = digest(node), owner.port
    body = json.dumps({"verb": "name", "options": {"did": [did], "name": ["smuggled"]}})
    start = (f"POST /v1/command HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {owner.token}\r\n"
             "Content-Type: application/json\r\nConnection: close\r\n")
    chunked = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
    whole = f"{start}Content-Length: {len(body)}\r\n\r\n{body}"
    rows = {
        "two lengths": f"{start}Content-Length: {len(body)}\r\nContent-Length: 0\r\n\r\n{body}",
        "length and chunks": f"{start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}",
        "chunks and length": f"{start}Transfer-Encoding: chunked\r\nContent-Length: {len(chunked)}\r\n\r\n{chunked}",
        "chunked twice": f"{start}Transfer-Encoding: chunked, identity\r\n\r\n{chunked}",
        "a bare line feed": whole.replace("Content-Length", "X: y\nContent-Length", 1).replace("Host: 127", "Host: evil", 1),
        "a folded Host": whole.replace("Host: ", "Host:\r\n evil", 1),
        "a blank before the colon": whole.replace("Host:", "Host :", 1),
        "a negative length": f"{start}Content-Length: -1\r\n\r\n{body}",
        "an absolute target": whole.replace("POST /v1", "POST http://evil.example/v1", 1).replace("Host: 127", "Host: evil", 1),
        "a header of 1 MiB": f"{start}X: {'a' * (1 << 20)}\r\nContent-Length: {len(body)}\r\n\r\n{body}",
        "10,000 headers": start + "".join(f"X-{n}: y\r\n" for n in range(10_000)) + f"Content-Length: {len(body)}\r\n\r\n{body}",
    }
    for what, text in rows.items():
        # The half behind it is no request by itself: what is left over must not become one.
        answer = exchange(port, text.encode(), 5)
        hold(digest(node) == before, f"{what} had a command done: {answer[:60]!r}")
        hold(answer.count("HTTP/1.1 ") <= 1, f"{what} was read as two requests")
    return {"odd requests": len(rows), "sent of an endless body, MiB": endless(port, start, node, before)}


def endless(port, start, node, before):
    """A body that never ends is refused long before; what comes after that is thrown away, as the caps on memory show."""
    sent, answer = 0, b""
    with socket.create_connection(("127.0.0.1", port), 60) as wire:
        wire.sendall(f"{start.replace('Connection: close', 'X: y')}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(16):
                wire.sendall(piece)
            answer = wire.recv(1 << 16)
            for _ in range(1024):
                wire.sendall(piece)
                sent += len(piece)
    hold(answer.startswith(b"HTTP/1.1 413"), f"an endless body is answered {answer[:60]!r}")
    hold(digest(node) == before, "an endless body had a command done")
    return round(sent / (1 << 20), 1)


def halves(node):
    """Requests that stay half said, held open while the owner looks at a page."""
    owner = Browser(node)
    held = []
    try:
        for index in range(HELD):
            wire = socket.create_connection(("127.0.0.1", owner.port), 60)
            wire.sendall(b"" if index % 3 == 0 else b"GET / HTTP/1.1\r\nHost: " if index % 3 == 1 else
                         b"POST /act HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf")
            held.append(wire)
        began = time.monotonic()
        owner.page()
        return {"held half": len(held), "page, ms": round(1000 * (time.monotonic() - began))}
    finally:
        for wire in held:
            wire.close()
