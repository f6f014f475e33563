"""
The sanitized kernel (make SAN=1, kernel/debug/) under load, on one CPU and on four: every access to memory, every lock and every
undefined operation is looked at, and nothing is to be said.
"""
import re

import pytest
from sanitized import MEMORY, has_shadow, systest

SEED = 20260301
STORMS = "smp.pairs smp.crowd smp.wakes smp.interrupts smp.pages smp.kills"


@pytest.fixture(name="here", params=[1, 4])
def machine_of_so_many_cpus(request, booted, build):
    with booted(image=build / "san" / "esp.img", smp=request.param, mem=MEMORY) as m:
        yield m


def test_every_system_call(here):
    assert has_shadow(here)
    assert systest(here) >= 60


def test_random_system_calls(here):
    text = here.run(f"randcall {SEED} 30000", timeout=600)
    assert re.search(r"^randcall: account equal$", text, re.M), text


def test_programs(here):
    assert "spawnloop: 500 runs, nothing left behind" in here.run("spawnloop 500", timeout=400)


def test_storms(here):
    for _ in range(3):
        assert systest(here, STORMS) == 6
