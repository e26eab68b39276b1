#!/usr/bin/env python3
"""The journal story: eight studios, eight processes, five kinds of contract, one set of books.

Everything a studio does here it does through `talea --home H …`, as its owner would. Nothing is shared
between the homes but what travels over TCP. Exit status 0 only if every rule held."""

import argparse, concurrent.futures, contextlib, hashlib, json, os, secrets, shutil, signal, subprocess, sys, tempfile, time

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STUDIOS = ["zhijian", "dongguan", "jike", "zhebi", "weicai", "shouzuo", "wenchuang", "zhongcai"]
NET_PAID = {"zhijian": 3_184_880, "dongguan": -2_230_000, "shouzuo": 77_600, "jike": -19_200,
            "zhebi": -114_000, "weicai": -899_280, "wenchuang": 0, "zhongcai": 0}
ALLIANCES = {"demo": "纸间联盟", "surge": "糕点联盟"}
PIECE = "C62"


class Broken(Exception):
    """A rule of the story did not hold."""


def hold(rule, what):
    if not rule:
        raise Broken(what)


def profile(name, cast):
    """name, role and terms of peers/CAST: three lines of `key: text`."""
    fields = {}
    for line in open(f"{REPO}/peers/{cast}/{name}.yaml", encoding="utf-8"):
        key, _, text = line.partition(":")
        fields[key.strip()] = text.strip().strip('"')
    return fields


class Studio:
    def __init__(self, name, folder, talea, cast="demo"):
        self.name, self.talea, self.cast = name, talea, cast
        self.home = f"{folder}/{name}"
        self.passphrase = f"{folder}/{name}.passphrase"
        self.process = self.did = self.address = None

    def run(self, *words, seconds=None, **options):
        """(exit status, standard output, standard error) of one command."""
        line = [self.talea, "--home", self.home, "--lang", "en", *words]
        for name, values in options.items():
            for value in values if isinstance(values, list) else [values]:
                line += [("-" if len(name) == 1 else "--") + name.replace("_", "-")] + ([] if value is True else [str(value)])
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=seconds)
        return done.returncode, done.stdout, done.stderr.strip()

    def __call__(self, *words, **options):
        status, out, error = self.run(*words, "--json", "--yes", **options)
        if status != 0:
            raise Broken(f"{self.name}: talea {' '.join(words)} ended with {status}: {error or out}")
        return json.loads(out)

    def refused(self, *words, saying=(), **options):
        status, out, error = self.run(*words, "--json", "--yes", **options)
        hold(status == 2, f"{self.name}: talea {' '.join(words)} was to be refused, ended with {status}")
        for text in saying:
            hold(str(text) in error + out, f"{self.name}: the refusal does not say {text}: {error}")
        return error

    def make(self, invitation):
        with open(self.passphrase, "w") as file:
            os.chmod(self.passphrase, 0o600)
            file.write(secrets.token_hex(12) + "\n")
        about = profile(self.name, self.cast)
        options = {"name": about["name"], "role": about["role"], "passphrase_file": self.passphrase}
        options |= {"invitation": invitation} if invitation else {"alliance": ALLIANCES[self.cast]}
        made = self("init", **options)
        self.did = made["did"]
        return made["invitation"]

    def start(self, *options):
        log = open(f"{self.home}.log", "ab")
        listen = self.address or "127.0.0.1:0"
        self.process = subprocess.Popen(
            [self.talea, "--home", self.home, "run", "--listen", listen, "--passphrase-file",
             self.passphrase, *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def ready(self):
        def answers():
            hold(self.process.poll() is None, f"{self.name} ended at start; see {self.home}.log")
            return os.path.exists(f"{self.home}/api.json") and self.run("status", "--json")[0] == 0
        until(answers, f"{self.name} answers")
        self.address = self("status")["listening"]

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(20)
        if how == signal.SIGKILL:
            with contextlib.suppress(FileNotFoundError):
                os.remove(f"{self.home}/api.json")
        else:
            hold(status == 0, f"{self.name} ended with {status} on SIGTERM")

    def show(self, contract):
        return self("contract", "show", contract=contract)

    def record(self, contract, family, state):
        """The newest record of `family` in a state that begins so, once it is there."""
        def find():
            found = [r for r in self.show(contract)["records"]
                     if r["family"] == family and r["state"].startswith(state)]
            return found[-1]["number"] if found else None
        return until(find, f"{self.name} sees {family} {state}")

    def graded(self, contract, *grades):
        status, out, _ = self.run("contract", "show", "--json", contract=contract)
        return status == 0 and json.loads(out)["grade"] in grades


def until(check, what, seconds=20):
    """Asks again until `check` gives something; the commands themselves are the waiting."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise Broken(f"waited {seconds} s in vain: {what}")
        time.sleep(0.01)


def at_once(work, studios):
    """The same for each studio, side by side; the first thing that breaks is raised."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, studio) for studio in studios]:
            done.result()


class Story:
    title = "The journal story"

    def __init__(self, talea, folder, names=STUDIOS, cast="demo"):
        self.folder = folder
        self.studios = {name: Studio(name, folder, talea, cast) for name in names}
        self.contracts = {}
        self.evidence = f"{folder}/photo.jpg"
        with open(self.evidence, "wb") as file:
            file.write(b"\xff\xd8 a photograph of what was made")
        self.begun = time.monotonic()

    def __getattr__(self, name):
        return self.studios[name]

    def say(self, text):
        print(f"  {time.monotonic() - self.begun:5.1f} s  {text}", flush=True)

    # -- words of trade -------------------------------------------------------------------------

    def everywhere(self, contract, *grades):
        parties = self.contracts[contract]
        for name in parties:
            until(lambda: self.studios[name].graded(contract, *grades), f"{name} sees {grades}")

    def agree(self, proposer, parties, *words, **options):
        """Proposes, has everyone named accept, waits for step 1 on every side."""
        made = proposer(*words, **options)
        contract = made["id"]
        self.contracts[contract] = sorted(parties)
        for name in sorted(parties):
            studio = self.studios[name]
            if studio is proposer:
                continue
            until(lambda: studio.graded(contract, "proposed", "agreed"), f"{name} has the proposal")
            studio("contract", "accept", contract=contract)
        self.everywhere(contract, "sequenced")
        return contract

    def pay(self, payer, payee, contract, record=1):
        number = {"contract": contract, "record": record}
        until(lambda: self.paying(payer, contract, record) == "due", f"{payer.name} owes")
        payer("pay", "state", channel="bank", reference=f"T{contract[:6]}-{record}", **number)
        until(lambda: self.paying(payee, contract, record) == "stated", f"{payee.name} was paid")
        payee("pay", "receive", **number)
        for studio in (payer, payee):
            until(lambda: not self.paying(studio, contract, record), f"{studio.name} sees the receipt")

    def found(self, studio, contract, record):
        for one in studio.show(contract)["records"]:
            if one["number"] == record:
                return one

    def state(self, studio, contract, record):
        one = self.found(studio, contract, record)
        return one["state"] if one else ""

    def paying(self, studio, contract, record):
        """due, stated, denied, or nothing where the record waits for no payment."""
        one = self.found(studio, contract, record)
        if not one or not one["pay"]:
            return None
        return one["state"].partition(".")[2] or "due"

    def line(self, studio, resource, total):
        made = studio("line", "declare", resource=resource, start="+20d", end="+27d", unit=PIECE,
                      total=total)
        first = next(iter(self.studios.values()))
        until(lambda: any(l["id"] == made["id"] for l in first("line", "show")["lines"]),
              f"{first.name} sees the line")
        return made["id"]

    def settled(self, contract, outcome="fulfilled"):
        self.everywhere(contract, "settled")
        for name in self.contracts[contract]:
            found = self.studios[name].show(contract)["outcome"]
            hold(found == outcome, f"{name} calls {contract[:8]} {found}, not {outcome}")

    # -- the parts ------------------------------------------------------------------------------

    def open_the_network(self):
        names = list(self.studios.values())
        invitation = names[0].make(None)
        at_once(lambda studio: studio.make(invitation), names[1:])
        for studio in names:
            studio.start()
        at_once(Studio.ready, names)

        def meet(studio):
            for other in names[:names.index(studio)]:
                studio("peer", "add", address=other.address, did=other.did)
        at_once(meet, names)

        def met(studio):
            until(lambda: len(studio("status")["peers"]) == len(names) - 1, f"{studio.name} is connected")
            until(lambda: {n["profile_name"] for n in studio("name", "list")["names"]} >= set(self.studios),
                  f"{studio.name} knows everybody by name")
        at_once(met, names)
        self.say(f"{len(names)} studios are connected over TLS, each with its own key, port and database")

    def option(self):
        z, d, s = self.zhijian, self.dongguan, self.shouzuo
        line = self.line(d, "print/notebook/a5", 300)
        offer = d("offer", "publish", template="capacity-option", line=line, max_units=200, lot=10,
                  until="+10d", premium="500.00", strike="18.00", remedy="9.00", expiry="+30d",
                  deliver_by="+60d")["id"]
        until(lambda: any(o["id"] == offer for o in z("offer", "list")["offers"]), "the offer is seen")
        parties = ["zhijian", "dongguan", "zhongcai"]
        option = self.agree(z, parties, "option", "buy", offer=offer, units=100, arbiter="zhongcai")
        self.pay(z, d, option)
        self.say("zhijian bought an option on 100 of dongguan's 300 pieces; premium 500.00 paid")
        jike = self.studios["jike"]
        jike.refused("option", "buy", offer=offer, units=210, arbiter="zhongcai", saying=[200])
        child = z("option", "transfer", contract=option, units=40, newcomer="shouzuo",
                  asking="240.00")["child"]
        self.contracts[child] = ["dongguan", "shouzuo", "zhijian", "zhongcai"]
        until(lambda: s.graded(child, "proposed", "agreed"), "shouzuo has the transfer")
        s("contract", "accept", contract=child)
        self.everywhere(child, "sequenced")
        until(lambda: self.held(z, option) == 60, "zhijian holds 60")
        z.refused("option", "transfer", contract=option, units=70, newcomer="shouzuo",
                  asking="420.00", saying=[60, 70])
        self.pay(s, z, child)
        s.refused("option", "exercise", contract=child, units=50, saying=[40, 50])
        self.say("40 passed on to shouzuo for 240.00; a transfer of 70 and an exercise of 50 were refused")
        for holder, contract, units in ((z, option, 60), (s, child, 40)):
            holder("option", "exercise", contract=contract, units=units)
            self.deliver(d, holder, contract, "exercise", "open", units)
        self.settled(option)
        self.settled(child)
        self.say("60 and 40 exercised, delivered, confirmed and paid: both contracts settled")

    def held(self, studio, contract):
        main = studio.show(contract)["records"][0]
        return sum(main["holds"].values())

    def deliver(self, maker, taker, contract, family, state, units):
        record = maker.record(contract, family, state)
        maker("delivery", "state", contract=contract, record=record, units=units,
              evidence=self.evidence)
        delivery = taker.record(contract, "delivery", "stated")
        taker("delivery", "confirm", contract=contract, record=delivery, evidence=self.evidence)
        self.pay(taker, maker, contract, delivery)

    def ink(self):
        z, w = self.zhijian, self.weicai
        line = self.line(w, "ink/special", 100)
        call = self.agree(
            z, ["zhijian", "weicai", "zhongcai"], "call", "buy", line=line, issuer="weicai",
            arbiter="zhongcai", units=100, premium="992.80", strike="80.00", market="92.00",
            remedy="12.00", expiry="+30d", deliver_by="+60d")
        self.pay(z, w, call)
        z("call", "exercise", contract=call, units=100)
        self.deliver(w, z, call, "exercise", "open", 100)
        self.settled(call)
        notes = " ".join(note["en"] for note in z.show(call)["notes"])
        hold("1,200.00" in notes and "207.20" in notes, f"the statement shows the saving: {notes}")
        self.say("the ink call saved 1,200.00 gross, 207.20 net, against a noted market of 92.00")

    def production(self):
        z, d, w = self.zhijian, self.dongguan, self.wenchuang
        line = self.line(d, "print/journal-set", 1000)
        order = dict(line=line, buyer="zhijian", maker="dongguan", custodian="wenchuang",
                     arbiter="zhongcai", units=1000, minimum=100, total="20000.00",
                     demand_by="+5d", batch_max=20, batch_price="25.00", batches_end="+20d")
        z.refused("production", "propose", schedule="[8000.01, 11999.99]", dates="[+31d]",
                  saying=["40"], **order)
        made = self.agree(
            z, ["zhijian", "dongguan", "wenchuang", "zhongcai"], "production", "propose",
            dates="[+31d, +32d, +33d, +34d]", **order)
        z("order", "place", contract=made, units=1000)
        self.pay(z, w, made)
        self.pay(w, d, made, d.record(made, "tranche", "out"))
        self.say("zhijian deposited 20,000.00 with wenchuang, which paid the first 6,000.00")
        for number in range(1, 5):
            d("milestone", "sign", contract=made, evidence=self.evidence)
            tranche = z.record(made, "tranche", "stated")
            z("milestone", "confirm", contract=made, record=tranche, evidence=self.evidence)
            if number == 2:
                self.kill_the_custodian(made, tranche)
            else:
                self.pay(w, d, made, tranche)
        self.settled(made)
        self.milestone = made
        self.say("four milestones signed with a photograph's hash, confirmed, paid 3,500.00 each")

    def kill_the_custodian(self, contract, tranche):
        """SIGKILL between the admission of tranche 2 and its receipt."""
        w, d = self.wenchuang, self.dongguan
        until(lambda: self.paying(w, contract, tranche) == "due", "tranche 2 is admitted")
        w("pay", "state", contract=contract, record=tranche, channel="bank", reference="T2")
        w.stop(signal.SIGKILL)
        with contextlib.suppress(Broken):
            until(lambda: self.paying(d, contract, tranche) == "stated", "", seconds=0.3)
        w.start()
        w.ready()
        w.refused("pay", "state", contract=contract, record=tranche, channel="bank", reference="T2")
        until(lambda: self.paying(d, contract, tranche) == "stated", "dongguan sees tranche 2")
        d("pay", "receive", contract=contract, record=tranche)
        until(lambda: not self.paying(d, contract, tranche), "tranche 2 is received")
        for studio in (w, d, self.zhijian):
            shown = studio.show(contract)
            stated = [s for s in shown["steps"] if s["transition"] == "pay_state"
                      and s["record"] == tranche and not s.get("void")]
            hold(len(stated) == 1, f"{studio.name}: tranche 2 was paid {len(stated)} times")
            hold(not shown.get("forked"), f"{studio.name} sees a fork")
        self.say("wenchuang was killed with SIGKILL after admitting tranche 2: paid once, no fork")

    def batches(self):
        z, p = self.zhijian, self.zhebi
        line = self.line(p, "pen", 100)
        p.stop()
        made = z("production", "propose", line=line, buyer="zhijian", maker="zhebi",
                 custodian="wenchuang", arbiter="zhongcai", units=100, minimum=100, total="1200.00",
                 demand_by="+5d", dates="[+31d, +32d, +33d, +34d]", batch_max=20,
                 batch_price="15.00", batches_end="+20d")["id"]
        parties = ["zhijian", "zhebi", "wenchuang", "zhongcai"]
        self.contracts[made] = sorted(parties)
        for studio in (self.wenchuang, self.zhongcai):
            until(lambda: studio.graded(made, "proposed"), f"{studio.name} has the proposal")
            studio("contract", "accept", contract=made)
        hold(z.graded(made, "proposed"), "zhebi is off, nothing can be agreed")
        p.start()
        p.ready()
        until(lambda: p.graded(made, "proposed", "agreed"), "zhebi finds the proposal on return")
        p("contract", "accept", contract=made)
        self.everywhere(made, "sequenced")
        self.say("zhebi was off, came back and accepted; no command was repeated")
        z("order", "fallback", contract=made, units=76)
        until(lambda: self.state(z, made, 1) == "batches", "the order falls back to batches")
        for units in (20, 20, 20, 16):
            before = len([r for r in z.show(made)["records"] if r["family"] == "batch"])
            z("batch", "call", contract=made, units=units)
            until(lambda: len([r for r in p.show(made)["records"] if r["family"] == "batch"]) > before,
                  "zhebi sees the call")
            batch = p.record(made, "batch", "called")
            p("delivery", "state", contract=made, record=batch, evidence=self.evidence)
            until(lambda: self.state(z, made, batch) == "stated", "the batch is delivered")
            z("delivery", "confirm", contract=made, record=batch, evidence=self.evidence)
            self.pay(z, p, made, batch)
        self.settled(made)
        self.say("demand of 76 fell back to batches of 20, 20, 20 and 16 at 15.00")

    def assistance(self):
        z, s, j = self.zhijian, self.shouzuo, self.studios["jike"]
        line = self.line(j, "sticker/set", 50)
        made = self.agree(
            z, ["zhijian", "shouzuo", "jike", "zhongcai"], "assist", "propose", line=line,
            user="zhijian", partner="shouzuo", supplier="jike", arbiter="zhongcai", trigger=100,
            cap=50, cap_call=50, cap_month=50, price="6.00", fee="2.00", remedy="50.00",
            ends="+90d")
        z("assist", "draw", contract=made, sold=132, units=32)
        draw = j.record(made, "draw", "asked")
        j("assist", "promise", contract=made, record=draw)
        until(lambda: self.state(j, made, draw) == "promised", "the draw is promised")
        j("delivery", "state", contract=made, record=draw, evidence=self.evidence)
        until(lambda: self.state(z, made, draw) == "stated", "the draw is delivered")
        z("delivery", "confirm", contract=made, record=draw, evidence=self.evidence)
        self.pay(z, j, made, draw)
        self.pay(z, s, made, z.record(made, "coordination", "fee_due"))
        request = z("assist", "close", contract=made)["request"]
        for studio in (s, j):
            until(lambda: any(r["id"] == request for r in studio.show(made)["requests"]),
                  f"{studio.name} is asked to close")
            studio("contract", "accept", contract=made, request=request)
        self.settled(made)
        self.say("132 sold against 100: 32 drawn from jike, fee to shouzuo; the agreement was closed")

    def swap(self):
        z, s = self.zhijian, self.shouzuo
        left = self.line(z, "engraving/pen", 50)
        right = self.line(s, "packaging", 80)
        made = self.agree(
            z, ["zhijian", "shouzuo", "zhongcai"], "swap", "propose", line=[left, right],
            left="zhijian", right="shouzuo", arbiter="zhongcai", left_units=50, left_price="12.00",
            right_units=80, right_price="9.00", deliver_by="+40d")
        for giver, taker, family, units in ((z, s, "left_leg", 50), (s, z, "right_leg", 80)):
            giver("delivery", "state", contract=made, units=units, evidence=self.evidence)
            leg = taker.record(made, family, "stated")
            taker("delivery", "confirm", contract=made, record=leg, evidence=self.evidence)
            until(lambda: self.state(giver, made, leg) == "accepted", "the leg is accepted")
        z("swap", "finish", contract=made)
        self.pay(z, s, made)
        self.settled(made)
        self.say("50 engravings against 80 packages, both delivered; zhijian paid the difference 120.00")

    # -- what must hold -------------------------------------------------------------------------

    def reputations(self):
        """Who kept how many contracts is counted from what is signed, and can be asked for."""
        z = self.zhijian
        known, twice = (z("reputation", "show", at_least=n)["people"] for n in (0, 2))
        hold(0 < len(twice) < len(known) and all(p["completed"] >= 2 for p in twice),
             f"of {len(known)} known, {[p['name'] for p in twice]} completed two")
        hold(not z("reputation", "show", at_least=10)["people"], "nobody completed ten")

    def proof(self):
        """A milestone, exported, checked by two programs that know no home, and with any bit flipped by
        neither."""
        steps = self.dongguan.show(self.milestone)["steps"]
        step = next(s["sequence"] for s in steps if s["transition"] == "milestone")
        empty = f"{self.folder}/empty"
        os.mkdir(empty)
        path = f"{empty}/milestone.json"
        self.dongguan("proof", "export", contract=self.milestone, step=step, o=path)
        checkers = ([self.dongguan.talea, "verify"],
                    [os.environ.get("TALEA_PYTHON", sys.executable), f"{REPO}/Tests/Vectors/verify.py", "proof"])

        def verdicts(file):
            return [subprocess.run([*c, file], cwd=empty, capture_output=True,
                                   env=os.environ | {"HOME": empty}).returncode for c in checkers]
        hold(verdicts(path) == [0, 0], f"both programs accept the milestone: {verdicts(path)}")
        import base64
        text = json.load(open(path))
        parts = [("payload", text["envelope"]), ("sig", text["envelope"]["signatures"][0]),
                 ("body", text)]
        for key, holder in parts:
            honest = holder[key]
            raw = bytearray(base64.b64decode(honest))
            for bit in (0, len(raw) * 4 + 3, len(raw) * 8 - 1):
                raw[bit // 8] ^= 1 << bit % 8
                holder[key] = base64.b64encode(bytes(raw)).decode()
                with open(f"{empty}/flipped.json", "w") as file:
                    json.dump(text, file)
                found = verdicts(f"{empty}/flipped.json")
                hold(all(v == 1 for v in found), f"bit {bit} of {key} flipped: {found}")
                raw[bit // 8] ^= 1 << bit % 8
            holder[key] = honest
        self.say("an exported milestone verifies without a home, in Swift and in Python; flipped bits do not")

    def close_the_books(self):
        report = []
        for studio in self.studios.values():
            until(lambda: not studio("status")["outbox"], f"{studio.name} has delivered everything")
        at_once(Studio.stop, self.studios.values())
        digests, books = {}, {}

        def read(studio):
            books[studio.name] = (
                studio("ledger", "balance", "--offline"),
                studio.run("ledger", "rebuild", "--check", "--offline"),
                studio("contract", "list", "--offline")["contracts"])
        at_once(read, self.studios.values())
        for name, studio in self.studios.items():
            balance, (status, out, error), contracts = books[name]
            paid = {c: int(n) for c, n in balance["net_paid"].items()}
            hold(paid.get("CNY", 0) == NET_PAID[name], f"{name} paid {paid}, not {NET_PAID[name]}")
            reserved = [p for p in balance["positions"] if p["kind"] in ("reserved", "due", "escrow")]
            hold(not reserved, f"{name} still has {reserved}")
            hold(status == 0, f"{name}'s ledger does not pass rebuild: {error or out}")
            for contract in contracts:
                digests.setdefault(contract["id"], {})[name] = contract["state_digest"]
            report.append({
                "name": name, "did": studio.did, "net_paid": {"CNY": paid.get("CNY", 0)},
                "positions": [{k: p[k] for k in ("counterparty", "commodity", "kind", "amount")}
                              for p in balance["positions"]],
                "contracts": [{k: c[k] for k in ("id", "template", "grade", "outcome", "state_digest")}
                              for c in contracts]})
        for contract, parties in self.contracts.items():
            found = digests.get(contract, {})
            hold(sorted(found) == parties, f"{contract[:8]} is held by {sorted(found)}, not {parties}")
            hold(len(set(found.values())) == 1, f"{contract[:8]}: digests differ: {found}")
        hold(sum(n["net_paid"]["CNY"] for n in report) == 0, "the payments do not sum to zero")
        self.say("all stopped: equal digests, nothing reserved, every ledger passes rebuild")
        return report

    def statements(self, report):
        names = {n["did"]: n["name"] for n in report}
        print("\nWhat each studio paid, less what it received (CNY)")
        for node in report:
            print(f"  {node['name']:<10} {node['net_paid']['CNY'] / 100:>12,.2f}")
        print("\nContracts")
        for contract, parties in self.contracts.items():
            one = next(c for n in report for c in n["contracts"] if c["id"] == contract)
            print(f"  {one['template']:<22} {one['grade']:<10} {one['outcome']:<10} {', '.join(parties)}")
        print("\nCapacity delivered")
        for node in report:
            for p in node["positions"]:
                if p["kind"] == "delivered" and int(p["amount"]) > 0:
                    to = names.get(p["counterparty"], p["counterparty"])
                    print(f"  {node['name']:<10} {int(p['amount']):>6} {p['commodity']:<20} to {to}")

    def tell_of_nodes(self):
        """After something broke: which nodes run, which of them answer, and what each said last."""
        for studio in self.studios.values():
            if not studio.process:
                continue
            status = studio.process.poll()
            if status is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    status = "answers" if studio.run("status", seconds=5)[0] == 0 else "runs, and refuses"
            with open(f"{studio.home}.log", errors="replace") as log:
                last = "".join(f"    {line}" for line in log.readlines()[-8:])
            print(f"{studio.name}: {'runs and does not answer' if status is None else status}\n{last}", file=sys.stderr)

    def end(self):
        for studio in self.studios.values():
            if studio.process and studio.process.poll() is None:
                studio.process.kill()
                studio.process.wait()

    def play(self):
        """All of it; what each studio came to, for --json."""
        self.open_the_network()
        for part in (self.option, self.ink, self.production, self.batches, self.assistance, self.swap,
                     self.reputations, self.proof):
            part()
        report = self.close_the_books()
        self.statements(report)
        return report


def main(story_class):
    parser = argparse.ArgumentParser()
    parser.add_argument("--talea", required=True)
    parser.add_argument("--json")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="talea-demo-")
    story = story_class(os.path.abspath(given.talea), folder)
    print(f"{story.title}; homes and logs in {folder}")
    report = None
    try:
        report = story.play()
        if given.json:
            with open(given.json, "w") as file:
                json.dump({"nodes": report}, file, indent=1)
        if given.keep:
            for studio in story.studios.values():
                studio.start()
            for studio in story.studios.values():
                studio.ready()
            print("\nThe nodes go on running. Their pages, each link good once and for ten minutes:")
            for studio in story.studios.values():
                print(f"  {studio.name:<10} {studio('open')['link']}")
            first = next(iter(story.studios))
            print(f"More links: {given.talea} --home {folder}/{first} open")
        print(f"\nEvery rule held. {time.monotonic() - story.begun:.1f} s.")
        return 0
    except Broken as broken:
        story.tell_of_nodes()
        print(f"\nA rule was broken: {broken}\nHomes and logs stay in {folder}", file=sys.stderr)
        return 1
    finally:
        if not (given.keep and report):
            story.end()
        if report and not given.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(Story))
