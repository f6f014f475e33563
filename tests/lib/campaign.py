"""
campaign: services die at random while twenty programs use them all (tests/system/crowd), and afterwards everything is as those
programs were told and the kernel's account is what it was. Everything follows from a seed, which a failure names.
"""
import re
import time

from account import at_rest, back_to, fill_screen
from vm import PATIENCE, plain

VICTIMS = ("initd", "initfsd", "sysd", "rngd", "outputd", "tmpd", "timed", "pcid", "fbd", "kbd", "moused", "inputd", "acpid", "counterd")
CLIENTS = 20
HANGS_S = 120           # who waits so long in the machine: a switch of threads there takes ten milliseconds where others want the host's processors
CHAIN = ("initfsd", "initd")
# What no service may ever have to say, however it dies.
BAD_NEWS = re.compile(r"^.*(damaged|is dropped|are dropped|panic: (?!made to fail)|cannot be|does not start|out of memory|left out).*$", re.M)


def pid_of(m, name):
    for _ in range(200):
        hit = re.search(rf"^ *(\d+) {name} (?! *dying)", m.run("ps"), re.M)
        if hit:
            return int(hit.group(1))
        time.sleep(0.05)
    raise AssertionError(f"{name} does not run")


def services(m):
    """svc:// as {name: (state, restarts)}."""
    return {name: (state, int(count)) for name, state, count in re.findall(r"^(\S+) +(?:\d+|-) (\w+) +(\d+) ", m.run("svc"), re.M)}


def all_run(m):
    """Through back-off, too."""
    for _ in range(200):
        if all(state in ("running", "unused", "template") for state, _ in services(m).values()):
            return
        time.sleep(0.1)
    raise AssertionError(m.run("svc"))


def account(m):
    """With fresh instances of all: pages that an instance touches for the first time are no loss."""
    all_run(m)
    fill_screen(m)
    m.run("svc kill " + " ".join(name for name, (state, _) in services(m).items() if name != "sh" and state == "running"))
    m.run("svc kill sh")
    for name in CHAIN:
        assert m.run(f"kill {pid_of(m, name)}") == ""
        pid_of(m, name)
    m.run("svc; ls initfs:///bin; cat acpi:// >null://")
    return at_rest(m)


def same_account(m, before):
    back_to(m, before, account)


def check_terminal(text):
    """The numbered lines of each client on the terminal: every one once and in order."""
    seen = {}
    for self, i, tail in re.findall(r"<tty (\d+) (\d+) (\w*)>", text):
        i = int(i)
        assert tail == "abcdefghijklmnopqrstuvwxyz"[:i % 27], f"line {i} of client {self} is torn: {tail}"
        assert i == seen.get(self, -1) + 1, f"after line {seen.get(self, -1)} of client {self} came {i}"
        seen[self] = i
    lines = {self: int(n) for self, n in re.findall(r"^crowd: client (\d+) wrote (\d+) lines", text, re.M)}
    assert lines and lines == {self: n + 1 for self, n in seen.items()}, (lines, seen)


def campaign(m, kills, seed, spread_us=20000, how="", victims=VICTIMS, timeout=600):
    line = f"{','.join(victims)} {kills} 100 {spread_us} {how} seed={seed}"
    mark = len(m.log)
    text = m.run(f"crowd {CLIENTS} {seed} '{line}' {int(HANGS_S * PATIENCE)}", timeout=timeout)
    report = re.sub(r"<tty .*\n", "", text)
    assert "each exactly once" in report and "FAILED" not in report, report + m.run("cat log://")[-6000:]
    check_terminal(text)
    assert "PANIC" not in plain(m.log[mark:])
    return report


def check_log(m):
    bad = BAD_NEWS.search(m.run("cat log://"))
    assert not bad, bad.group()
