"""
tmp:// while its server is killed: nothing acknowledged is lost, nothing is done twice, and afterwards the kernel's
account is what it was.
"""
import re
import time

import pytest
from test_kill import account, kill, restarts, same_account

CLIENTS = 3
ROUNDS = 800
KILLS = 200


@pytest.fixture
def m(booted, test_image):
    with booted(image=test_image) as machine:
        yield machine


def wait_for_restarts(m, count):
    """Through back-off, too."""
    for _ in range(100):
        if re.search(rf"^tmpd +\d+ running +{count} ", m.run("svc"), re.M):
            return
        time.sleep(0.1)
    raise AssertionError(m.run("svc"))


def load(m, rounds, kills, spread_us, fault=""):
    """
    Clients beside kills, until both are done; what is left behind is as the clients were told. The killer
    (tests/system/killer) strikes up to `spread_us` after each start, in the middle of whatever goes on.
    """
    begin = restarts(m, "tmpd")
    m.run(f"put killer:// tmpd {kills} 0 {spread_us} {fault}")
    text = m.run(" ".join(f"tmpload run {i} {rounds} &" for i in range(CLIENTS)) + " wait", timeout=180)
    for i in range(CLIENTS):
        assert f"tmpload {i}: {rounds} rounds done" in text, text
    wait_for_restarts(m, begin + kills)
    assert "each exactly once" in m.run(f"tmpload verify {CLIENTS} {rounds}", timeout=60)
    kill(m, "tmpd", 1)
    assert "each exactly once" in m.run(f"tmpload verify {CLIENTS} {rounds}", timeout=60)
    assert m.run("tmpload clean", timeout=60) == "tmpload: clean\n"
    assert m.run("ls tmp://") == ""
    log = m.run("cat log://")
    assert "damaged" not in log and "is dropped" not in log and "fault:" not in log, log


@pytest.mark.parametrize("spread_us", [3000, 300])
def test_kills_under_clients(m, spread_us):
    """At 300 us it dies again and again while it recovers."""
    load(m, ROUNDS, 5, spread_us)
    before = account(m)
    load(m, ROUNDS, KILLS, spread_us)
    same_account(m, before)


def test_faults_under_clients(m):
    """Faults count against the kept state only when nothing was served in between; back-off makes clients wait."""
    load(m, ROUNDS, 6, 100000, "fault")


def test_state_that_kills_is_dropped(m):
    """Three faults in a row before a single command: the next instance begins with nothing, and says so."""
    # Each has the time to look at its state: who dies before that cannot have died of it.
    m.run("put tmp://a kept")
    begin = restarts(m, "tmpd")
    m.run("put killer:// tmpd 2 50000 1 fault")
    wait_for_restarts(m, begin + 2)
    assert m.run("cat tmp://a; cat tmp://a") == "kept\n" * 2
    m.run("put killer:// tmpd 3 50000 1 fault")
    wait_for_restarts(m, begin + 5)
    assert m.run("ls tmp://") == ""
    assert "three faults in a row; it is dropped" in m.run("cat log://")
    m.run("put tmp://a new")
    kill(m, "tmpd", 3)
    assert m.run("cat tmp://a") == "new\n"


def test_files_outlive_their_server(m):
    m.run("mkdir -p tmp://a/b")
    m.run("cp initfs:///bin/sh tmp://a/b/sh")
    m.run("put tmp://note one")
    m.run("put -a tmp://note two")
    sums = m.run("sha256sum initfs:///bin/sh").split()[0]
    for _ in range(3):
        kill(m, "tmpd", 10)
        assert m.run("sha256sum tmp://a/b/sh").split()[0] == sums
        assert m.run("cat tmp://note") == "one\ntwo\n"
    # A program that runs from a file that goes, and a server that dies under it.
    assert m.run("tmp://a/b/sh -c 'rm tmp://a/b/sh; svc kill tmpd; echo still here'") == "still here\n"
    assert m.run("ls tmp://a/b") == ""


def test_stopped_and_started(m):
    """What was open and has no name any more goes with the Sessions that a stop ends."""
    def stop_and_start():
        m.run("sh -c 'hexdump -n 9000 rng://; sleep 1000' >tmp:///held &")
        m.run("sleep 0.2; rm tmp:///held; svc stop tmpd; svc start tmpd")
        assert m.run("ls tmp://") == ""
        m.run("kill " + " ".join(re.findall(r"^ *(\d+) sh +", m.run("ps"), re.M)[-1:]))
        m.run("wait")

    stop_and_start()
    before = account(m)
    stop_and_start()
    stop_and_start()
    same_account(m, before)


def test_no_space_is_said_and_passes(m):
    """One that fills everything gets an error; the others go on, and what is removed can be used again."""
    m.run("put tmp://keep kept")
    text = m.run("cp zero:// tmp://big", timeout=120)
    assert re.search("full|space", text), text
    assert m.run("cat tmp://keep") == "kept\n"
    m.run("rm tmp://big")
    assert m.run("cp initfs:///bin/sh tmp://sh; stat tmp://sh").count("size") == 1
    assert "running" in m.run("svc info tmpd") and restarts(m, "tmpd") == 0
    m.run("rm tmp://sh tmp://keep")
