#!/usr/bin/env python3
"""Old copies of a real home: a printer with an open contract, its customer and their arbiter run as
processes. At a random moment the printer's home is copied, it signs on, is killed, and the copy is put
back, with or without the high-water file, with or without anyone to ask. Its owner keeps trying to sign.
In the end all three databases are compared: one entry at each place of each log, or the run has failed."""

import argparse, concurrent.futures, json, os, random, shutil, signal, socket, sqlite3, subprocess, sys
import tempfile, threading, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from journal_story import Broken, Studio, hold, until


class Gate:
    """A door to a peer that the rig opens and shuts: shut, nobody is reached and whoever was is cut off."""

    def __init__(self, target):
        self.target, self.pipes, self.listener = target, [], None
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        self.port = probe.getsockname()[1]
        probe.close()
        self.lock = threading.Lock()

    def open(self):
        if self.listener:
            return
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(16)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def shut(self):
        if not self.listener:
            return
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None
        with self.lock:
            for pipe in self.pipes:
                for end in pipe:
                    try: end.shutdown(socket.SHUT_RDWR)
                    except OSError: pass
            self.pipes = []

    def accept(self, listener):
        while True:
            try: near, _ = listener.accept()
            except OSError: return
            try:
                host, port = self.target.rsplit(":", 1)
                far = socket.create_connection((host, int(port)), 2)
            except OSError:
                near.close()
                continue
            with self.lock: self.pipes.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(one, other), daemon=True).start()

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536): sink.sendall(data)
        except OSError: pass
        for end in (source, sink):
            try: end.shutdown(socket.SHUT_RDWR)
            except OSError: pass


class Rig:
    def __init__(self, talea, folder):
        self.folder = folder
        self.printer, self.customer, self.arbiter = (
            Studio(name, folder, talea) for name in ("dongguan", "zhijian", "zhongcai"))
        self.all = [self.printer, self.customer, self.arbiter]
        self.others = self.all[1:]
        invitation = self.printer.make(None)
        for studio in self.others: studio.make(invitation)
        for studio in self.all:
            studio.start(); studio.ready()
        self.gates = [Gate(studio.address) for studio in self.others]
        for gate, studio in zip(self.gates, self.others):
            gate.open()
            self.printer("peer", "add", address=f"127.0.0.1:{gate.port}", did=studio.did)
        self.customer("peer", "add", address=self.arbiter.address, did=self.arbiter.did)
        until(lambda: all(len(s("status")["peers"]) == 2 for s in self.all), "all are connected")
        until(lambda: all(len(s("name", "list")["names"]) == 3 for s in self.all), "all know all")
        self.line = self.printer(
            "line", "declare", resource="print/notebook/a5", start="+20d", end="+27d", unit="C62",
            total=300)["id"]
        until(lambda: self.customer("line", "show")["lines"], "the customer sees the line")
        offer = self.printer(
            "offer", "publish", template="capacity-option", line=self.line, max_units=200, lot=10,
            until="+10d", premium="500.00", strike="18.00", remedy="9.00", expiry="+30d",
            deliver_by="+60d")["id"]
        until(lambda: self.customer("offer", "list")["offers"], "the customer sees the offer")
        self.contract = self.customer(
            "option", "buy", offer=offer, units=100, arbiter=self.arbiter.did)["id"]
        for studio in (self.printer, self.arbiter):
            until(lambda: studio.graded(self.contract, "proposed", "agreed"), "the proposal is here")
            studio("contract", "accept", contract=self.contract)
        for studio in self.all:
            until(lambda: studio.graded(self.contract, "sequenced"), "step 1 is here")
        self.total = 300

    def sign(self):
        """The owner tries to adjust the line; True where it was signed."""
        self.total += 1
        status, out, error = self.printer.run(
            "line", "adjust", "--json", "--yes", line=self.line, total=self.total, reason="rig")
        hold(status in (0, 2), f"adjust ended with {status}: {error}")
        return status == 0

    def waiting(self):
        recovery = self.printer("status")["recovery"]
        return len(recovery["logs"]) if recovery else 0

    def run(self, dice):
        """One restore. Returns what was lost and who was there, and whether anything was signed early."""
        lost, reached = dice.choice(["database", "home"]), dice.choice(["nobody", "everybody"])
        until(lambda: self.waiting() == 0, "all is whole before")
        for _ in range(dice.randrange(2)): self.sign()
        # The copy of a running node, as a backup takes it: the process stands still meanwhile.
        copy = f"{self.folder}/copy"
        shutil.rmtree(copy, ignore_errors=True)
        self.printer.process.send_signal(signal.SIGSTOP)
        shutil.copytree(self.printer.home, copy)
        self.printer.process.send_signal(signal.SIGCONT)
        for _ in range(1 + dice.randrange(3)): hold(self.sign(), "a whole log is signed in")
        if dice.randrange(3) == 0: time.sleep(dice.random() * 0.3)
        self.printer.stop(dice.choice([signal.SIGKILL, signal.SIGTERM]))
        if lost == "database":
            shutil.copy2(f"{self.printer.home}/high-water", f"{copy}/high-water")
        shutil.rmtree(self.printer.home)
        os.rename(copy, self.printer.home)
        for name in ("api.json",):
            if os.path.exists(f"{self.printer.home}/{name}"): os.remove(f"{self.printer.home}/{name}")
        if reached == "nobody":
            for gate in self.gates: gate.shut()
        self.printer.start(); self.printer.ready()
        early = 0
        for _ in range(2): early += self.sign()
        if reached == "nobody":
            hold(early == 0, f"signed with nobody to ask after the {lost} was lost")
            for gate in self.gates: gate.open()
        until(lambda: self.waiting() == 0, "all is whole again", 60)
        hold(self.sign(), "signing goes on")
        return lost, reached, early

    def forks(self):
        """Places with two entries, and forks that anyone has noticed."""
        until(lambda: len({s("line", "show")["lines"][0]["total"] for s in self.all}) == 1,
              "all see the same line")
        places, found = {}, 0
        for studio in self.all:
            with sqlite3.connect(f"file:{studio.home}/ledger.sqlite?mode=ro", uri=True) as db:
                found += db.execute("SELECT count(*) FROM fork").fetchone()[0]
                found += db.execute("SELECT count(*) FROM entry WHERE isRival = 1").fetchone()[0]
                for log, sequence, ident in db.execute("SELECT log, sequence, id FROM entry"):
                    if places.setdefault((log, sequence), ident) != ident: found += 1
            db.close()
        return found

    def end(self):
        for gate in self.gates: gate.shut()
        for studio in self.all:
            if studio.process and studio.process.poll() is None: studio.process.kill(); studio.process.wait()


def work(talea, runs, seed):
    dice, counts, failures, worst = random.Random(seed), {}, [], 0
    folder = tempfile.mkdtemp(prefix="talea-restore-")
    rig = None
    try:
        rig = Rig(talea, folder)
        for number in range(runs):
            try:
                lost, reached, early = rig.run(dice)
                key = f"{lost} lost, {reached} reached"
                done, signed = counts.get(key, (0, 0))
                counts[key] = (done + 1, signed + early)
                if forks := rig.forks():
                    failures.append(f"seed {seed}, run {number}, {key}: {forks} forks")
                    break
            except Broken as broken:
                failures.append(f"seed {seed}, run {number}: {broken}")
                break
    except Broken as broken:
        failures.append(f"seed {seed}, setting up: {broken}")
    finally:
        if rig: rig.end()
        if not failures: shutil.rmtree(folder, ignore_errors=True)
        else: failures.append(f"homes are kept in {folder}")
    return counts, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talea", required=True)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    begun, counts, failures = time.monotonic(), {}, []
    shares = [asked.runs // asked.workers + (w < asked.runs % asked.workers) for w in range(asked.workers)]
    with concurrent.futures.ProcessPoolExecutor(asked.workers) as pool:
        for done in [pool.submit(work, os.path.abspath(asked.talea), share, asked.seed + index)
                     for index, share in enumerate(shares) if share]:
            some, wrong = done.result()
            failures += wrong
            for key, (runs, early) in some.items():
                before = counts.get(key, (0, 0))
                counts[key] = (before[0] + runs, before[1] + early)
    seconds = time.monotonic() - begun
    for key, (runs, early) in sorted(counts.items()):
        print(f"{key}: {runs} runs, {early} signatures before all had answered")
    total = sum(runs for runs, _ in counts.values())
    print(f"{total} restores in {seconds:.0f} s, {len(failures)} failures")
    for failure in failures: print(failure)
    return 1 if failures or total < asked.runs else 0


if __name__ == "__main__":
    sys.exit(main())
