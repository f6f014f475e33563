"""
fixtures: what the machine tests share: where the images are, machines at their prompt, and the serial log of a
test that failed. For the conftest.py of each folder.

SKERRY_BUILD names another build folder than build/ (with build/test/ for the test build inside).
"""
import os
import pathlib
import time

import pytest
import vm
from account import settled

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SKERRY_BUILD", ROOT / "build"))


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def build():
    """The shipped build: build/skerry.img, build/esp.img, build/kernel.elf ..."""
    if not (BUILD / "skerry.img").exists():
        pytest.fail(f"{BUILD}/skerry.img is not there: make it first", pytrace=False)
    return BUILD


@pytest.fixture(scope="session")
def test_image(build):
    """The image of the test build, with the programs of tests/system."""
    image = build / "test" / "esp.img"
    if not image.exists():
        pytest.fail(f"{image} is not there: make TEST=1 first", pytrace=False)
    return image


@pytest.fixture(scope="session")
def font(build):
    return vm.kernel_font(build)


def idle(machine):
    """What starts beside and after the prompt has done so: all CPUs sleep, for half a second. Nobody is asked, so the shell's history is empty."""
    wait, looks = vm.Wait(machine.process.pid, 10), 0
    while looks < 5 and wait.left():
        looks = 0 if "HLT=0" in machine.qmp.monitor("info registers -a") else looks + 1
        time.sleep(0.1)


def at_prompt(image, **configuration):
    """A machine that has booted. QEMU 7.2 with several CPUs crashes by itself once in many thousand boots: then another."""
    for last in (False, True):
        machine = vm.Machine(image, **configuration)
        try:
            machine.boot()
            return machine
        except BaseException:
            crashed = machine.crashed()
            machine.close()
            if last or not crashed:
                raise
    return None


@pytest.fixture(scope="session")
def booted(build, tmp_path_factory):
    """
    booted(**configuration): a machine at its prompt; each configuration boots once, the rest are forks of it.

    Without the AHCI controller: the loader leaves it with bus mastering off, and QEMU does not take a snapshot
    back in which it is running without.
    """
    states = {}

    def make(**configuration):
        configuration = {"smp": vm.CPUS, **configuration}
        key = repr(sorted(configuration.items()))
        if key not in states:
            image = configuration.pop("image", build / "skerry.img")
            path = tmp_path_factory.mktemp("state") / "state"
            with at_prompt(image, **{"machine": "q35,sata=off", **configuration}) as first:
                idle(first)
                if image != build / "skerry.img":
                    settled(first)      # the programs of the test build count what there is
                first.snapshot(path)
            states[key] = lambda: first.fork(path)
        return states[key]()

    return make


@pytest.fixture
def smp():
    """How many CPUs; @both_ways: one, and four."""
    return vm.CPUS


both_ways = pytest.mark.parametrize("smp", ["1", "4"])


@pytest.fixture
def machine(booted, smp):
    """A machine at its prompt, all one's own."""
    with booted(smp=smp) as m:
        yield m


@pytest.fixture(autouse=True)
def fresh_list_of_machines():
    vm.Machine.made.clear()
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for number, m in enumerate(vm.Machine.made, 1):
            report.sections.append((f"machine {number}: {' '.join(m.command)}", m.complaints() or "(QEMU said nothing)"))
            report.sections.append((f"machine {number}: serial log", vm.plain(m.log)))
