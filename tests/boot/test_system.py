"""
The system tests: programs in the test image that try every system call, right and wrong, inside the booted machine.
Each prints its own verdicts; what is checked here is that they ran, on a machine with everything and on a bare one.
"""
import re

import pytest
from fixtures import both_ways

MACHINES = [("max", "1"), ("qemu64", "2")]
SEED = 20260101
TESTS_AT_LEAST = 60


@pytest.mark.parametrize("cpu, smp", MACHINES)
def test_every_system_call(booted, test_image, cpu, smp):
    with booted(image=test_image, cpu=cpu, smp=smp) as m:
        text = m.run("systest", timeout=180)
        failed = re.findall(r"^FAIL .*$", text, re.M)
        assert not failed, "\n".join(failed)
        summary = re.search(r"^system: (\d+) passed, 0 failed$", text, re.M)
        assert summary and int(summary.group(1)) >= TESTS_AT_LEAST, text[-500:]
        # The machine is as it was: one more command, and nothing broken in the log.
        assert "svc" in m.run("svc list; echo svc")


def test_a_million_random_system_calls(booted, test_image):
    with booted(image=test_image) as m:
        text = m.run(f"randcall {SEED} 1000000", timeout=600)
        assert f"seed {SEED}" in text
        assert re.search(r"^randcall: account equal$", text, re.M), text
        assert int(re.search(r"^randcall: (\d+) calls by", text, re.M).group(1)) >= 1000000


def test_random_system_calls_on_a_bare_processor(booted, test_image):
    with booted(image=test_image, cpu="qemu64", mem=128, smp="2") as m:
        text = m.run(f"randcall {SEED + 1} 100000", timeout=300)
        assert re.search(r"^randcall: account equal$", text, re.M), text


@both_ways
def test_ten_thousand_programs(booted, test_image, smp):
    with booted(image=test_image, smp=smp) as m:
        assert "spawnloop: 10000 runs, nothing left behind" in m.run("spawnloop 10000", timeout=300)


def test_the_account_notices_a_loss(booted, test_image):
    """What says "nothing left behind" can say otherwise: a program that goes on holding something is seen."""
    with booted(image=test_image) as m:
        before = m.run("cat proc://kstat")
        m.run("sleep 100 &")
        during = m.run("cat proc://kstat")

        def processes(text):
            return int(re.search(r"^objects.process (\d+)$", text, re.M).group(1))

        assert processes(during) == processes(before) + 1
