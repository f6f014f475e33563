"""
Boots to the prompt: every processor, memory size, boot medium and missing device that Skerry promises to take.
The shipped image is what boots.
"""
import re
import time

import pytest
from image import esp_with
from vm import KERNEL_MIN, Machine, Wait

bases = []          # where the kernel's image was, of every boot here that chose freely


def check_prompt(m):
    """What every machine must do at its prompt: the services run, and a program does."""
    assert re.search(r"^aml +running$", m.run("cat acpi://", 60), re.M), "its tables are those of a PC"
    services = m.run("cat svc://")
    for name in ("acpid", "inputd", "outputd", "pcid", "rngd", "sh", "sysd"):
        assert re.search(rf"^{name} +\d+ running +0 ", services, re.M), services
    assert m.run("hexdump -n 4 rng://").endswith("00000004\n"), "random numbers from whatever source there is"


def boots(build, image="skerry.img", **configuration):
    with Machine(build / image, **configuration) as m:
        m.boot()
        check_prompt(m)
        bases.append(m.kernel_base())
        return m.run("log")


@pytest.mark.parametrize("cpu", ["max", "qemu64", "max,-smep,-smap,-umip,-xsave", "max,-nx,-pdpe1gb", "Haswell,-pcid,-invpcid,-tsc-deadline,-x2apic"])
def test_processor(build, cpu):
    """What a processor lacks is missed by nobody; what it has is in use."""
    log = boots(build, cpu=cpu)
    features = re.search(r"cpu: (.*)", log).group(1).split()
    if cpu == "max":
        assert {"nx", "smep", "smap", "umip", "xsave"} <= set(features)
    if cpu == "qemu64":
        assert "nx" in features and not {"smep", "smap", "umip"} & set(features)


# OVMF itself needs 48 MiB to start a loader; the promise is 64.
@pytest.mark.parametrize("mib", [64, 128, 1024, 2049, 8192])
def test_memory(build, mib):
    """The kernel finds the memory the machine has, below and above the hole for devices under 4 GiB."""
    log = boots(build, mem=mib)
    usable = int(re.search(r"memory: (\d+) MiB usable", log).group(1))
    assert mib * 0.75 - 4 <= usable <= mib
    free = int(re.search(r"kernel: ready, (\d+) pages free", log).group(1)) / 256
    assert usable - free < 4 + usable / 50, "what the kernel takes for itself is small"


def test_least_memory(build):
    """48 MiB is the least with which this OVMF starts any loader; Skerry needs no more."""
    boots(build, mem=48)


@pytest.mark.parametrize("disk", ["virtio", "nvme", "ahci", "usb"])
@pytest.mark.parametrize("image", ["skerry.img", "esp.img"])
def test_medium(build, image, disk):
    """The image boots from every bus that firmware can read, with a partition table around it or without."""
    boots(build, image=image, disk=disk)


def test_no_hpet(build):
    log = boots(build, machine="q35,hpet=off")
    assert "HPET" not in re.search(r"acpi: (.*)", log).group(1)
    assert re.search(r"clock: TSC .* by PIT", log)


def test_broken_acpi_tables(build, tmp_path):
    """What the loader found wrong in a table is in the kernel's log, where programs can read it; the rest counts."""
    hpet, mcfg = tmp_path / "hpet", tmp_path / "mcfg"
    hpet.write_bytes(bytes(4) + b"\x01" + bytes(15))                            # registers in port space
    mcfg.write_bytes(bytes(8) + (0xb0000001).to_bytes(8, "little") + bytes(8))  # an odd address
    extra = ["-acpitable", f"sig=HPET,data={hpet}", "-acpitable", f"sig=MCFG,data={mcfg}"]
    with Machine(build / "skerry.img", machine="pc,hpet=off", smp=2, extra=extra) as m:
        m.boot()
        log = m.run("cat log://")
        assert "acpi: HPET table is unusable\n" in log
        assert "acpi: MCFG is unusable: 0xb0000001, bus 0 to 0\n" in log
        assert re.search(r"acpi: 2 CPUs, 1 IO-APICs, DSDT", log)
        assert re.search(r"clock: TSC .* by PIT", log)
        check_prompt(m)


def test_no_pit(build):
    boots(build, machine="q35,pit=off")


def test_no_legacy_devices(build):
    """No keyboard controller, no system management, no SATA."""
    boots(build, machine="q35,i8042=off,smm=off,sata=off")


def test_two_of_each(build, tmp_path):
    """A second serial port, and two more keyboards, one of which nobody drives yet; no HPET, and no century in the clock."""
    extra = ["-chardev", "null,id=second", "-device", "isa-serial,chardev=second", "-device", "qemu-xhci", "-device", "usb-kbd", "-device", "virtio-keyboard-pci"]
    image = esp_with(tmp_path / "esp.img", build, cmdline="timed.century=none")
    with Machine(image, machine="q35,hpet=off", extra=extra) as m:
        m.boot()
        check_prompt(m)
        log = m.run("cat log://")
        assert "kbd: PS/2 controller: a keyboard" in log and "by the clock chip (without a century)" in log
        assert f" {time.gmtime().tm_year}\n" in m.run("date")
        assert re.search(r"^vinputd\S* +\d+ running ", m.run("svc"), re.M)


def test_old_chipset(build):
    """The i440FX machine: no PCI Express, no MCFG table."""
    log = boots(build, machine="pc")
    assert "MCFG" not in re.search(r"acpi: (.*)", log).group(1)


def test_no_display(build):
    """Without one fbd has nothing to do, and says so once; nor has the shell of its first terminal."""
    with Machine(build / "skerry.img", vga="none") as m:
        m.boot()
        check_prompt(m)
        assert "screen:" not in m.run("log")
        wait = Wait(m.process.pid, 30)
        while not re.search(r"^sh1 +- ended ", services := m.run("svc"), re.M):
            assert wait.left(), services
        assert re.search(r"^fbd +- ended +0 ", services, re.M)
        text, status = m.status_of("cat tty://1")
        assert status != 0 and "no such" in text
        assert m.run("cat log://").count("fbd: ") == 1 and "fbd: no framebuffer\n" in m.run("cat log://")
        assert m.status_of("cat fb://")[1] != 0


@pytest.mark.parametrize("card", ["cirrus", "qxl", "virtio"])
def test_display(build, card):
    boots(build, vga=card)


def test_firmware_entropy(build):
    """What the firmware's generator gives reaches rngd; without a generator nothing is claimed."""
    for extra, expected in ((["-device", "virtio-rng-pci"], True), ([], False)):
        with Machine(build / "skerry.img", extra=extra) as m:
            m.boot()
            m.run("hexdump -n 4 rng://")
            bits = int(re.search(r"rngd: seeded: firmware (\d+) bits", m.run("cat log://")).group(1))
            assert (bits >= 128) == expected


def test_four_processors(build):
    """One of them is used for now; the others must not be in its way."""
    log = boots(build, smp=4)
    assert "acpi: 4 CPUs" in log


def test_no_serial(build, font, tmp_path):
    """The boot log is on the screen, to its end, and the machine is alive: it follows the power key."""
    with Machine(esp_with(tmp_path / "esp.img", build, cmdline="outputd.screen=log"), serial=False) as m:
        text = m.wait_screen(font, r"initd: \d+ services of \d+ started")
        assert text.startswith("[0.000] Skerry ")
        assert "PANIC" not in text
        for _ in range(100):            # the services beside the prompt still come up
            if "HLT=1" in m.qmp.monitor("info registers"):
                break
            time.sleep(0.1)
        else:
            pytest.fail("the processor sleeps when there is nothing to do")


def test_no_serial_no_display(build):
    """Nothing to show and nowhere to show it: it still comes up and goes to sleep."""
    with Machine(build / "skerry.img", serial=False, vga="none") as m:
        end_of_boot = None
        for _ in range(300):
            registers = m.qmp.monitor("info registers")
            in_kernel = re.search(r"RIP=ffffffff", registers)
            if in_kernel and "HLT=1" in registers and re.search(r"IDT= *ffffffff", registers):
                end_of_boot = registers
                break
            if m.qmp.wait_event("SHUTDOWN", 0.2):
                pytest.fail("the machine went down" + m.why_ended())
        assert end_of_boot, "the kernel never slept"


def test_log_on_screen(build, font, tmp_path):
    """The screen shows the log, line by line."""
    with Machine(esp_with(tmp_path / "esp.img", build, cmdline="outputd.screen=log")) as m:
        m.boot()
        m.wait_screen(font, r"rngd: seeded")
        log = m.run("cat log://")       # since the terminal came to life the serial port shows no more of it
        shown = m.screen().read(font)
        lines = [line for line in log.splitlines() if line.startswith("[")]
        assert len(lines) > 10
        for line in lines:
            assert line.rstrip() in shown


def test_kaslr(build):
    """Each boot puts the kernel somewhere else."""
    while len(bases) < 4:
        boots(build)
    # Of some thousand places two boots may get the same by chance.
    assert len(set(bases)) >= len(bases) - 2, [hex(base) for base in bases]
    assert all(base >= KERNEL_MIN for base in bases)
