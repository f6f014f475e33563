"""
The ways down: poweroff ends QEMU by ACPI's S5, reboot resets the machine. QEMU tells a reset that the guest asked for
from a triple fault only in its log, so that is looked at too.
"""
import re

import pytest
from image import esp_with
from vm import Machine


def test_poweroff(machine):
    machine.sendline("poweroff")
    event = machine.qmp.wait_event("SHUTDOWN", 30)
    assert event == {"guest": True, "reason": "guest-shutdown"}
    assert machine.wait_end() == 0


def test_poweroff_by_writing(machine):
    """The same by a line to svc://, as programs without the poweroff command do it."""
    machine.sendline("put svc:// poweroff")
    assert machine.qmp.wait_event("SHUTDOWN", 30)["reason"] == "guest-shutdown"


def test_reboot(machine):
    machine.sendline("reboot")
    event = machine.qmp.wait_event("SHUTDOWN", 30)
    assert event["reason"] == "guest-reset"
    machine.wait_end()
    assert not machine.triple_fault()


# Word on the command line, machine, and whether it comes to the last way: the processor itself.
@pytest.mark.parametrize("way, machine_, last", [("cf9", "q35", False), ("keyboard", "q35", False), ("keyboard", "q35,i8042=off", True)])
def test_ways_to_reboot(build, tmp_path, way, machine_, last):
    """Each alone (ACPI's is test_reboot's); without a keyboard controller that one is of no use, and the last one is tried."""
    image = esp_with(tmp_path / "esp.img", build, cmdline=f"reset={way}")
    with Machine(image, machine=machine_) as m:
        m.boot()
        m.sendline("reboot")
        assert m.qmp.wait_event("SHUTDOWN", 30)["reason"] == "guest-reset"
        m.wait_end()
        assert m.triple_fault() == last


def test_reboot_comes_back(build, tmp_path):
    """Without -no-reboot: through the firmware to the prompt again, twice."""
    with Machine(esp_with(tmp_path / "esp.img", build), reboots=True) as m:
        m.boot()
        for _ in range(2):
            m.sendline("reboot")
            assert m.qmp.wait_event("RESET", 30)["reason"] == "guest-reset"
            m.expect("[0.000] Skerry", 90)          # a shell that another CPU ran may have prompted once more before
            m.boot()
        assert "echo" in m.run("ls initfs:///bin")


def test_poweroff_under_load(machine):
    """Programs that run, and a service that will not stop in time, do not hold it up."""
    machine.run("wc -c zero:// & wc -c rng:// & sleep 1000 &")
    machine.sendline("poweroff")
    assert machine.qmp.wait_event("SHUTDOWN", 30)["reason"] == "guest-shutdown"


def test_poweroff_on_other_machines(build):
    """Where the S5 values are others: the i440FX chipset, and without HPET."""
    for machine in ("pc", "q35,hpet=off"):
        with Machine(build / "skerry.img", machine=machine) as m:
            m.boot()
            m.sendline("poweroff")
            assert m.qmp.wait_event("SHUTDOWN", 30)["reason"] == "guest-shutdown"


def test_nmi_is_survived_or_told(machine):
    """An NMI out of the blue: either the machine goes on or the panic names it. It never hangs silently."""
    machine.qmp.command("inject-nmi")
    machine.sendline("echo alive")
    text = machine.expect(re.compile(r"\r\nalive\r\n|PANIC.*NMI.*\n"), 30, panics=True)
    if "PANIC" in text:
        machine.expect("The machine is stopped", 30, panics=True)


def test_debug_exit_is_for_test_builds(booted):
    """The shipped system has no way to QEMU's exit device."""
    with booted(debug_exit=True) as m:
        m.sendline("put svc:// exit 3")
        m.prompt()
        assert m.run("echo alive") == "alive\n"
