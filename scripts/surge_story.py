#!/usr/bin/env python3
"""The surge drill: a pastry studio makes 100 boxes a day, 250 at most, and 400 are wanted. Its standing
agreements with three partner kitchens are called; one kitchen is off.

Six processes, nothing shared but what travels over TCP. An hour of the drill is two seconds here, so the
drill has a template of its own: mutual assistance, in which a response time may be that short. Exit status
0 only if every rule held."""

import shutil, sys

from journal_story import Story, at_once, hold, main, until

CAST = ["moyun", "yunxi", "hetang", "songfeng", "xiehui", "zhongcai"]
KITCHENS = {"yunxi": 80, "hetang": 60, "songfeng": 60}
BASE, MOST, DEMAND = 100, 250, 400
PRICE, FEE, REMEDY = 1_800, 100, 5_000  # fen
HOUR = 2  # seconds
ANSWER_WITHIN = 2  # hours


def shares(total, weights):
    """Floors, then one each to the largest remainders; of equals the first."""
    whole = sum(weights.values())
    parts = {name: total * weight // whole for name, weight in weights.items()}
    rests = sorted(weights, key=lambda name: -(total * weights[name] % whole))
    for name in rests[:total - sum(parts.values())]:
        parts[name] += 1
    return parts


class Surge(Story):
    title = "The surge drill"

    def __init__(self, talea, folder):
        super().__init__(talea, folder, CAST, "surge")
        self.agreements, self.moved, self.owed = {}, {}, 0

    def hour(self, number, text):
        print(f"  hour {number:<2} {text}", flush=True)

    def rehearse(self):
        """A template of the drill's own, laid into every home; each node explores it before it takes it."""
        file = f"{self.folder}/surge-drill.yaml"
        self.moyun("template", "new", **{"from": "mutual-assistance", "name": "surge-drill", "out": file})
        with open(file, encoding="utf-8") as source:
            text = source.read()
        short = text.replace("respond: {type: duration, min: 1m", "respond: {type: duration, min: 1s")
        hold(short != text, "the response time can be shortened")
        with open(file, "w", encoding="utf-8") as target:
            target.write(short)

        def take(studio):
            shutil.copy(file, f"{studio.home}/contracts/surge-drill.yaml")
            listed = studio("template", "list")
            hold(not listed["refused"], f"{studio.name} does not take the template: {listed['refused']}")
        at_once(take, self.studios.values())
        self.say("each node explored the drill's template and took it")

    def agree_beforehand(self):
        for name, cap in KITCHENS.items():
            kitchen = self.studios[name]
            line = self.line(kitchen, "pastry/box", cap)
            self.agreements[name] = self.agree(
                self.moyun, ["moyun", name, "xiehui", "zhongcai"], "surge-drill", "propose", line=line,
                user="moyun", supplier=name, partner="xiehui", arbiter="zhongcai", trigger=MOST, cap=cap,
                cap_call=cap, cap_month=cap, price="18.00", fee="1.00", remedy="50.00", ends="+90d",
                respond=f"{ANSWER_WITHIN * HOUR}s")
        self.say("three standing agreements: 80, 60 and 60 boxes, an answer within two hours, else 50.00")

    def draw(self, units, kitchens, parts):
        """One command: the node splits the units by what each agreement still holds."""
        before = {name: len(self.moyun.show(self.agreements[name])["records"]) for name in kitchens}
        told = self.moyun("assist", "draw", contract=[self.agreements[n] for n in kitchens], sold=DEMAND, units=units)
        shared = {one["contract"]["id"]: one["units"] for one in told["shares"]}
        named = {name: shared[self.agreements[name]] for name in kitchens if self.agreements[name] in shared}
        hold(named == {n: u for n, u in parts.items() if u}, f"the node shares {named}, fair is {parts}")
        calls = {}
        for name, part in named.items():
            contract = self.agreements[name]
            until(lambda: len(self.moyun.show(contract)["records"]) > before[name], f"the draw on {name} is ordered")
            calls[name] = (part, self.moyun.show(contract)["records"][before[name]]["number"])
        return calls

    def answer(self, calls, off):
        for name, (units, record) in calls.items():
            if name in off:
                continue
            contract, kitchen = self.agreements[name], self.studios[name]
            until(lambda: self.state(kitchen, contract, record) == "asked", f"{name} is asked")
            kitchen("assist", "promise", contract=contract, record=record)
            until(lambda: self.state(self.moyun, contract, record) == "promised", f"{name} promised")
            self.moved[name] = self.moved.get(name, 0) + units

    def surge(self):
        short = DEMAND - MOST
        self.hour(0, f"{DEMAND} boxes wanted: {BASE} as every day, {MOST} at most, {short} short")
        songfeng = self.studios["songfeng"]
        songfeng.stop()
        parts = shares(short, KITCHENS)
        everyone = list(self.agreements.values())
        self.moyun.refused("assist", "draw", contract=everyone, sold=DEMAND, units=201, saying=["hold 200 together"])
        self.moyun.refused("assist", "draw", contract=everyone + everyone[:1], sold=DEMAND, units=3, saying=["twice"])
        calls = self.draw(short, KITCHENS, parts)
        self.hour(0, "called in shares of the caps: " + ", ".join(f"{n} {u}" for n, u in parts.items()))
        self.answer(calls, {"songfeng"})
        for name in ("yunxi", "hetang"):
            self.hour(1, f"{name} answered and promised {parts[name]}")
        units, record = calls["songfeng"]
        contract = self.agreements["songfeng"]
        due = next(d for d in self.moyun.show(contract)["deadlines"] if d["record"] == record)
        until(lambda: any(d["passed"] for d in self.moyun.show(contract)["deadlines"]
                          if d["record"] == record), "the answer of songfeng is late")
        self.hour(ANSWER_WITHIN, f"songfeng did not answer (due {due['until']})")
        self.moyun("default", contract=contract, record=record)
        until(lambda: self.state(self.moyun, contract, record) == "unanswered", "the default stands")
        self.owed += REMEDY
        self.hour(3, f"songfeng owes moyun {REMEDY / 100:.2f}; its {units} are free again")
        room = {n: cap - parts[n] for n, cap in KITCHENS.items() if n != "songfeng"}
        units = min(units, sum(room.values()))
        again = shares(units, room)
        self.hour(3, "called again: " + ", ".join(f"{n} {u}" for n, u in again.items()))
        more = self.draw(units, room, again)
        self.answer(more, set())
        for name in again:
            self.hour(4, f"{name} promised {again[name]} more")
        self.calls = [(name, record) for each in (calls, more) for name, (_, record) in each.items()
                      if name != "songfeng"]

    def deliver_all(self):
        for name, record in self.calls:
            contract, kitchen = self.agreements[name], self.studios[name]
            kitchen("delivery", "state", contract=contract, record=record, evidence=self.evidence)
            until(lambda: self.state(self.moyun, contract, record) == "stated", f"{name} delivered")
            before = len(self.moyun.show(contract)["records"])
            self.moyun("delivery", "confirm", contract=contract, record=record, evidence=self.evidence)
            until(lambda: len(self.moyun.show(contract)["records"]) > before, "the fee is due")
            fee = self.moyun.show(contract)["records"][before]["number"]
            self.pay(self.moyun, kitchen, contract, record)
            self.pay(self.moyun, self.xiehui, contract, fee)
        self.hour(24, "all that was promised is delivered, confirmed and paid, the coordinator's fee too")

    def tell(self):
        moved, short = sum(self.moved.values()), DEMAND - MOST
        print(f"\nDemand {DEMAND} = {MOST} own + {moved} moved + {short - moved} unserved")
        for name, cap in KITCHENS.items():
            print(f"  {name:<9} cap {cap:>3}  moved {self.moved.get(name, 0):>3}"
                  + ("" if name in self.moved else f"  did not answer, owes {REMEDY / 100:.2f}"))
        outsourced = DEMAND * 30 // 100
        print(f"The source text sends 30 % to partners: {outsourced} of {DEMAND}. With {MOST} of its own that makes "
              f"{MOST + outsourced}: {DEMAND - MOST - outsourced} are missing in its own numbers.")
        hold(moved == 140 and short - moved == 10, f"140 moved and 10 unserved, not {moved}")

    def check(self):
        self.studios["songfeng"].start()
        self.studios["songfeng"].ready()
        for contract in self.agreements.values():
            steps = lambda studio: len(studio.show(contract)["steps"])
            for name in self.contracts[contract]:
                until(lambda: steps(self.studios[name]) == steps(self.moyun), f"{name} has every step")
        for studio in self.studios.values():
            until(lambda: not studio("status")["outbox"], f"{studio.name} has delivered everything")
        at_once(lambda studio: studio.stop(), self.studios.values())
        report, paid, digests = [], {}, {}
        for name, studio in self.studios.items():
            balance = studio("ledger", "balance", "--offline")
            status, out, error = studio.run("ledger", "rebuild", "--check", "--offline")
            hold(status == 0, f"{name}'s ledger does not pass rebuild: {error or out}")
            paid[name] = int(balance["net_paid"].get("CNY", 0))
            for one in studio("contract", "list", "--offline")["contracts"]:
                digests.setdefault(one["id"], set()).add(one["state_digest"])
            report.append({"name": name, "did": studio.did, "net_paid": {"CNY": paid[name]}, "moved": self.moved.get(name, 0)})
        hold(all(len(found) == 1 for found in digests.values()), f"digests differ: {digests}")
        boxes = sum(self.moved.values())
        wanted = {n: -PRICE * self.moved.get(n, 0) for n in KITCHENS}
        wanted |= {"moyun": (PRICE + FEE) * boxes, "xiehui": -FEE * boxes, "zhongcai": 0}
        hold(paid == wanted, f"paid {paid}, not {wanted}")
        self.say("all stopped: equal digests, every ledger passes rebuild, paid as delivered to the fen")
        return report

    def play(self):
        for part in (self.open_the_network, self.rehearse, self.agree_beforehand, self.surge,
                     self.deliver_all, self.tell):
            part()
        return self.check()


if __name__ == "__main__":
    sys.exit(main(Surge))
