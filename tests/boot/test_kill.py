"""
Services that are killed again and again: each comes back, whoever waits for an answer gets it, svc:// counts,
and the kernel's account is afterwards what it was before.
"""
import re
import time

import pytest
from account import at_rest, back_to, fill_screen
from campaign import all_run
from fixtures import both_ways
from vm import PROMPT, plain

KILLS = 50


def restarts(m, name):
    return int(re.search(rf"^{name} +\d+ running +(\d+) ", m.run("svc"), re.M).group(1))


def kill(m, name, times):
    """`times` kills in as few lines as fit."""
    while times > 0:
        n = min(times, 10)
        text = m.run("svc kill" + f" {name}" * n, timeout=60)
        assert text == "", text
        times -= n


def kill_in_background(m, name, times, pause):
    """A shell in the background kills, while the foreground does something else."""
    script = "; ".join([f"sleep {pause}; svc kill {name}"] * times)
    assert re.fullmatch(r"\[\d+\]\n", m.run(f"sh -c '{script}' &"))


def wait_for_restarts(m, name, count):
    for _ in range(100):
        if restarts(m, name) == count:
            return
        time.sleep(0.1)
    raise AssertionError(m.run("svc"))


def account(m):
    """
    With fresh instances of all services: a shell's history or a terminal's buffers touch one page more now and
    then, which is no loss. A loss in the kernel or in initd and initfsd shows.
    """
    all_run(m)
    fill_screen(m)
    assert m.run("svc kill rngd sysd tmpd outputd timed pcid fbd kbd moused inputd acpid sh1") == "", "each is running again"
    m.run("svc kill sh")
    m.run("cat acpi:// >null://")
    return at_rest(m)


def same_account(m, before):
    back_to(m, before, account)


@pytest.mark.parametrize("name", ["rngd", "sysd", "outputd", "tmpd", "timed", "pcid", "fbd", "kbd", "moused", "inputd", "acpid", "sh1", "sh"])
def test_fifty_kills(machine, name):
    m = machine
    at_a_time = 1 if name == "sh" else 10       # what follows in the line dies with the shell
    all_run(m)                                  # sh1 comes last, after this prompt
    for _ in range(3):
        kill(m, name, at_a_time)
    before = account(m)
    others = {other: restarts(m, other) for other in {"rngd", "sysd", "outputd", "tmpd", "timed", "pcid", "fbd", "kbd", "moused", "inputd", "acpid", "sh1", "sh"} - {name}}
    begin = restarts(m, name)
    for _ in range(KILLS // at_a_time):
        kill(m, name, at_a_time)
    assert restarts(m, name) == begin + KILLS
    for other, count in others.items():
        assert restarts(m, other) == count, "nobody else was started again"
    assert "killed" in m.run(f"svc info {name}")
    same_account(m, before)
    assert len(set(m.run("hexdump -n 16 rng://") for _ in range(3))) == 3
    assert m.run("head -n 1 log://").startswith("[0.000] Skerry")


def pids_of(m, program):
    return re.findall(rf"^ *(\d+) {program} ", m.run("ps"), re.M)


def warmed_up(m, scenario):
    """
    The account after a short round of what the test is about to do at length: pages of heaps and stacks that are
    touched for the first time are in it, so that whatever comes on top was lost.
    """
    scenario(5)
    return account(m)


def test_kill_rngd_under_a_reader(machine):
    """What a program reads while rngd is killed is whole, and nothing in it comes twice."""
    m = machine

    def scenario(kills):
        begin = restarts(m, "rngd")
        kill_in_background(m, "rngd", kills, 0.02)
        text = m.run(f"hexdump -v -n {640 * kills} rng://", timeout=120)
        rows = [line[10:59] for line in text.splitlines() if re.match(r"[0-9a-f]{8}  [0-9a-f]", line)]
        assert len(rows) == 40 * kills and len(set(rows)) == 40 * kills
        wait_for_restarts(m, "rngd", begin + kills)
        m.run("wait")

    before = warmed_up(m, scenario)
    scenario(KILLS)
    same_account(m, before)


@pytest.mark.parametrize("name, uri", [("rngd", "rng://"), ("sysd", "zero://")])
def test_kill_under_a_busy_reader(machine, name, uri):
    """A program that reads all the time has no read fail, and goes on reading."""
    m = machine

    def scenario(kills):
        reader = m.run(f"wc -c {uri} &").strip().strip("[]\n")
        kill(m, name, kills)
        assert "wc: running" in m.run("jobs")
        used = int(m.run(f"cat proc://{reader}/cpu"))
        m.run("sleep 0.3")
        assert int(m.run(f"cat proc://{reader}/cpu")) > used
        m.run(f"kill {reader}")
        m.run("wait")

    before = warmed_up(m, scenario)
    scenario(KILLS)
    same_account(m, before)


def test_kill_sysd_under_a_follower(machine):
    """A program waits for the next line of the log while sysd is killed: it sees every line once."""
    m = machine

    def scenario(kills):
        begin = restarts(m, "sysd")
        m.sendline("cat log://follow &")
        m.expect("rngd: seeded")
        mark = len(m.log)
        for _ in range(kills):
            m.sendline("svc kill sysd")
            m.expect(re.compile(r"sysd \(pid \d+\) ended: killed; starting it again"))
        time.sleep(0.5)
        m.sendline("echo end-of-it")
        m.expect("\nend-of-it")
        m.prompt()
        pids = re.findall(r"sysd \(pid (\d+)\) ended: killed", plain(m.log[mark:]))
        pids = pids[-kills:]
        assert len(pids) == kills and len(set(pids)) == kills, "each end is told once"
        (follower,) = pids_of(m, "cat")
        m.run(f"kill {follower}")
        m.run("wait")
        # The command the follower waited in is sysd's until there is something to answer: the next line.
        kill(m, "rngd", 1)
        assert restarts(m, "sysd") == begin + kills

    before = warmed_up(m, scenario)
    scenario(KILLS)
    same_account(m, before)


@both_ways
def test_kill_outputd_under_a_reader(machine):
    """A program waits for a line of the terminal while outputd is killed: it gets the lines typed meanwhile, each once."""
    m = machine

    def scenario(kills):
        begin = restarts(m, "outputd")
        kill_in_background(m, "outputd", kills, 0.02)
        m.sendline("cat")
        m.expect("\n")
        for i in range(kills // 2):
            line = f"typed while it dies, {i} of {kills}."
            m.sendline(line)
            m.expect(re.compile(rf"{line}\r?\n.*{line}\r?\n", re.S))
            time.sleep(0.05)
        m.send("\x04")
        m.prompt()
        wait_for_restarts(m, "outputd", begin + kills)
        m.run("wait")

    before = warmed_up(m, scenario)
    scenario(KILLS)
    same_account(m, before)


def test_kill_outputd_under_a_writer(machine, build):
    """What a program prints while outputd is killed arrives whole: no byte lost, none twice."""
    m = machine
    data = (build / "strip" / "sh").read_bytes()[:40000]

    def scenario(kills):
        begin = restarts(m, "outputd")
        kill_in_background(m, "outputd", kills, 0.04)
        text = m.run(f"hexdump -v -n {800 * kills} initfs:///bin/sh", timeout=120)
        rows = re.findall(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} +){1,16})\|", text, re.M)
        got = bytes(int(n, 16) for _, row in rows for n in row.split())
        assert [int(row[0], 16) for row in rows] == list(range(0, 800 * kills, 16))
        assert got == data[:800 * kills]
        wait_for_restarts(m, "outputd", begin + kills)
        m.run("wait")

    before = warmed_up(m, scenario)
    scenario(KILLS)
    same_account(m, before)


STRUCK = 30     # how many depends on the machine: the stream ends sooner on a quick one


@both_ways
def test_outputd_dies_at_every_instant(booted, test_image, smp):
    """Killed hundreds of times at instants between any two instructions, it prints each byte once: none is lost, none comes twice."""
    with booted(image=test_image, smp=smp) as m:

        def stream():
            m.sendline("hexdump -v -n 50000 initfs:///bin/systest")
            m.expect("\n")
            return m.prompt(120)

        want = stream()
        for spread_us in (2000, 4000) if smp == "1" else (3000,):
            assert m.run(f"put killer:// outputd 400 {spread_us} {spread_us}") == ""
            begin = restarts(m, "outputd")
            got = stream()
            assert got == want, f"{len(got)} bytes instead of {len(want)}"
            assert restarts(m, "outputd") > begin + STRUCK, "too few of the kills fell into the stream"
            while not m.run("cat killer://").startswith("0 "):
                time.sleep(0.2)


def test_kill_shell_while_it_reads(machine):
    """The shell dies waiting for a line; the next one is there at once."""
    m = machine

    def scenario(kills):
        begin = restarts(m, "sh")
        kill_in_background(m, "sh", kills, 0.04)
        for _ in range(kills):
            m.prompt()
        m.run("")
        wait_for_restarts(m, "sh", begin + kills)
        m.run("sleep 0.2")

    before = warmed_up(m, scenario)
    scenario(KILLS)
    same_account(m, before)


@both_ways
def test_kill_everything_at_once(machine):
    """All services, in turn and without a pause, while programs use all of them."""
    m = machine
    names = ("rngd", "sysd", "tmpd", "outputd", "timed", "pcid", "fbd", "kbd", "moused", "inputd", "acpid")

    def scenario(kills):
        begin = [restarts(m, name) for name in names]
        m.sendline("wc -c rng:// & wc -c zero:// & cat log://follow &")
        m.expect("rngd: seeded")
        for _ in range(kills):
            m.sendline("svc kill " + " ".join(names))
            m.prompt(60)
        time.sleep(0.5)
        m.sendline()
        m.sendline("echo all-done")
        m.expect("\nall-done")
        m.prompt()
        pids = pids_of(m, "wc") + pids_of(m, "cat")
        assert len(pids) == 3, "nobody was given an error"
        m.run("kill " + " ".join(pids))
        m.run("wait")
        kill(m, "sysd", 1)
        assert [restarts(m, name) for name in names] == [n + kills + (name == "sysd") for name, n in zip(names, begin)]

    before = warmed_up(m, scenario)
    scenario(KILLS)
    same_account(m, before)


def test_stop_and_start(machine):
    """A stopped service answers with an error, and comes back when started; nothing stays behind."""
    m = machine
    for _ in range(3):
        m.run("svc stop rngd; svc start rngd; hexdump -n 4 rng://")
    before = account(m)
    for _ in range(10):
        assert m.status_of("svc stop rngd")[1] == 0
        assert m.status_of("hexdump -n 4 rng://")[1] != 0
        assert m.status_of("svc start rngd")[1] == 0
        assert m.run("hexdump -n 4 rng://").startswith("00000000  ")
    same_account(m, before)


def test_ten_thousand_programs(machine):
    """10,000 programs one after the other, started by the shell: the account is the same before and after. On four CPUs test_system.py does as much."""
    m = machine

    def scenario(rounds):
        m.run("X='" + "true;" * 400 + "'", timeout=60)
        for _ in range(rounds):
            m.sendline('sh -c "$X"')
            m.expect("\n")
            assert plain(m.prompt(120)) == PROMPT

    scenario(1)
    before = account(m)
    first = int(re.search(r"(\d+) ps ", m.run("ps")).group(1))
    scenario(25)
    last = int(re.search(r"(\d+) ps ", m.run("ps")).group(1))
    assert last - first >= 10000
    same_account(m, before)
