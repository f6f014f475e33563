"""
tally://, the example of docs/ipc.md (tests/system/tallyd): it adds up, and killed at any instant with clients
waiting it counts each write once.
"""
import re
import time

import pytest
from test_kill import account, kill, restarts, same_account

CLIENTS = 4
ROUNDS = 25
KILLS = 150


@pytest.fixture
def m(booted, test_image):
    with booted(image=test_image) as machine:
        yield machine


def total(m):
    return int(m.run("cat tally://"))


def wait_for_restarts(m, count):
    """Through back-off, too."""
    for _ in range(300):
        if re.search(rf"^tallyd +\d+ running +{count} ", m.run("svc"), re.M):
            return
        time.sleep(0.1)
    raise AssertionError(m.run("svc"))


def load(m, kills, min_us, spread_us, fault=""):
    """Clients that add 1, 2, 3 ... and one that reads, beside kills; nobody sees an error, and the sum is right."""
    before, begin = total(m), restarts(m, "tallyd")
    m.run(f"put killer:// tallyd {kills} {min_us} {spread_us} {fault}")
    m.run("X='" + "".join(f"put tally:// {i};" for i in range(1, ROUNDS + 1)) + "'")
    text = m.run(" ".join('sh -c "$X" &' for _ in range(CLIENTS)) + " sh -c '" + "cat tally://;" * ROUNDS + "'; wait", timeout=180)
    assert not re.search(r"put:|cat:|exited with status [1-9]", text), text
    seen = [int(n) for n in re.findall(r"^(\d+)$", text, re.M)]
    assert len(seen) == ROUNDS and seen == sorted(seen), text
    wait_for_restarts(m, begin + kills)
    assert total(m) == before + CLIENTS * ROUNDS * (ROUNDS + 1) // 2
    log = m.run("cat log://")
    assert "is dropped" not in log and "fault:" not in log, log


def test_it_adds_up(m):
    assert total(m) == 0
    m.run("put tally:// 5; echo 37 >tally://")
    assert total(m) == 42
    kill(m, "tallyd", 3)
    assert total(m) == 42


@pytest.mark.parametrize("spread_us", [3000, 300])
def test_kills_under_clients(m, spread_us):
    load(m, 5, 0, spread_us)
    before = account(m)
    load(m, KILLS, 0, spread_us)
    same_account(m, before)


def test_faults_under_clients(m):
    """As if each had been its own fault, with time to serve in between: back-off makes the clients wait, and that is all."""
    load(m, 4, 100000, 100000, "fault")
