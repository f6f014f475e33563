"""
Pseudo-terminals, from both sides at once (tests/system/ptytest), as they are and with outputd killed, or crashing, all the while: nothing is lost or
doubled, nobody waits for ever, and nothing is left behind.
"""
import re
import time

import pytest
from test_kill import account, same_account
from vm import Machine, Wait

CASES = ["lines 20", "flood 100", "typed 20", "control", "leave 40", "hangup", "hostile"]


@pytest.fixture(scope="module", name="m")
def machine(test_image):
    with Machine(test_image, mem=512) as m:
        m.boot()
        for case in CASES:              # what is made once is there then
            run(m, case)
        kill(m, 1)
        dust_settles(m)
        yield m


def run(m, case):
    text, status = m.status_of(f"ptytest {case}", timeout=120)
    assert status == 0 and text.endswith(case.split()[0] + " good\n"), text


def kill(m, times, how=""):
    m.run(f"put killer:// outputd {times} 20 4000 {how}")


def dust_settles(m):
    wait = Wait(m.process.pid, 60)
    while not re.match(r"0\b", m.run("cat killer://")):
        assert wait.left()
        m.run("put killer:// turn")     # each of these lines was answered, so nothing crashes for ever
        time.sleep(0.1)


def test_nothing_is_left(m):
    before = account(m)
    for case in CASES:
        run(m, case)
    same_account(m, before)
    assert "sleep" not in m.run("ps")


def test_killed(m):
    before = account(m)
    for case in CASES:
        kill(m, 25)
        run(m, case)
        dust_settles(m)
    run(m, "hostile")
    same_account(m, before)
    assert "sleep" not in m.run("ps")


def test_crashed(m):
    """In the midst of what it does, twice in a row at most between two lines of this test."""
    m.run("; ".join(["cat log:// >tty://1"] * 10))      # its history is full: what crashes log cannot make it longer
    for seed, case in enumerate(2 * CASES):
        if seed == len(CASES):          # what is made once is there
            before = account(m)
        kill(m, 4, f"crash seed={seed}")
        run(m, case)
        dust_settles(m)
    same_account(m, before)
    assert "sleep" not in m.run("ps")
