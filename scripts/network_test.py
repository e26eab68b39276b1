#!/usr/bin/env python3
"""Real nodes in real networks: each in a network namespace of its own, on two bridges, with links that go down,
proxies that carry badly, and processes that are killed. Afterwards all must hold the same."""

import argparse, concurrent.futures, json, os, random, signal, sqlite3, subprocess, sys, tempfile, threading, time

from journal_story import PIECE, Broken, Studio, at_once, hold, until
import tls_watch

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 7001


def sh(line):
    done = subprocess.run(line.split(), capture_output=True, text=True)
    if done.returncode != 0:
        raise Broken(f"{line}: {done.stderr.strip()}")


class Wires:
    """Each address in a /24 of its own, as of studios in different places. Two bridges, joined by one link that can be cut; a namespace for each node and for each proxy."""

    def __init__(self, mark, count):
        self.mark, self.spaces, self.count = mark, [], count

    def lay(self):
        mark, count = self.mark, self.count
        for side in "AB":
            self.space(side)
            sh(f"{self.within(side)} ip link add name br0 type bridge")
            sh(f"{self.within(side)} ip link set br0 up promisc on")
        sh(f"ip link add {mark}ja netns {self.name('A')} type veth peer name {mark}jb netns {self.name('B')}")
        for side, end in (("A", "ja"), ("B", "jb")):
            sh(f"{self.within(side)} ip link set {mark}{end} master br0 up")
        for index in range(count):
            self.attach(str(index), self.side(index), f"10.77.{index + 1}.1")
        for side, address in (("A", "10.77.201.1"), ("B", "10.77.202.1")):
            self.attach(f"p{side}", side, address)

    def name(self, space):
        return f"{self.mark}{space}"

    def within(self, space):
        return f"ip netns exec {self.name(space)}"

    def side(self, index):
        return "A" if index < self.count // 2 else "B"

    def space(self, space):
        sh(f"ip netns add {self.name(space)}")
        self.spaces.append(space)
        sh(f"{self.within(space)} ip link set lo up")

    def attach(self, space, side, address):
        self.space(space)
        sh(f"ip link add eth netns {self.name(space)} type veth peer name v{space} netns {self.name(side)}")
        sh(f"{self.within(space)} ip addr add {address}/16 dev eth")
        sh(f"{self.within(space)} ip link set eth up")
        sh(f"{self.within(side)} ip link set v{space} master br0 up")

    def link(self, space, is_up):
        side = self.side(int(space)) if space.isdigit() else space[1]
        sh(f"{self.within(side)} ip link set v{space} {'up' if is_up else 'down'}")

    def join(self, is_up):
        sh(f"{self.within('A')} ip link set {self.mark}ja {'up' if is_up else 'down'}")

    def remove(self):
        for space in self.spaces:
            subprocess.run(["ip", "netns", "del", self.name(space)], capture_output=True)


class Host(Studio):
    """A studio behind a cable of its own."""

    def __init__(self, index, wires, folder, talea):
        super().__init__(f"n{index}", folder, talea)
        self.index, self.within = index, wires.within(str(index)).split()
        self.address, self.flags = f"10.77.{index + 1}.1:{PORT}", []

    def run(self, *words, **options):
        real, self.talea = self.talea, None
        try:
            line = [*self.within, real, "--home", self.home, "--lang", "en", *words]
        finally:
            self.talea = real
        for name, values in options.items():
            for value in values if isinstance(values, list) else [values]:
                line += ["--" + name.replace("_", "-")] + ([] if value is True else [str(value)])
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr.strip()

    def make(self, invitation):
        joining = {"invitation": invitation} if invitation else {"alliance": "network"}
        made = self("init", name=self.name, role="studio", no_passphrase=True, **joining)
        self.did = made["did"]
        return made["invitation"]

    def start(self):
        log = open(f"{self.home}.log", "ab")
        self.process = subprocess.Popen(
            [*self.within, self.talea, "--home", self.home, "run", "--listen", self.address, *self.flags],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def items(self):
        """What this home holds of the alliance: the newest entry of each key, public and line log."""
        with sqlite3.connect(f"file:{self.home}/ledger.sqlite?mode=ro", uri=True) as db:
            rows = db.execute(
                "SELECT log, max(sequence), id FROM entry WHERE isRival = 0 AND log IN"
                " (SELECT log FROM entry WHERE sequence = 1 AND (kind < 20 OR kind >= 30))"
                " GROUP BY log").fetchall()
        return sorted((bytes(log).hex(), top, bytes(entry).hex()) for log, top, entry in rows)


class Play:
    """The same small trades, over and over, while the network falls apart around them."""

    def __init__(self, hosts, seconds):
        self.hosts, self.end, self.lock = hosts, time.monotonic() + seconds, threading.Lock()
        self.trades, self.contracts = 0, []

    def trade(self, index):
        count = len(self.hosts)
        issuer, holder, judge = (self.hosts[(index + step) % count] for step in (0, count // 2, count // 3))
        week = 0
        while time.monotonic() < self.end or week == 0:
            week += 1
            self.once(issuer, holder, judge, week)

    def able(self, host, *words, **options):
        """Done as soon as the node may: over lost links, restarts and late answers."""
        said = [""]

        def tried():
            status, out, said[0] = host.run(*words, "--json", "--yes", **options)
            return json.loads(out) if status == 0 else None

        try:
            return until(tried, f"{host.name} {' '.join(words)}", 90)
        except Broken as broken:
            raise Broken(f"{broken}: {said[0]}") from None

    def once(self, issuer, holder, judge, week):
        line = self.able(issuer, "line", "declare", resource=f"print/{issuer.name}/w{week}", start="+20d",
                         end="+27d", total=300, unit=PIECE)["id"]
        offer = self.able(issuer, "offer", "publish", template="capacity-option", line=line, max_units=200,
                          lot=10, until="+10d", premium="500.00", strike="18.00", remedy="9.00",
                          expiry="+30d", deliver_by="+60d")["id"]
        option = self.able(holder, "option", "buy", offer=offer, units=100, arbiter=judge.name)["id"]
        for host in (issuer, judge):
            self.able(host, "contract", "accept", contract=option)
        self.able(holder, "pay", "state", contract=option, record=1, channel="bank", reference=f"w{week}")
        self.able(issuer, "pay", "receive", contract=option, record=1)
        with self.lock:
            self.trades += 1
            self.contracts.append((option, (issuer, holder, judge)))


def faults(wires, hosts, seed, end, log):
    """One fault after another until the time is over; each ends before the next begins."""
    dice = random.Random(seed)
    while time.monotonic() + 12 < end:
        kind = dice.choice(["halves", "one", "kill", "one", "halves", "stop"])
        host = dice.choice(hosts)
        seconds = dice.uniform(2, 7)
        log.append(kind)
        if kind == "halves":
            wires.join(False)
            time.sleep(seconds)
            wires.join(True)
        elif kind == "one":
            wires.link(str(host.index), False)
            time.sleep(seconds)
            wires.link(str(host.index), True)
        else:
            host.stop(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            time.sleep(seconds / 2)
            host.start()
            host.ready()
        time.sleep(dice.uniform(1, 3))


def run(talea, folder, count, seconds, seed):
    wires = Wires(f"tl{os.getpid() % 10_000}", count)
    helpers = []
    try:
        wires.lay()
        hosts = [Host(index, wires, folder, talea) for index in range(count)]
        invitation = hosts[0].make(None)
        at_once(lambda host: host.make(invitation), hosts[1:])
        watch = subprocess.Popen(
            [*wires.within("A").split(), sys.executable, f"{HERE}/tls_watch.py", "br0", f"{folder}/wire"],
            stdout=subprocess.PIPE)
        helpers.append(watch)
        for side, address in (("A", "10.77.201.1"), ("B", "10.77.202.1")):
            ways = [f"{8000 + host.index}:{host.address}" for host in hosts]
            helpers.append(subprocess.Popen(
                [*wires.within(f"p{side}").split(), sys.executable, f"{HERE}/chaos_proxy.py", str(seed),
                 address, *ways], stdout=subprocess.PIPE))
        for helper in helpers:
            hold(helper.stdout.readline() == b"ready\n", "a helper did not start")
        hub = hosts[-1]
        hub.flags = ["--hub"]
        for host in hosts:
            host.start()
        at_once(lambda host: host.ready(), hosts)

        def meet(host):
            """One neighbour straight, two through proxies, and the hub."""
            for step, proxy in ((1, None), (3, "10.77.201.1"), (5, "10.77.202.1")):
                other = hosts[(host.index + step) % count]
                address = f"{proxy}:{8000 + other.index}" if proxy else other.address
                if other is not host:
                    host("peer", "add", address=address, did=other.did)
            if host is not hub:
                host("peer", "add", address=hub.address, did=hub.did)
        at_once(meet, hosts)
        until(lambda: all(h("status")["known_people"] == count for h in hosts), "all know all", 60)
        at_once(lambda host: host("hub", "use", who=hub.name), hosts[:-1])

        begun = time.monotonic()
        play, log = Play(hosts[:-1], seconds), []
        with concurrent.futures.ThreadPoolExecutor(max(count // 3, 1)) as pool:
            trades = [pool.submit(play.trade, index) for index in range(max(count // 3, 1))]
            faults(wires, hosts, seed, begun + seconds, log)
            for helper in helpers[1:]:
                helper.send_signal(signal.SIGUSR1)
            for trade in trades:
                trade.result()
        print(f"{play.trades} trades in {time.monotonic() - begun:.0f} s through {len(log)} faults: {', '.join(log)}")

        began = time.monotonic()
        def same():
            return len({tuple(host.items()) for host in hosts}) == 1
        until(same, "all hold the same items", 60)
        def agree():
            return all(
                len({host.show(option)["state_digest"] for host in three}) == 1
                for option, three in play.contracts)
        until(agree, "the three of each contract hold the same state", 60)
        print(f"all hold the same {len(hosts[0].items())} logs, {time.monotonic() - began:.1f} s after the last fault")
        for helper in helpers[1:]:
            helper.terminate()
            print("a proxy did: " + helper.stdout.read().decode().strip())
        net = 0
        for host in hosts:
            hold(host("ledger", "rebuild", check=True)["equal"], f"{host.name}: the ledger is not what its entries say")
            hold(host("status")["ledger_fault"] is None, f"{host.name}: a ledger fault")
            hold(not host("status")["forks"], f"{host.name}: a fork among the honest")
            net += host("ledger", "balance")["net_paid"].get("CNY", 0)
        hold(net == 0, f"the net of all is {net}")
        for host in hosts:
            host.stop()
        watch.terminate()
        watch.wait()
        connections, answers, total = tls_watch.judge(f"{folder}/wire")
        hold(answers >= count, f"only {answers} handshakes were seen")
        print(f"{connections} directions of connections and {total:,} bytes on the wire: TLS 1.3 alone")
    except Broken:
        for host in locals().get("hosts", []):
            print(host.run("status")[1], host.run("hub", "list")[1], sep="\n", file=sys.stderr)
        raise
    finally:
        for helper in helpers:
            helper.kill()
        for host in locals().get("hosts", []):
            if host.process and host.process.poll() is None:
                host.process.kill()
        wires.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talea", required=True)
    parser.add_argument("--nodes", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=45)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("network namespaces want root: sudo scripts/network_test.py …")
    with tempfile.TemporaryDirectory(prefix="talea-net-") as folder:
        run(os.path.abspath(options.talea), folder, options.nodes, options.seconds, options.seed)
    print("every rule held")


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"BROKEN: {broken}")
