"""
Pseudo-terminals, from both sides at once (tests/system/ptytest), as they are and with outputd killed all the while: nothing is lost or doubled, and
nothing is left behind.
"""
import re
import time

import pytest
from test_kill import account, same_account
from vm import Machine, Wait

CASES = ["lines 20", "flood 100", "typed 20", "control", "hangup", "hostile"]


@pytest.fixture(scope="module", name="m")
def machine(test_image):
    with Machine(test_image, mem=512) as m:
        m.boot()
        for case in CASES:              # what is made once is there then
            run(m, case)
        yield m


def run(m, case):
    text, status = m.status_of(f"ptytest {case}", timeout=120)
    assert status == 0 and text.endswith(case.split()[0] + " good\n"), text


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_left(m, case):
    before = account(m)
    run(m, case)
    same_account(m, before)
    assert "sleep" not in m.run("ps")


@pytest.mark.parametrize("case", CASES)
def test_killed(m, case):
    before = account(m)
    m.run("put killer:// outputd 40 20 4000")
    run(m, case)
    wait = Wait(m.process.pid, 60)
    while not re.match(r"0\b", m.run("cat killer://")):
        assert wait.left()
        time.sleep(0.1)
    run(m, case)
    same_account(m, before)
