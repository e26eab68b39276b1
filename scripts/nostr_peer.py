#!/usr/bin/env python3
"""Reconciles talea-negentropy-harness with nostr-sdk (NIP-77), each of the two in each role.

    nostr_peer.py <harness>

Needs nostr-sdk and websockets from PyPI. Prints one line for each role and policy, or fails.
"""

import asyncio, json, os, random, subprocess, sys

import websockets
from nostr_sdk import (
    Client, EventBuilder, Filter, Keys, Kind, LocalRelayBuilder, NegentropyItem, RateLimit, RelayUrl,
    SyncDirection, SyncOptions, Timestamp)

EVENTS, SHARED = 1500, 1400


class Harness:
    def __init__(self, program, policy, storage, events):
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "TALEA_POLICY": policy, "TALEA_STORAGE": storage, "FRAMESIZELIMIT": "60000"})
        self.have, self.need = set(), set()
        for event in events:
            self.say(f"item,{event['created_at']},{event['id']}")
        self.say("seal")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        """The next message as hexadecimal; None when there is nothing left to say."""
        self.say(line)
        while True:
            word, _, rest = self.process.stdout.readline().strip().partition(",")
            if word == "msg":
                return rest
            if word == "done":
                return None
            {"have": self.have, "need": self.need}[word].add(rest)

    def end(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
        self.process.stdout.close()


def make_events():
    keys = Keys.generate()
    made = []
    for number in range(EVENTS):
        builder = EventBuilder(Kind(1), f"{number}").custom_created_at(Timestamp.from_secs(1_700_000_000 + number // 3))
        made.append(builder.finalize(keys))
    return made


def ids(events):
    return {event["id"] for event in events}


async def ours_begins(program, policy, storage, events):
    """LocalRelay holds some, our harness others, and asks."""
    limits = RateLimit(max_reqs=500, notes_per_minute=10 * EVENTS)
    relay = LocalRelayBuilder().rate_limit(limits).default_filter_limit(EVENTS).max_filter_limit(EVENTS).build()
    await relay.run()
    mine, theirs = events[: EVENTS - 40], events[EVENTS - SHARED:]
    try:
        async with websockets.connect(str(await relay.url()), max_size=None) as socket:
            for event in theirs:
                await socket.send(json.dumps(["EVENT", event]))
                answer = json.loads(await socket.recv())
                assert answer[0] == "OK" and answer[2], answer
            harness = Harness(program, policy, storage, mine)
            message = harness.ask("initiate")
            await socket.send(json.dumps(["NEG-OPEN", "n", {"kinds": [1]}, message]))
            rounds = 0
            while message is not None:
                answer = json.loads(await asyncio.wait_for(socket.recv(), 20))
                assert answer[0] == "NEG-MSG", answer
                rounds += 1
                message = harness.ask("msg," + answer[2])
                if message is not None:
                    await socket.send(json.dumps(["NEG-MSG", "n", message]))
            await socket.send(json.dumps(["NEG-CLOSE", "n"]))
            harness.end()
            assert harness.have == ids(mine) - ids(theirs)
            assert harness.need == ids(theirs) - ids(mine)
            print(f"ok ours begins, {policy}, {storage}: {rounds} rounds")
    finally:
        relay.shutdown()


async def theirs_begins(program, policy, storage, events, whole):
    """nostr-sdk's client holds some, and asks a relay whose answers come from our harness."""
    mine, theirs = events[: EVENTS - 40], events[EVENTS - SHARED:]
    rounds = 0

    async def relay(socket):
        nonlocal rounds
        harness = None
        async for text in socket:
            word, *rest = json.loads(text)
            if word in ("NEG-OPEN", "NEG-MSG"):
                if word == "NEG-OPEN":
                    harness = Harness(program, policy, storage, mine)
                rounds += 1
                await socket.send(json.dumps(["NEG-MSG", rest[0], harness.ask("msg," + rest[-1])]))
            elif word == "NEG-CLOSE":
                harness.end()

    async with websockets.serve(relay, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client()
        url = RelayUrl.parse(f"ws://127.0.0.1:{port}")
        await client.add_relay(url)
        await client.connect()
        items = [NegentropyItem(id=event.id(), timestamp=event.created_at()) for event in whole[EVENTS - SHARED:]]
        options = SyncOptions().direction(SyncDirection.BOTH).dry_run()
        found = await asyncio.wait_for((await client.relay(url)).sync(Filter().kind(Kind(1)), items, options), 30)
        await client.shutdown()
    assert {id.to_hex() for id in found.local} == ids(theirs) - ids(mine)
    assert {id.to_hex() for id in found.remote} == ids(mine) - ids(theirs)
    print(f"ok theirs begins, {policy}, {storage}: {rounds} rounds")


async def main():
    program = sys.argv[1]
    whole = make_events()
    events = [json.loads(event.as_json()) for event in whole]
    for policy in ("reference", "compact"):
        for storage in ("array", "tree"):
            await ours_begins(program, policy, storage, events)
            await theirs_begins(program, policy, storage, events, whole)


if __name__ == "__main__":
    asyncio.run(main())
