#!/usr/bin/env python3
"""Attacks over real sockets on one real node, with two honest members beside it.

    siege.py --talea PATH [--only NAME …] [--seconds N] [--short] [--json FILE]

An honest member publishes, the attacked node passes it on, another honest member holds it: that is timed with and
without each attack. Judged is what must hold however busy the machine is: what is kept, who is cut off, that the
honest end their work, and caps on memory, descriptors and disk. Times are told and decide nothing."""

import argparse, asyncio, concurrent.futures, contextlib, json, logging, multiprocessing, os, resource, socket, sqlite3, ssl
import subprocess, sys, tempfile, threading, time, urllib.error, urllib.request

import siege_door
from journal_story import Broken, Studio, hold, until
from speaker import *

# Caps on the attacked node, whatever is done to it.
MEMORY_CAP = 512 << 20
DISK_CAP = 16 << 20
# The write-ahead log is written back and begun anew at 32 MiB, whoever made it grow.
LOG_CAP = 40 << 20
# 64 places for others, what stands between accept and refusal, and what the node has open by itself.
DESCRIPTOR_CAP = 64 + 128 + 64
PLACES = 64
# What ends in any case is waited for so long: many times its own deadline.
PATIENCE = 180
DAILY = 30


class House(Studio):
    """A home whose node is asked over HTTP."""

    def make(self, **joining):
        made = self("init", name=self.name, no_passphrase=True, **joining)
        self.did = made["did"]
        return made["invitation"]

    def start(self):
        log = open(f"{self.home}.log", "ab")
        self.process = subprocess.Popen(
            [self.talea, "--home", self.home, "run", "--listen", self.address or "127.0.0.1:0"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def do(self, verb, **options):
        key = json.load(open(f"{self.home}/api.json"))
        said = {name: [] if value is True else [str(value)] for name, value in options.items()}
        ask = urllib.request.Request(
            f"http://127.0.0.1:{key['port']}/v1/command",
            json.dumps({"verb": verb, "options": {name.replace("_", "-"): value for name, value in said.items()}}).encode(),
            {"Authorization": f"Bearer {key['token']}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(ask, timeout=PATIENCE) as answer:
                return json.load(answer)["ok"]
        except urllib.error.HTTPError as error:
            raise Broken(f"{self.name}: {verb}: {error.read().decode()}") from None

    def rows(self, query, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/ledger.sqlite?mode=ro", uri=True, timeout=60)) as db:
            return db.execute(query, values).fetchall()

    def count(self, *authors):
        """Entries that are held of them."""
        marks = ",".join("?" * len(authors))
        return self.rows(f"SELECT count(*) FROM entry WHERE author IN ({marks})", *authors)[0][0]

    def head(self, log):
        found = self.rows("SELECT sequence, id FROM entry WHERE log = ? ORDER BY sequence DESC LIMIT 1", log)
        return found[0] if found else (0, None)

    @property
    def key(self):
        """The identity's 32 bytes."""
        return self.rows("SELECT did FROM node")[0][0]

    @property
    def memory(self):
        fields = dict(line.split(":", 1) for line in open(f"/proc/{self.process.pid}/status"))
        return int(fields["VmRSS"].split()[0]) << 10

    @property
    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def disk(self):
        """What is kept: every file, the database as large as it is once its write-ahead log is written back."""
        sizes = {file.name: file.stat().st_size for file in os.scandir(self.home) if file.is_file()}
        hold(sizes.pop("ledger.sqlite-wal", 0) < LOG_CAP, "the write-ahead log is not written back")
        del sizes["ledger.sqlite"]
        return sum(sizes.values()) + self.rows("PRAGMA page_count")[0][0] * self.rows("PRAGMA page_size")[0][0]


class Watch(threading.Thread):
    """The most that the attacked node had at any time."""

    def __init__(self, house):
        super().__init__(daemon=True)
        self.house, self.ended, self.memory, self.descriptors = house, threading.Event(), 0, 0

    def run(self):
        while not self.ended.wait(0.1):
            with contextlib.suppress(OSError):
                self.memory = max(self.memory, self.house.memory)
                self.descriptors = max(self.descriptors, self.house.descriptors)


def publish(honest, days, alliance):
    for day in days:
        honest.do("line declare", resource=f"print/{alliance}", start=f"+{day + 1}d", end=f"+{day + 2}d", total=100,
                  alliance=alliance)


def timed(folder, talea, days):
    """In a process of its own, where no attacker's bytecode is waited for."""
    honest, other = (House(name, folder, talea) for name in ("honest", "other"))
    key, began = honest.key, time.monotonic()
    publish(honest, days, "guild")
    until(lambda: other.count(key) == honest.count(key), "what an honest member publishes reaches the other", PATIENCE)
    return time.monotonic() - began


class Siege:
    """The attacked mill, its honest neighbours, and what attackers know of them."""

    def __init__(self, folder, talea, seconds, short):
        self.folder, self.seconds, self.short = folder, seconds, short
        self.mill, self.honest, self.other = (House(name, folder, talea) for name in ("mill", "honest", "other"))
        self.people, self.days = (self.mill, self.honest, self.other), 0
        self.clock = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork"))

    def build(self):
        """Four alliances: `home` is nobody's business; of the others the attackers know the topic. Into `guild` and
        `ration` a steward lets in, `crowd` is open to all; `ration` and `crowd` bound what one says in a day."""
        invitation = self.mill.make(alliance="home")
        for house in self.people[1:]:
            house.make(invitation=invitation)
        for house in self.people:
            house.start()
        for house in self.people:
            house.ready()
        for house in self.people[1:]:
            self.mill.do("peer add", address=house.address, did=house.did)
        self.topics = {}
        for name, rules in {"guild": {"admission": "steward"}, "crowd": {"entries_per_day": DAILY},
                            "ration": {"admission": "steward", "entries_per_day": DAILY}}.items():
            self.mill.do("alliance found", name=name, **rules)
            for house in self.people[1:]:
                code = self.mill.do("alliance invite", alliance=name)["code"]
                house.do("alliance join", code=code)
                self.topics[name] = topic_of(code)
        for house in self.people[1:]:
            until(lambda: len([one for one in house.do("alliance list")["alliances"] if one["standing"] != "outsider"]) == 4,
                  f"{house.name} is let in", PATIENCE)
        # The first word in an alliance waits until those were asked who might have heard one before.
        until(lambda: all(house.count(one.key) >= 4 for house in self.people for one in self.people),
              "all know all", PATIENCE)

    def next(self, count):
        self.days += count
        return range(self.days - count, self.days)

    def publish(self, count, alliance="guild"):
        publish(self.honest, self.next(count), alliance)

    def sync(self, count):
        """Seconds until the other honest member holds what the first one publishes now."""
        return self.clock.submit(timed, self.folder, self.honest.talea, self.next(count)).result()

    def strange(self):
        """Rows of anybody who is none of ours: entries, statements, snapshots, letters."""
        known = [house.key for house in self.people]
        marks = ",".join("?" * len(known))
        entries = self.mill.rows(f"SELECT count(*) FROM entry WHERE author NOT IN ({marks})", *known)[0][0]
        return entries + sum(self.mill.rows(f"SELECT count(*) FROM {table}")[0][0]
                             for table in ("statement", "keepsake", "letter", "chunk", "fork", "forkProof"))

    async def place(self, begin):
        """`begin()`; again while every place is taken."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return await begin()
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
                hold(time.monotonic() < end, "a newcomer waits for a place in vain")
                await asyncio.sleep(0.2)

    async def dial(self, person=None, **options):
        person = person or Person()
        context = person.context(**options)
        return await self.place(lambda: Line.dial(self.mill.address, person, context))

    async def enter(self, person=None, *topics):
        """A guest's connection: both have greeted and named their topics."""
        person = person or Person()
        context = person.context()

        async def begin():
            line = await (await Line.dial(self.mill.address, person, context)).greet()
            line.shared = await line.share(*topics)
            return line
        return await self.place(begin)


ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__.replace("_", "-")] = function
    return function


async def many(count, work, at_once=64):
    """`work(0)` … `work(count - 1)`, so many at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(index):
        async with gate:
            return await work(index)
    return await asyncio.gather(*(one(index) for index in range(count)))


def greeting():
    """The first bytes of an honest TLS greeting."""
    wire = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        Person().context(bare=True).wrap_bio(ssl.MemoryBIO(), wire).do_handshake()
    return wire.read()


# --- attacks on the connection ------------------------------------------------------------------------------------


@attack
async def slow(siege):
    """500 connections that say a byte a second, most of the greeting, 24 of a frame: each is hung up on."""
    data, end = greeting(), time.monotonic() + siege.seconds
    host, port = siege.mill.address.rsplit(":", 1)
    ended = 0

    async def drip(reader, writer, data):
        async def speak():
            for byte in data:
                writer.write(bytes([byte]))
                await asyncio.sleep(1)
        speaking = asyncio.ensure_future(speak())
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                while await asyncio.wait_for(reader.read(1 << 16), PATIENCE):
                    pass
        finally:
            speaking.cancel()
            writer.transport.abort()

    async def greeter(index):
        nonlocal ended
        while True:
            with contextlib.suppress(OSError):
                await drip(*await asyncio.open_connection(host, int(port)), data)
                ended += 1
            if time.monotonic() > end:
                return
            await asyncio.sleep(1)

    async def framer(index):
        nonlocal ended
        line = await siege.enter()
        await drip(line.reader, line.writer, frame(PING, bytes(2_000)))
        ended += 1
    await asyncio.gather(*(greeter(index) for index in range(476)), *(framer(index) for index in range(24)))
    return {"hung up on": ended}


@attack
async def half_greetings(siege):
    """Half of a TLS greeting, then silence or the end."""
    data = greeting()
    host, port = siege.mill.address.rsplit(":", 1)

    async def one(index):
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(data[:len(data) // 2])
            if index % 2:
                await asyncio.wait_for(reader.read(), PATIENCE)
            writer.transport.abort()
    end, count = time.monotonic() + siege.seconds, 0
    while not count or time.monotonic() < end:
        await many(64, one)
        count += 64
    return {"half greetings": count}


@attack
async def handshakes(siege):
    """100 TLS handshakes offered each second, by ever new identities."""
    contexts = [Person().context() for _ in range(16 if siege.short else 256)]
    done, tasks = 0, []

    async def one(context):
        nonlocal done
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.TimeoutError):
            line = await asyncio.wait_for(Line.dial(siege.mill.address, Person(), context), PATIENCE)
            if await line.reader.read(1):
                done += 1
            line.close()
    offered, began = int(100 * siege.seconds), time.monotonic()
    for index in range(offered):
        await asyncio.sleep(began + index / 100 - time.monotonic())
        tasks.append(asyncio.ensure_future(one(contexts[index % len(contexts)])))
    await asyncio.gather(*tasks)
    return {"offered": offered, "done": done}


@attack
async def frames(siege):
    """Frames that are too large, empty, half, or in pieces: the last alone are taken."""
    async def first(data):
        line = await siege.dial()
        await line.raw(data)
        await line.ended(PATIENCE)

    async def later(data, stays):
        line = await siege.enter()
        for at in range(0, len(data), 1_000):
            await line.raw(data[at:at + 1_000])
        if stays:
            hold(await line.answers(), f"a lawful frame in pieces was refused ({len(data)} bytes)")
            line.close()
        else:
            await line.ended(PATIENCE)
    rounds, end = 0, time.monotonic() + siege.seconds
    while not rounds or time.monotonic() < end:
        rounds += 1
        await asyncio.gather(
            first((BEFORE_HELLO + 1).to_bytes(4, "big") + b"\x01"), first((2**32 - 1).to_bytes(4, "big") + b"\x01"),
            first(bytes(4)), first(frame(HEADS)), first(frame(99)),
            later((AFTER_HELLO + 1).to_bytes(4, "big") + b"\x63", False), later(bytes(4), False),
            later(frame(HELLO, bytes([1, VERSION]) + bytes(40)), False), later(frame(TOPICS, bytes(31)), False),
            later(frame(ENTRIES, b"\x01"), False), later(frame(RANGE, bytes(48)), False),
            later(frame(99, bytes(AFTER_HELLO - 1)), True))
        # Half a frame, and gone.
        line = await siege.enter()
        await line.raw(frame(HEADS, bytes(72))[:40])
        line.close()
        # A hello in single bytes.
        line = await siege.dial()
        for byte in frame(HELLO, line.hello()):
            await line.raw(bytes([byte]))
        await line.until(TOPICS)
        hold(await line.answers(), "a hello in single bytes was refused")
        line.close()
    return {"rounds": rounds}


@attack
async def deaf(siege):
    """Peers that ask for much and read nothing: hung up on when 2 MiB wait for them."""
    guild, count = siege.topics["guild"], 3 if siege.short else 48
    log = sha("talea.log.public.v1", siege.honest.key, guild)

    async def one(index):
        line = await siege.enter(None, guild)
        line.writer.transport.pause_reading()
        asked = frame(RANGE, log + (1).to_bytes(8, "big") + (256).to_bytes(8, "big")) * 64
        with contextlib.suppress(OSError, ssl.SSLError):
            while not line.writer.transport.is_closing():
                line.writer.write(asked)
                await asyncio.wait_for(line.writer.drain(), PATIENCE)
        line.close()
    await many(count, one)
    return {"deaf": count}


# --- attacks by what is said --------------------------------------------------------------------------------------


@attack
async def replay(siege):
    """What an honest member said to one peer, said again to the attacked node by others: nothing comes of it."""
    thief, heard, done = Person(), bytearray(), asyncio.Event()

    async def listen(reader, writer):
        line = Line(thief, reader, writer, dialed=False, peer=siege.honest.key)
        try:
            line.their_nonce = None
            kind, payload = await line.until(HELLO)
            heard.extend(frame(kind, payload))
            line.their_nonce = payload[1 + payload[0]:][:32]
            await line.send(HELLO, line.hello())
            # The thief has been told of two alliances: so it hears all that is in them.
            await line.send(TOPICS, b"".join(line.name(siege.topics[name]) for name in ("guild", "crowd")))
            logs = set()
            while True:
                kind, payload = await line.frame()
                heard.extend(frame(kind, payload))
                if kind == HEADS:
                    for at in range(0, len(payload), 72):
                        logs.add(payload[at:at + 32])
                        await line.send(RANGE, payload[at:at + 32] + (1).to_bytes(8, "big") + payload[at + 32:at + 40])
                if kind == ENTRIES and logs:
                    logs.pop()
                    if not logs:
                        done.set()
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.TimeoutError):
            pass
    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=thief.context(server=True))
    address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    await asyncio.to_thread(siege.honest.do, "peer add", address=address)
    await asyncio.wait_for(done.wait(), PATIENCE)
    await asyncio.to_thread(siege.honest.do, "peer remove", address=address)
    server.close()
    hello, rest = heard[:4 + int.from_bytes(heard[:4], "big")], None
    rest = bytes(heard[len(hello):])
    # The honest go on meanwhile: only what is none of theirs counts.
    kept, told, end, rounds = siege.strange(), 0, time.monotonic() + siege.seconds, 0
    while not rounds or time.monotonic() < end:
        rounds += 1
        line = await siege.dial()
        await line.raw(bytes(hello) + rest)
        told = max(told, await drained(line))
        # And after a greeting of one's own, by somebody who shares the topic.
        line = await siege.enter(None, siege.topics["guild"])
        with contextlib.suppress(OSError, ssl.SSLError):
            await line.raw(rest)
            await drained(line)
    hold(siege.strange() == kept, "something was kept of a recording")
    hold(told < 4_096, f"a recording was answered by {told} bytes")
    return {"recorded, KiB": len(heard) >> 10, "rounds": rounds, "answered, bytes": told}


async def drained(line):
    """What a connection still says until it ends or answers a ping; it is over then."""
    before = line.heard
    await line.answers()
    line.close()
    return line.heard - before


@attack
async def names(siege):
    """Ever new values of what a peer may name: topics, logs, authors, entries, files, letters."""
    total = 20_000 if siege.short else 1_000_000
    guild, sent = siege.topics["guild"], dict.fromkeys(("topics", "logs", "questions", "authors", "letters"), 0)
    lines, kept = [], siege.strange()

    def fresh(count):
        return [os.urandom(32) for _ in range(count)]

    async def pour(kind, payloads, *topics):
        line = await siege.enter(None, *topics)
        lines.append(line)
        ear = asyncio.ensure_future(listened(line))
        with contextlib.suppress(OSError, ssl.SSLError):
            for payload in payloads:
                await line.send(kind, payload)
        await asyncio.sleep(0)
        ear.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, ssl.SSLError, asyncio.IncompleteReadError):
            await ear

    async def listened(line):
        while await line.reader.read(1 << 16):
            pass

    async def topics(index):
        for _ in range(4):
            sent["topics"] += 8_000
        await pour(MORE_TOPICS, (b"".join(fresh(8_000)) for _ in range(4)))

    async def logs(index):
        each = total // (2 if siege.short else 32)
        sent["logs"] += each
        await pour(HEADS, (b"".join(head(log, 7, log) for log in fresh(min(2_000, each - at)))
                           for at in range(0, each, 2_000)), guild)

    async def questions(index):
        each = max(total // 40, 1)
        sent["questions"] += 4 * each
        await pour(PROVE, fresh(each), guild)
        await pour(FETCH, (name + bytes(4) for name in fresh(each)), guild)
        await pour(RANGE, (log + (1).to_bytes(8, "big") * 2 for log in fresh(each)), guild)
        await pour(ASK, (b"".join(fresh(2_000)) for _ in range(max(each // 2_000, 1))), guild)

    async def authors(index):
        each = max(total // 400, 20)
        sent["authors"] += each

        def said():
            for number in range(each):
                person = Person()
                yield person.key_entry
                yield person.profile(f"n{number}", guild, terms=str(number))
        await pour(PUSH, said(), guild)

    async def letters(index):
        each = max(total // 800, 20)
        sent["letters"] += each
        place = (now() + 86_400_000, os.urandom(32))
        key = sodium.crypto_sign_ed25519_pk_to_curve25519(siege.mill.key)

        def said():
            for _ in range(each):
                answer = Person().entry(43, message(f1=os.urandom(32), f2=os.urandom(32), f3="x" * 4_000), place)
                yield sodium.crypto_box_seal(message(f1=answer), key)
        await pour(PUT, said())
    # So many that the total comes together, all of them held open until the end.
    await many(max(total // 4 // 32_000, 1), topics)
    await many(1 if siege.short else 16, logs)
    await asyncio.gather(questions(0), authors(0), letters(0))
    standing = sum([await line.answers() for line in lines if not line.writer.transport.is_closing()])
    for line in lines:
        line.close()
    hold(siege.strange() == kept, f"{siege.strange() - kept} rows were kept of what nobody asked for")
    return {**sent, "still connected": standing}


@attack
async def sybils(siege):
    """Twenty identities for each honest one. In `guild` they are outside and nothing of them is kept; in `crowd` they are
    in, and of each is kept what the rules let it say in a day."""
    people = [Person() for _ in range(12 if siege.short else 60)]
    guild, crowd = siege.topics["guild"], siege.topics["crowd"]

    async def one(index):
        person = people[index]
        line = await siege.enter(person, guild, crowd)
        await line.send(PUSH, person.key_entry)
        for number in range(DAILY + 10):
            await line.send(PUSH, person.profile(f"s{index}", crowd, terms=str(number)))
            await line.send(PUSH, person.profile(f"s{index}", guild, terms=str(number)))
        stands = await line.answers()
        line.close()
        return stands
    before = siege.strange()
    standing = sum(await many(len(people), one, at_once=PLACES - 10))
    for person in people:
        kept = siege.mill.rows("SELECT log, count(*) FROM entry WHERE author = ? GROUP BY log", person.did)
        for log, count in kept:
            hold(log != person.public(guild), "the words of an outsider were kept")
            hold(count <= DAILY, f"{count} entries of one day were kept where {DAILY} are lawful")
    most = (DAILY + 1) * len(people)
    hold(siege.strange() - before <= most, f"{siege.strange() - before} rows were kept, {most} are lawful")
    return {"identities": len(people), "kept": siege.strange() - before, "still connected": standing}


@attack
async def bombs(siege):
    """Reconciliations that do not end: over after 32 messages at the latest."""
    guild = siege.topics["guild"]

    def bound(stamp, last):
        return varint_be(stamp - last + 1) + b"\x00"

    def ranges(first, count, step=1):
        """A message: skip below `first`, then so many fingerprints that are never right."""
        out, last = b"\x61" + bound(first, 0) + b"\x00", first
        for index in range(count):
            stamp = first + (index + 1) * step
            out += bound(stamp, last) + b"\x01" + os.urandom(16)
            last = stamp
        return out

    async def play(messages, flag=1, horizon=2**53):
        line = await siege.enter(None, guild)
        start, turns = line.heard, 0
        ear = asyncio.ensure_future(line.ended(PATIENCE))
        opening = bytes([flag]) + line.name(guild) + horizon.to_bytes(8, "big")
        try:
            for number, text in messages:
                await line.send(RECONCILE, number.to_bytes(4, "big") + (opening if not turns else b"\x00") + text)
                turns += 1
                await asyncio.sleep(0.02)
                if ear.done():
                    break
        except (OSError, ssl.SSLError):
            pass
        heard = await ear
        line.close()
        return turns, heard - start

    async def again(count):
        """Begun and left, over and over: lawful, and cheap."""
        line = await siege.enter(None, guild)
        ear = asyncio.ensure_future(line.ended(PATIENCE))
        for number in range(1, count):
            await line.send(RECONCILE, number.to_bytes(4, "big") + b"\x01" + line.name(guild) + bytes(8) + ranges(1, 100))
            await line.send(RECONCILE, number.to_bytes(4, "big") + b"\x00")
        line.close()
        ear.cancel()
        return count
    rows = {"the same again": [(1, ranges(1, 3_000))] * 2 + [(1, ranges(1, 3_000))] * 40,
            "for ever on": [(1, ranges(1 + index, 3_000)) for index in range(64)],
            "no message": [(1, b"\x61" + os.urandom(60))] * 2 + [(1, b"\x62")] * 40,
            "lists without end": [(1, b"\x61" + bound(2 + index, 0) + b"\x02" + varint_be(2_000) + os.urandom(64_000)) for index in range(64)],
            "begun twice": [(1, ranges(1, 3)), (1, b"\x00" * 40)] * 40}
    worst, rounds, end = {}, 0, time.monotonic() + siege.seconds
    while not rounds or time.monotonic() < end:
        rounds += 1
        for what, messages in rows.items():
            turns, heard = await play(messages)
            worst[what] = max(worst.get(what, 0), turns)
        count = await again(100 if siege.short else 1_000)
    return {"rounds": rounds, "begun and left": count * rounds, **worst}


def varint_be(number):
    """As negentropy writes it: groups of 7 bits, the high ones first."""
    out = [number & 127]
    while number := number >> 7:
        out.append(number & 127 | 128)
    return bytes(reversed(out))


@attack
async def forgeries(siege):
    """Entries in an honest author's name that others signed: the forger is cut off, and the author may still say all that
    the rules allow in a day."""
    ration, author = siege.topics["ration"], siege.honest.key
    log = sha("talea.log.public.v1", author, ration)
    sequence, previous = siege.honest.head(log)
    key = siege.honest.rows("SELECT id FROM entry WHERE author = ? AND kind = 1", author)[0][0]

    async def one(index):
        forger = Person()
        forger.key_id = key
        line = await siege.enter(forger, ration)
        with contextlib.suppress(OSError, ssl.SSLError):
            for number in range(1, 2 * DAILY):
                body = message(f1=f"forged {index} {number}")
                await line.send(PUSH, forger.entry(4, body, (log, sequence + 1, previous), ration, author))
        await line.ended(PATIENCE)
        line.close()
    rounds, end = 0, time.monotonic() + siege.seconds
    while not rounds or time.monotonic() < end:
        rounds += 1
        await many(10, one)
    left = DAILY - sequence
    await asyncio.to_thread(siege.publish, left, "ration")
    for house in siege.people:
        await asyncio.to_thread(until, lambda: house.head(log)[0] >= sequence + left,
                                f"{house.name} holds all that the honest author may say in a day", PATIENCE)
    return {"forgers cut off": 10 * rounds, "entries of the author after that": left}


@attack
async def disk(siege):
    """Strangers, and outsiders of an alliance, who would be kept: key logs without end, large entries, snapshots, letters."""
    guild, kept, size = siege.topics["guild"], siege.strange(), {"sent": 0}
    end = time.monotonic() + siege.seconds

    async def pour(person, payloads, *topics):
        line = await siege.enter(person, *topics)
        try:
            for kind, payload in payloads:
                await line.send(kind, payload)
                size["sent"] += len(payload)
            await line.answers()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        line.close()

    def key_log(person, count):
        """A key log that goes on and on, each entry by the key that the one before it committed to."""
        log, sequence, previous = sha("talea.log.key.v1", person.did), 0, None
        keys = [sodium.crypto_sign_seed_keypair(sha(person.secret, bytes([index & 255, index >> 8]))) for index in range(count)]
        keys.insert(0, (person.did, person.secret))
        writer = Person()
        for (public, secret), (following, _) in zip(keys, keys[1:]):
            writer.did, writer.secret, sequence = person.did, secret, sequence + 1
            entry = writer.entry(1, message(f1=public, f2=sha("talea.nextkey.v1", following), f3="x" * 8_000), (log, sequence, previous))
            previous = entry_id(entry)
            yield entry

    def large(person):
        yield PUSH, person.key_entry
        for _ in range(20):
            yield PUSH, person.profile("large", guild, terms="x" * 8_000)
    rounds = 0
    while not rounds or time.monotonic() < end:
        rounds += 1
        teller, snapshooter = Person(), Person()
        first = list(key_log(teller, 100))
        await asyncio.gather(
            pour(teller, ((KEYS, b"".join(s(entry) for entry in first[at:at + 20])) for at in range(0, 100, 20))),
            pour(None, large(Person()), guild),
            pour(None, [(PUSH, entry) for entry in first], guild),
            pour(None, [(ENTRIES, b"\x01" + s(entry)) for entry in first], guild),
            pour(None, [(BRANCH, s(entry)) for entry in first], guild),
            pour(snapshooter, [(KEEP, os.urandom(200_000))] * 10))
    hold(siege.strange() == kept, f"{siege.strange() - kept} rows were kept of strangers")
    return {"sent, MiB": size["sent"] >> 20, "rounds": rounds}


# --- impostors ----------------------------------------------------------------------------------------------------


def impostors(victim):
    """Contexts that must be refused, made for `Person`s who dial and who answer alike."""
    return {
        "another identity, not its signature": dict(claims=victim, shows=victim),
        "another identity's key, not its signature": dict(shows=victim),
        "expired": dict(days=(-30, -1)),
        "not valid yet": dict(days=(1, 30)),
        "valid too long": dict(days=(-1, 400)),
        "a chain of two": dict(chain=2),
        "no extension of ours": dict(oid=x509.ObjectIdentifier("1.3.6.1.4.1.53594.9.9")),
        "extension not critical": dict(critical=False),
        "TLS 1.2": dict(newest=ssl.TLSVersion.TLSv1_2),
    }


@attack
async def impersonation(siege):
    """Who does not prove an identity by TLS 1.3 hears not one byte of ours, dialing or dialed."""
    rows = impostors(siege.honest.key)

    async def dialing(what, options):
        heard = 0
        with contextlib.suppress(OSError, ssl.SSLError):
            line = await Line.dial(siege.mill.address, Person(), Person().context(**options))
            with contextlib.suppress(OSError, ssl.SSLError):
                await line.send(HELLO, line.hello())
            heard = await line.ended(PATIENCE)
            line.close()
        hold(heard == 0, f"{what}: {heard} bytes were said to an impostor")

    async def dialed(what, options):
        """The mill is sent to an impostor instead of the honest member."""
        heard, met = [], asyncio.Event()
        person = Person()
        context = person.context(server=True, **options)

        async def meet(reader, writer):
            with contextlib.suppress(OSError, ssl.SSLError):
                heard.append(len(await reader.read(1 << 16)))
            met.set()
        server = await asyncio.start_server(meet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        tried = asyncio.Event()

        async def raw(reader, writer):
            """TLS by hand, so that a failed handshake is seen too."""
            try:
                await writer.start_tls(context)
                heard.append(len(await asyncio.wait_for(reader.read(1 << 16), PATIENCE)))
            except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
                pass
            tried.set()
            writer.transport.abort()
        server = await asyncio.start_server(raw, "127.0.0.1", port)
        where = {"address": f"127.0.0.1:{port}", "did": siege.honest.did}
        await asyncio.to_thread(siege.mill.do, "peer add", **where)
        await asyncio.wait_for(tried.wait(), PATIENCE)
        await asyncio.to_thread(siege.mill.do, "peer remove", address=where["address"])
        server.close()
        hold(sum(heard) == 0, f"{what}: {sum(heard)} bytes were said to an impostor who was dialed")
    rounds, end = 0, time.monotonic() + siege.seconds
    while not rounds or time.monotonic() < end:
        rounds += 1
        # There is room, and who is nothing worse than a stranger gets in.
        (await siege.enter()).close()
        await asyncio.gather(*(dialing(what, options) for what, options in (rows | {"no certificate": dict(bare=True)}).items()))
        host, port = siege.mill.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\nHost: mill\r\n\r\n")
        answer = b""
        with contextlib.suppress(OSError):
            answer = await asyncio.wait_for(reader.read(1 << 16), PATIENCE)
        hold(not answer.startswith(b"HTTP"), "the peers' port answered plain HTTP")
        writer.transport.abort()
        await asyncio.gather(*(dialed(what, options) for what, options in (rows | {"another identity": {}}).items()))
    return {"rounds": rounds, "impostors": 2 * len(rows) + 3}


@attack
async def masks(siege):
    """Many come under an honest member's name, with keys that nobody knows: it stays connected, and finds its place again
    after a restart. Of the others nothing is heard, and they hear no more than a greeting."""
    def farewells():
        return [one for one in siege.honest.do("status")["farewells"] if one.get("did") == siege.mill.did]
    honest, lines, before = siege.honest.key, [], await asyncio.to_thread(farewells)
    for _ in range(10 if siege.short else 40):
        lines.append(await (await siege.dial(claims=honest)).greet())

    def stands():
        peers = siege.mill.do("status")["peers"]
        return [one["agent"] for one in peers if one["did"] == siege.honest.did and one["established"]]
    found = await asyncio.to_thread(stands)
    hold(len(found) == 1 and found != ["speaker"], f"an honest member's connection went, or {found} is taken for it")
    left = await asyncio.to_thread(farewells)
    hold(left == before, f"the attacked node hung up on an honest member: {left}")
    took = await asyncio.to_thread(siege.sync, 5)
    await asyncio.to_thread(siege.honest.stop)
    await asyncio.to_thread(siege.honest.start)
    await asyncio.to_thread(siege.honest.ready)
    await asyncio.to_thread(until, lambda: stands() not in ([], ["speaker"]), "the honest member is back", PATIENCE)
    heard = 0
    for line in lines:
        await line.send(HEADS, head(os.urandom(32), 1, os.urandom(32)))
        heard = max(heard, line.heard + await line.ended(PATIENCE))
        line.close()
    hold(heard < 1_024, f"{heard} bytes were said to somebody who proved nothing")
    # After its start a node signs as soon as it knows that nobody holds more of its logs.
    await asyncio.to_thread(siege.sync, 1)
    return {"masks": len(lines), "heard, bytes": heard, "5 lines in, s": round(took, 2)}


# --- the door -----------------------------------------------------------------------------------------------------


@attack
async def door(siege):
    """Requests to the local HTTP door: `siege_door`."""
    def play():
        figures = siege_door.door(siege.mill, siege.other.did, 12 if siege.short else 1)
        figures |= siege_door.smuggling(siege.mill, siege.other.did)
        return figures | siege_door.halves(siege.mill)
    return await asyncio.to_thread(play)


# --- the whole ----------------------------------------------------------------------------------------------------

# These take as long as a deadline of the node: in the short form they go on beside all others.
PATIENT = ("slow", "half-greetings")
# One restarts the member that publishes, one compares what is kept before and after each request.
ALONE = ("masks", "door")


async def run(siege, chosen, count):
    mill, results = siege.mill, {}

    async def one(name):
        watch, before = Watch(mill), mill.disk
        watch.start()
        began = time.monotonic()
        going = asyncio.ensure_future(ATTACKS[name](siege))
        try:
            await asyncio.sleep(0.2)
            took = None
            if name not in PATIENT or not siege.short:
                if name not in ALONE:
                    took = await asyncio.to_thread(siege.sync, count)
            figures = await going
        finally:
            going.cancel()
            watch.ended.set()
        hold(mill.process.poll() is None, f"{name}: the attacked node ended")
        hold(watch.memory < MEMORY_CAP, f"{name}: {watch.memory >> 20} MiB resident")
        requests = siege_door.HELD if name == "door" or siege.short else 0
        hold(watch.descriptors < DESCRIPTOR_CAP + requests, f"{name}: {watch.descriptors} descriptors")
        hold(mill.disk - before < DISK_CAP, f"{name}: the home grew by {mill.disk - before} bytes")
        result = {"sync, s": took and round(took, 2), "attack, s": round(time.monotonic() - began, 1),
                  "memory, MiB": watch.memory >> 20, "descriptors": watch.descriptors,
                  "disk, KiB": (mill.disk - before) >> 10, **figures}
        results[name] = result
        print(f"  {name}: {', '.join(f'{key} {value}' for key, value in result.items() if value is not None)}", flush=True)

    quiet = sorted([await asyncio.to_thread(siege.sync, count) for _ in range(3)])[1]
    calm = mill.descriptors
    print(f"  quiet: sync {quiet:.2f} s of {count} lines, memory {mill.memory >> 20} MiB, descriptors {calm}", flush=True)
    beside = [name for name in chosen if name in PATIENT and siege.short]
    going = [asyncio.ensure_future(one(name)) for name in beside]
    # Until the slow ones are hung up on, the peers' places are full.
    for name in sorted(chosen, key=lambda name: (name != "door", name == "handshakes")):
        if name not in beside:
            await one(name)
    await asyncio.gather(*going)
    # Afterwards every place is free again, and an honest newcomer is heard.
    line = await siege.enter(None, siege.topics["guild"])
    hold(await line.answers(), "after the attacks nobody answers")
    line.close()
    await asyncio.to_thread(until, lambda: mill.descriptors <= calm + 4, "descriptors are given back", PATIENCE)
    for name, result in results.items():
        if result["sync, s"]:
            result["ratio"] = round(result["sync, s"] / quiet, 2)
    results["quiet"] = {"sync, s": round(quiet, 2), "memory afterwards, MiB": mill.memory >> 20}
    return results


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--talea", required=True)
    words.add_argument("--only", action="append", choices=ATTACKS)
    words.add_argument("--seconds", type=float, help="how long an attack goes on at least; 60, in the short form 1")
    words.add_argument("--short", action="store_true", help="small numbers, for every day")
    words.add_argument("--json")
    given = words.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    seconds = given.seconds if given.seconds is not None else 1 if given.short else 60
    with tempfile.TemporaryDirectory() as folder:
        siege = Siege(folder, os.path.abspath(given.talea), seconds, given.short)
        try:
            siege.build()
            siege.sync(1)
            # The processors are the nodes' first: attackers bring their own.
            os.nice(10)
            # Only now: the nodes have the limits that they would have anywhere.
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
            # Whoever is hung up on goes on writing for a while, of which asyncio tells at each write.
            logging.getLogger("asyncio").setLevel(logging.ERROR)
            results = asyncio.run(run(siege, given.only or list(ATTACKS), 5 if given.short else 20))
            if given.json:
                json.dump(results, open(given.json, "w"), indent=2)
        except BaseException:
            for house in siege.people:
                with contextlib.suppress(OSError):
                    sys.stderr.write(f"-- {house.name}\n" + open(f"{house.home}.log").read()[-2_000:])
            raise
        finally:
            for house in siege.people:
                if house.process and house.process.poll() is None:
                    house.process.kill()
                    house.process.wait()
    ratios = [result["ratio"] for result in results.values() if "ratio" in result]
    print(f"siege: {len(results) - 1} attacks held; an honest sync took {max(ratios, default=1)} times as long at worst")


if __name__ == "__main__":
    main()
