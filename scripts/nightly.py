"""Runs the long checks one after another within some hours and writes what came of them."""

import argparse, json, os, re, subprocess, sys, time

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Night:
    def __init__(self, given):
        self.given = given
        self.begun = time.monotonic()
        self.report = {"commit": run(["git", "rev-parse", "HEAD"])[1].strip(), "parts": []}
        os.makedirs(given.report, exist_ok=True)

    def left(self):
        return self.given.hours * 3600 - (time.monotonic() - self.begun)

    def part(self, name, seconds, work):
        """`work` gets a file for its log and returns (verdict, counts)."""
        begun = time.monotonic()
        print(f"== {name}", flush=True)
        with open(f"{self.given.report}/{name.replace(' ', '-')}.log", "w") as log:
            try:
                passed, counts = work(log, seconds)
            except subprocess.TimeoutExpired:
                passed, counts = False, {"reason": "did not end in time"}
        self.report["parts"].append({
            "name": name, "passed": passed, "seconds": round(time.monotonic() - begun, 1), **counts})
        print(f"   {'passed' if passed else 'FAILED'}: {counts}", flush=True)

    def crash_rig(self, log, seconds):
        path = f"{self.given.report}/crash-rig.json"
        status = run([f"{REPO}/scripts/crash_rig", "--talea", self.given.talea, "--json", path,
                      "--seconds", str(int(seconds))], log)[0]
        with open(path) as file:
            found = json.load(file)
        return status == 0, {key: found[key] for key in (
            "points_known", "points_run", "passed", "lost", "broken", "not_reached", "restarted",
            "seconds_per_point")}

    def canary(self, log, _):
        status, out = run([f"{REPO}/scripts/crash_rig", "--talea", self.given.talea, "--canary"], log)
        return status == 0, {"planted_loss_found": status == 0}

    def install_rig(self, log, _):
        status, _ = run([f"{REPO}/scripts/install_rig", "--talea", self.given.talea], log)
        return status == 0, {}

    def power(self, log, _):
        images = self.given.images
        status, out = run(["swift", "test", "--skip-build", "--filter", "PowerLossTests"], log,
                          TALEA_POWER_IMAGES=str(images))
        return status == 0, {"images": images, **tests(out)}

    def coverage(self, log, _):
        status, out = run([f"{REPO}/scripts/coverage"], log)
        share = re.search(r"\| all \|.* ([0-9.]+) % \|", out)
        return status == 0, {"percent": float(share[1]) if share else 0}

    def sanitize(self, kind):
        def work(log, _):
            status, out = run([f"{REPO}/scripts/sanitize", kind], log)
            # Some runs, one after another; not that of one test, as below.
            found = re.findall(r"Test run with (\d+) tests .*(?:passed|failed)", out)
            return status == 0, {"tests": sum(map(int, found))}
        return work

    def fuzz(self, log, _):
        status, out = run([f"{REPO}/scripts/fuzz", "--corpora"], log)
        return status == 0, {"targets": len(re.findall(r"^\S+ \d+ runs$", out, re.M))}

    def release(self, log, _):
        status, out = run(["swift", "test", "--skip-build", "-c", "release", "-Xswiftc", "-enable-testing",
                           "--scratch-path", ".build-relpure"], log, TALEA_PURE="1")
        return status == 0, tests(out)

    def flips(self, log, _):
        status, out = run(["swift", "test", "--skip-build", "--filter", "BitFlipTests"], log,
                          TALEA_BIT_FLIPS=str(self.given.flips))
        return status == 0, {"bits_per_page": self.given.flips, **tests(out)}

    def market(self, log, seconds):
        """Seeds in blocks, until the time is over; the first block that fails ends it."""
        first, block, blocks = self.given.seed, 50, []
        end = time.monotonic() + seconds
        while time.monotonic() < end or not blocks:
            status, out = run([self.given.talea, "simulate", "market", "--seeds",
                               f"{first}..{first + block - 1}", "--json"], log)
            blocks.append(out)
            first += block
            if status != 0:
                return False, {"seeds": len(blocks) * block, "failing_block": first - block}
        return True, {"seeds": len(blocks) * block, "first_seed": self.given.seed}

    def simple(self, *words):
        def work(log, _):
            status, out = run([self.given.talea, *words], log)
            # A canary must fail.
            return (status != 0) == (words[-1] == "canary"), {}
        return work

    def knows(self, *words):
        """Whether the program has such a verb."""
        return run([self.given.talea, *words, "--help"])[0] == 0

    def run(self):
        self.part("crash rig canary", 60, self.canary)
        self.part("pure tests in release", 600, self.release)
        self.part("installation", 300, self.install_rig)
        self.part("power loss", 600, self.power)
        self.part("bit flips", 600, self.flips)
        self.part("coverage", 1200, self.coverage)
        self.part("thread sanitizer", 2400, self.sanitize("thread"))
        self.part("address sanitizer", 2400, self.sanitize("address"))
        self.part("fuzzing", 1200, self.fuzz)
        has_market = self.knows("simulate", "market")
        if has_market:
            self.part("simulator canary", 300, self.simple("simulate", "canary"))
        # The crash rig gets half of what is left, all of it where there is no simulator.
        self.part("crash rig", self.left() * (0.5 if has_market else 1), self.crash_rig)
        if has_market:
            self.part("market", max(60, self.left()), self.market)
        self.report["hours"] = round((time.monotonic() - self.begun) / 3600, 2)
        self.report["passed"] = all(part["passed"] for part in self.report["parts"])
        return self.write()

    def write(self):
        with open(f"{self.given.report}/report.json", "w") as file:
            json.dump(self.report, file, indent=1)
        lines = [f"Night of {time.strftime('%Y-%m-%d')}, commit {self.report['commit'][:12]}, "
                 f"{self.report['hours']} h: {'passed' if self.report['passed'] else 'FAILED'}", ""]
        for part in self.report["parts"]:
            rest = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in part.items()
                             if key not in ("name", "passed", "seconds"))
            lines.append(f"{'ok  ' if part['passed'] else 'FAIL'}  {part['name']:<18} "
                         f"{part['seconds']:>8} s  {rest}")
        text = "\n".join(lines) + "\n"
        with open(f"{self.given.report}/report.txt", "w") as file:
            file.write(text)
        print("\n" + text)
        return 0 if self.report["passed"] else 1


def run(line, log=None, **environment):
    done = subprocess.run(line, cwd=REPO, env=os.environ | environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if log:
        log.write(done.stdout)
    return done.returncode, done.stdout


def tests(out):
    # A test that starts the tests once more prints a run of its own.
    found = re.findall(r"Test run with (\d+) tests?.* (?:passed|failed)", out)
    return {"tests": max(map(int, found), default=0)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talea", required=True)
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--report", default=f"{REPO}/.build/nightly")
    parser.add_argument("--images", type=int, default=1_000)
    parser.add_argument("--flips", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    return Night(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
