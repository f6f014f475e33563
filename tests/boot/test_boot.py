"""
Boots to the prompt: every processor, memory size, boot medium and missing device that Skerry promises to take.

The shipped image is what boots; a command line, where a test needs one, is put into the boot.cfg of a copy.
"""
import re

import pytest
from image import esp_with
from vm import Machine, plain

KERNEL_MIN = 0xffffffff80000000
bases = []          # where the kernel's image was, of every boot here that chose freely


def kernel_base(m, build):
    """
    Where this boot has put the kernel: the descriptor table's address, as the processor holds it, less its place
    in the image. The kernel itself tells nobody.
    """
    registers = m.qmp.monitor("info registers")
    table = int(re.search(r"IDT= *([0-9a-f]+)", registers).group(1), 16)
    return table & ~0xffff


def check_prompt(m):
    """What every machine must do at its prompt: the four services run, and a program does."""
    services = m.run("cat svc://")
    for name in ("outputd", "rngd", "sh", "sysd"):
        assert re.search(rf"^{name} +\d+ running +0 ", services, re.M), services
    assert m.run("echo it works") == "it works\n"


def boots(build, image="skerry.img", **configuration):
    with Machine(build / image, **configuration) as m:
        log = m.boot()
        check_prompt(m)
        bases.append(kernel_base(m, build))
        return log


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


def test_no_pit(build):
    boots(build, machine="q35,pit=off")


def test_no_legacy_devices(build):
    """No keyboard controller, no system management, no SATA."""
    boots(build, machine="q35,i8042=off,smm=off,sata=off")


def test_old_chipset(build):
    """The i440FX machine: no PCI Express, no MCFG table."""
    log = boots(build, machine="pc")
    assert "MCFG" not in re.search(r"acpi: (.*)", log).group(1)


def test_no_display(build):
    log = boots(build, vga="none")
    assert "screen:" not in log


@pytest.mark.parametrize("card", ["cirrus", "qxl", "virtio"])
def test_display(build, card):
    boots(build, vga=card)


def test_four_processors(build):
    """One of them is used for now; the others must not be in its way."""
    log = boots(build, smp=4)
    assert "acpi: 4 CPUs" in log


def test_no_serial(build, font):
    """The boot log is on the screen, to its end, and the machine is alive: it follows the power key."""
    with Machine(build / "skerry.img", serial=False) as m:
        text = m.wait_screen(font, r"initd: \d services of \d started")
        assert text.startswith("[0.000] Skerry ")
        assert "PANIC" not in text
        registers = m.qmp.monitor("info registers")
        assert "HLT=1" in registers, "the processor sleeps when there is nothing to do"


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


def test_log_on_screen(build, font):
    """The screen shows the log, line by line."""
    with Machine(build / "skerry.img") as m:
        m.boot()
        m.wait_screen(font, r"rngd: seeded")
        log = m.run("cat log://")       # since the terminal came to life the serial port shows no more of it
        shown = m.screen().read(font)
        lines = [line for line in log.splitlines() if line.startswith("[")]
        assert len(lines) > 10
        for line in lines:
            assert line.rstrip() in shown


def test_no_kaslr(build, tmp_path):
    """nokaslr: the kernel is where it is linked, each time."""
    image = esp_with(tmp_path / "esp.img", build, cmdline="nokaslr")
    places = set()
    for cpu in ("max", "qemu64"):
        with Machine(image, cpu=cpu) as m:
            assert "command line: nokaslr" in m.boot()
            places.add(kernel_base(m, build))
    assert len(places) == 1
    assert KERNEL_MIN <= places.pop() < KERNEL_MIN + (4 << 20)


def test_kaslr(build):
    """Each boot puts the kernel somewhere else."""
    while len(bases) < 4:
        boots(build)
    assert len(set(bases)) >= len(bases) - 1, [hex(base) for base in bases]
    assert all(base >= KERNEL_MIN for base in bases)


def test_quiet(build, tmp_path, font):
    """quiet=1: the first word is the prompt, and the screen stays as the firmware left it."""
    image = esp_with(tmp_path / "esp.img", build, cmdline="quiet=1")
    with Machine(image) as m:
        m.boot()
        said = plain(m.log)
        assert "Skerry" not in said and "[0." not in said, said
        assert "Skerry" not in m.screen().read(font)
        assert "command line: quiet=1" in m.run("cat log://"), "the log itself is complete"


def test_debug(build, tmp_path):
    image = esp_with(tmp_path / "esp.img", build, cmdline="debug")
    with Machine(image) as m:
        assert len(re.findall(r"memory: [0-9a-f]+-[0-9a-f]+ \w+", m.boot())) > 5


@pytest.mark.parametrize("words, expected", [
    ("nohpet", r"clock: TSC .* by PIT"), ("clock=pit", r"clock: TSC .* by PIT"), ("nox2apic", r"apic: xAPIC")])
def test_option(build, tmp_path, words, expected):
    image = esp_with(tmp_path / "esp.img", build, cmdline=words)
    with Machine(image) as m:
        log = m.boot()
        assert re.search(expected, log)
        assert "unknown option" not in log


def test_video(build, tmp_path):
    """video=WxH chooses the mode; one the card does not have is no obstacle."""
    for words, expected in (("video=1024x768", "1024x768"), ("video=1x1", None)):
        image = esp_with(tmp_path / "esp.img", build, cmdline=words)
        with Machine(image) as m:
            log = m.boot()
            size = re.search(r"screen: (\d+x\d+)", log).group(1)
            assert expected in (None, size)
            screen = m.screen()
            assert size == f"{screen.width}x{screen.height}"


def test_menu(build, tmp_path):
    """Two entries: a menu; the arrow key chooses; the choice is what starts."""
    config = ("timeout = none\n[first]\ncmdline = debug\n[second]\ncmdline = second.entry\n").encode()
    image = esp_with(tmp_path / "esp.img", build, files={"boot.cfg": config})
    with Machine(image) as m:
        m.expect("Enter starts", 60)
        m.send("\x1b[B")
        m.send("\r")
        assert "command line: second.entry" in m.boot()


def test_menu_timeout_and_edit(build, tmp_path):
    """The first entry starts by itself; its command line can be edited for one boot."""
    config = ("timeout = 2\n[first]\ncmdline = first.entry\n[second]\n").encode()
    image = esp_with(tmp_path / "esp.img", build, files={"boot.cfg": config})
    with Machine(image) as m:
        assert "command line: first.entry" in m.boot()
    with Machine(image) as m:
        m.expect("Enter starts", 60)
        m.send("e")
        m.expect("Command line for this boot")
        m.send(" typed.words\r")
        m.send("\r")
        assert "command line: first.entry typed.words" in m.boot()
