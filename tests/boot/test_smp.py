"""
Several CPUs: all of them start, in every topology; what is said of the first one alone holds for all. The programs that try
everything, at random and while services die, run on four CPUs that really run at the same time (QEMU's MTTCG).
A bare processor has two of them in tests/boot/test_system.py. Tests marked both_ways (tests/lib/fixtures.py) run on one CPU and on four;
SKERRY_CPUS=4 runs any other test so.
"""
import re
import threading

import pytest
from account import settled
from fixtures import at_prompt

TOPOLOGIES = ["1", "2", "4,sockets=2,cores=1,threads=2", "8,sockets=2,cores=2,threads=2", "6,sockets=1,cores=3,threads=2"]


def all_run(m, smp):
    n = int(smp.split(",")[0])
    assert f"cpu: {n} CPU{'s' if n > 1 else ''} of {n}\n" in m.run("log")
    assert re.search(rf"^cpus {n}$", m.run("cat proc://kstat"), re.M)


@pytest.mark.parametrize("smp", TOPOLOGIES)
def test_all_start(booted, build, smp):
    with booted(image=build / "skerry.img", smp=smp) as m:
        all_run(m, smp)


def test_hot_pluggable_ones_are_none(booted, build):
    """Places for CPUs that are not there, which MADT lists as not enabled."""
    with booted(image=build / "skerry.img", smp="2,maxcpus=6") as m:
        assert "cpu: 2 CPUs of 2\n" in m.run("log")


@pytest.mark.parametrize("smp, calls", [("4", 100000), ("8", 40000)])
def test_random_system_calls(booted, test_image, smp, calls):
    """A million of them is test_system's."""
    with booted(image=test_image, smp=smp) as m:
        text = m.run(f"randcall {smp} {calls}", timeout=600)
        assert re.search(r"^randcall: account equal$", text, re.M), text


def test_interrupts_go_round(booted, test_image):
    """A line that is taken again goes to another CPU (docs/smp.md): what the IO-APIC was told for GSI 2, the 8254's."""
    with booted(image=test_image, smp=4) as m:
        targets = set()
        for _ in range(3):
            assert "system: 1 passed, 0 failed" in m.run("systest irq-on-every-cpu")
            targets.add(re.search(r"^ *pin 2 .*dest=([0-9a-f]+)", m.qmp.monitor("info pic"), re.M).group(1))
        assert len(targets) > 1, targets


def moves(m, slot, stop):
    """The memory of a PCI function goes and comes again until `stop`: its command register, through the ports, which nobody else uses where there is an MCFG."""
    command = 1 << 31 | slot << 11 | 4
    while not stop.is_set():
        for line in f"o /w 0xcf8 {command:#x}", "o /h 0xcfc 0", "o /h 0xcfc 3":
            m.qmp.monitor(line)


def test_a_device_moves_meanwhile(test_image):
    """
    Of two accesses to an IO-APIC the second arrives, too, while a device comes and goes, as when pcid sizes a BAR on another CPU
    (abi/mmio.h). On a machine that has booted itself: QEMU does no such thing to one from a snapshot.
    """
    with at_prompt(test_image, smp=4, extra=["-device", "pci-testdev,addr=10"]) as m:
        settled(m)
        stop = threading.Event()
        mover = threading.Thread(target=moves, args=(m, 0x10, stop))
        mover.start()
        try:
            for _ in range(10):
                assert "system: 1 passed, 0 failed" in m.run("systest irq-on-every-cpu")
        finally:
            stop.set()
            mover.join()


@pytest.mark.parametrize("smp", ["2", "4"])
def test_storms(booted, test_image, smp):
    """Those of systest that are about several CPUs (tests/system/systest/smp.c), again and again. All of it runs on 1 and 2 (test_system.py) and on 4 (test_sanitized.py)."""
    with booted(image=test_image, smp=smp) as m:
        for _ in range(2):
            text = m.run("systest smp.pairs smp.crowd smp.wakes smp.interrupts smp.pages smp.split smp.timers smp.suspends smp.closes smp.kills smp.exits", timeout=200)
            assert re.search(r"^system: 11 passed, 0 failed$", text, re.M), text
