#!/usr/bin/env python3
"""Nodes in one network, with the real avahi: each in a network namespace with a message bus and an avahi of its own, on one
bridge. Nobody is told an address. Members find each other, a stranger finds nobody, and what is announced names nobody."""

import argparse, os, re, shutil, signal, subprocess, sys, tempfile

import network_test
from journal_story import Broken, hold, until

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/></policy></busconfig>
"""
AVAHI = """[server]
host-name={name}
use-ipv6=no
allow-interfaces=eth
[publish]
disable-user-service-publishing=no
"""


class Place:
    """A namespace with its own bus and avahi."""

    def __init__(self, wires, index, folder):
        self.within, self.folder = wires.within(str(index)), f"{folder}/place{index}"
        os.mkdir(self.folder)
        self.bus = f"unix:path={self.folder}/bus"
        with open(f"{self.folder}/bus.conf", "w") as file:
            file.write(BUS.format(folder=self.folder))
        with open(f"{self.folder}/avahi.conf", "w") as file:
            file.write(AVAHI.format(name=f"studio{index}"))
        self.children = []
        self.start(["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork"])
        until(lambda: os.path.exists(f"{self.folder}/bus"), "the bus answers", 10)
        # Its mark that it runs lies under /run: one for each place.
        self.start(["unshare", "-m", "sh", "-c",
                    "mount -t tmpfs tmpfs /run && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits "
                    f"-f {self.folder}/avahi.conf"])

    def words(self):
        return self.within.split() + ["env", f"DBUS_SYSTEM_BUS_ADDRESS={self.bus}"]

    def start(self, command):
        log = open(f"{self.folder}/log", "a")
        self.children.append(subprocess.Popen(self.words() + command, stdout=log, stderr=log))

    def browse(self):
        words = ["avahi-browse", "-prt", "--no-db-lookup", "_talea._tcp"]
        try:
            done = subprocess.run(self.words() + words, capture_output=True, text=True, timeout=10)
        except subprocess.TimeoutExpired:
            # It waits for a place that is gone.
            return []
        return [line for line in done.stdout.split("\n") if line.startswith("=")]

    def end(self):
        for child in reversed(self.children):
            child.terminate()
            child.wait()


def announced(place):
    """What anybody in this network can read of us: instance, port, strings."""
    return [line.split(";", 9) for line in place.browse()]


def play(places, hosts):
    founder, *members, stranger = hosts
    invitation = founder.make(None)
    for host in members:
        host.make(invitation)
    stranger.make(None)
    for host in hosts:
        host.start()
    for host in hosts:
        host.ready()

    def peers(host):
        return {peer["did"] for peer in host("status")["peers"] if peer["established"]}
    inside = {host.did for host in hosts[:-1]}
    for host in hosts[:-1]:
        until(lambda: peers(host) == inside - {host.did}, f"{host.name} found all members", 60)
    print(f"{len(inside)} members found each other")
    hold(peers(stranger) == set(), "the stranger found somebody")

    air = until(lambda: len(found := announced(places[-1])) == len(hosts) and found, "all are announced", 30)
    for line in air:
        hold(re.fullmatch("[0-9a-f]{16}", line[3]) and re.fullmatch('"h=[0-9a-f]{16}"', line[9]),
             f"more is announced than a hint: {line}")
    hosts[1].stop(signal.SIGKILL)
    until(lambda: len(announced(places[-1])) == len(hosts) - 1, "who was killed is announced no more", 30)
    for host in (founder, hosts[2], stranger):
        host.stop()
    until(lambda: not announced(places[-1]), "nobody is announced any more", 30)
    print(f"{len(air)} announcements name nobody, and end with their nodes")


def run(talea, folder):
    wires = network_test.Wires(f"tl{os.getpid() % 10000}", 4)
    places, hosts = [], []
    try:
        wires.lay()
        for index in range(wires.count):
            places.append(Place(wires, index, folder))
            host = network_test.Host(index, wires, folder, talea)
            host.within, host.flags = places[-1].words(), ["--lan"]
            hosts.append(host)
        play(places, hosts)
    finally:
        for host in hosts:
            if host.process and host.process.poll() is None:
                host.process.kill()
                host.process.wait()
        for place in places:
            place.end()
        wires.remove()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talea", required=True)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("network namespaces want root: sudo scripts/lan_test.py …")
    missing = [name for name in ("avahi-daemon", "avahi-browse", "dbus-daemon") if not shutil.which(name)]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; apt-get install avahi-daemon avahi-utils dbus")
    try:
        with tempfile.TemporaryDirectory(prefix="talea-lan-") as folder:
            run(os.path.abspath(options.talea), folder)
        print("every rule held")
    except Broken as broken:
        sys.exit(f"BROKEN: {broken}")
