"""
acpid: what the tables say and do on a machine whose tables we know, and what tables that mean harm can do: end acpid at most.
"""
import hashlib
import random
import re
import struct
import time

import pytest
from image import esp_with
from vm import Machine

CRASHES = 3         # in a row; then the SSDTs are left out (sbin/acpid/main.c)
MEM = 128


def restarts(m, name="acpid"):
    return int(re.search(rf"^{name} +\S+ \S+ +(\d+) ", m.run("svc"), re.M).group(1))


def power_button(m):
    """Presses it, once somebody listens; the machine ends everything in order and switches itself off."""
    assert "aml        running" in m.run("cat acpi://")
    m.qmp.command("system_powerdown")
    event = m.qmp.wait_event("SHUTDOWN", 60)
    assert event == {"guest": True, "reason": "guest-shutdown"}
    assert m.wait_end() == 0
    return m.log


# ---- looking ----

def test_summary(machine):
    text = machine.run("cat acpi://")
    assert re.search(r"^oem +BOCHS BXPC revision 1$", text, re.M), text
    assert re.search(r"^aml +running$", text, re.M), text
    assert re.search(r"^hardware +fixed, SCI 9 level high$", text, re.M), text
    assert re.search(r"^sleep +(S\d )*S5$", text, re.M), text
    assert re.search(r"^buttons +power", text, re.M), text
    assert "refused" not in text, text
    assert machine.run("ls acpi://").split() == ["irq", "tables/"]
    assert {"DSDT", "FACP", "APIC", "HPET", "MCFG"} <= set(machine.run("ls acpi://tables").split())


def test_paths(machine):
    for path, word in (("nope", "no such"), ("tables/NOPE", "no such"), ("irq/x", "directory"), ("tables/DSDT/x", "directory")):
        text, status = machine.status_of(f"cat acpi://{path}")
        assert status != 0 and word in text, text
    text, status = machine.status_of("put acpi://irq x")
    assert status != 0 and "cannot be written" in text
    assert machine.run("stat acpi://tables/../irq") != ""
    assert machine.run("echo alive") == "alive\n"


def test_routing(machine):
    """q35: devices below 25 go round four lines from GSI 20 on or 16 on, all level and active high (QEMU, hw/i386/acpi-build.c)."""
    lines = machine.run("cat acpi://irq").splitlines()
    assert len(lines) == 128 and len({line.split()[0] + line.split()[1] for line in lines}) == 128
    for line in lines:
        assert re.fullmatch(r"00:[01][0-9a-f] [ABCD]    (1[6-9]|2[0-3]) level high", line), line
    assert "00:1f A    16 level high" in lines


def test_authority(machine):
    """It holds what its manifest names; nobody else may switch off by acpi://."""
    pid = re.search(r"^acpid +(\d+) running", machine.run("svc"), re.M).group(1)
    assert machine.run(f"cat proc://{pid}/namespace").split() == ["svc"]


# ---- the button, off, reboot ----

def test_power_button(machine):
    power_button(machine)


def test_power_button_after_kills(machine):
    """Twenty times dead, a level-triggered interrupt and enabled events left behind each time."""
    for i in range(20):
        assert machine.run("svc kill acpid") == ""
        if i % 5 == 0:
            assert "aml        running" in machine.run("cat acpi://")
    assert restarts(machine) == 20
    power_button(machine)


def test_button_pressed_during_the_boot(build, tmp_path):
    """What is pressed while the firmware starts is not meant for us; once the kernel runs it is heard, though acpid comes up later."""
    with Machine(esp_with(tmp_path / "esp.img", build)) as m:
        m.expect("BdsDxe: starting", 90)
        m.qmp.command("system_powerdown")
        m.boot()
        assert "the power button was pressed" not in m.run("cat acpi:// log://")
    with Machine(esp_with(tmp_path / "esp.img", build)) as m:
        m.expect("[0.000] Skerry", 90)
        m.qmp.command("system_powerdown")
        assert m.qmp.wait_event("SHUTDOWN", 60) == {"guest": True, "reason": "guest-shutdown"}


def test_button_pressed_while_dead(machine):
    """What is pressed between two instances is heard by the next."""
    assert "aml        running" in machine.run("cat acpi://")
    machine.run("svc stop acpid")
    machine.qmp.command("system_powerdown")
    time.sleep(0.5)
    assert "running" in machine.run("svc"), "nobody is there to hear it"
    machine.sendline("svc start acpid")
    assert machine.qmp.wait_event("SHUTDOWN", 60) == {"guest": True, "reason": "guest-shutdown"}


@pytest.mark.parametrize("how", ["poweroff", "reboot"])
def test_without_acpid(machine, how):
    """initd can do without."""
    machine.run("svc stop acpid")
    machine.sendline(how)
    assert machine.qmp.wait_event("SHUTDOWN", 60)["reason"] == ("guest-reset" if how == "reboot" else "guest-shutdown")


# ---- AML by hand ----

def length(body):
    """A package: its length in front (ACPI 6.5 section 20.2.4)."""
    n = len(body) + 1
    if n < 64:
        return bytes([n]) + body
    n += 1
    return bytes([0x40 | (n & 15), n >> 4]) + body


def text(value):
    return b"\x0d" + value + b"\0"


def number(value):
    return b"\x0c" + struct.pack("<I", value)


def name(seg, value):
    return b"\x08" + seg + value


def package(*elements):
    return b"\x12" + length(bytes([len(elements)]) + b"".join(elements))


def method(seg, body, arguments=0):
    return b"\x14" + length(seg + bytes([arguments]) + body)


def device(seg, hid, body=b""):
    return b"\x5b\x82" + length(seg + name(b"_HID", text(hid)) + body)


def notify(seg, value):
    return b"\x86" + seg + b"\x0a" + bytes([value])


def write(space, address, n=0):
    """AML that writes ones to 32 bits at an address of a space (0: memory, 1: ports). n: makes names of its own."""
    region, field = b"RG%02d" % n, b"FL%02d" % n
    return (b"\x5b\x80" + region + bytes([space]) + b"\x0e" + struct.pack("<Q", address) + number(16)
            + b"\x5b\x81" + length(region + b"\x03" + field + b"\x20") + b"\x70\xff" + field)


def with_ssdts(build, tmp_path, *tables, **configuration):
    extra = configuration.pop("extra", [])
    for i, aml in enumerate(tables):
        path = tmp_path / f"ssdt{i}"
        path.write_bytes(aml)
        extra = extra + ["-acpitable", f"sig=SSDT,rev=2,oem_id=HAND,oem_table_id=TABLE{i},data={path}"]
    return Machine(configuration.pop("image", build / "skerry.img"), mem=MEM, extra=extra, **configuration)


def summary(m):
    return m.run("cat acpi://", 90)


# ---- a machine with what QEMU has not ----

BATTERY = (name(b"_BIF", package(number(0), number(50000), number(40000), *[number(1)] * 6, text(b"Cell\x1b[2J"), text(b"1"), text(b"Li"), text(b"X")))
           + name(b"_BST", package(number(2), number(5000), number(30000), number(12000))))
LAPTOP = b"\x10" + length(b"\\_SB_" + device(b"SLPB", b"PNP0C0E")
                         + device(b"LID0", b"PNP0C0D", method(b"_LID", notify(b"SLPB", 0x80) + notify(b"LID0", 0x80) + b"\xa4\x01"))
                         + device(b"BAT0", b"PNP0C0A", BATTERY) + device(b"BAT1", b"PNP0C0A", name(b"_STA", b"\x0a\x0f"))
                         + device(b"ADP0", b"ACPI0003", method(b"_PSR", b"\xa4\x01")))


@pytest.fixture(scope="module")
def laptop(build, tmp_path_factory):
    """Lid, batteries, power supply and sleep button; looking at the lid moves it, and presses the button. The last test switches it off."""
    folder = tmp_path_factory.mktemp("laptop")
    image = esp_with(folder / "esp.img", build, cmdline="outputd.screen=log")
    with with_ssdts(build, folder, write(1, 0x80), LAPTOP, image=image, extra=["-action", "shutdown=pause"]) as m:
        m.boot()
        yield m


@pytest.fixture(scope="module")
def memory(laptop, tmp_path_factory):
    dump = tmp_path_factory.mktemp("memory") / "memory"
    laptop.qmp.command("pmemsave", val=0, size=MEM << 20, filename=str(dump))
    return dump.read_bytes()


def tables_of(memory, signature):
    """All tables of a kind in a dump of memory that are whole (ACPI 6.5 section 5.2.6)."""
    at = memory.find(signature)
    while at >= 0:
        size = struct.unpack_from("<I", memory, at + 4)[0]
        if 36 <= size <= len(memory) - at and sum(memory[at:at + size]) & 255 == 0:
            yield memory[at:at + size]
        at = memory.find(signature, at + 1)


def test_tables_are_those_in_memory(laptop, memory):
    """Each file is, byte for byte, a table that lies in memory."""
    for file in ("DSDT", "FACP", "APIC", "HPET", "MCFG", "SSDT", "SSDT2"):
        found = {hashlib.sha256(t).hexdigest(): len(t) for t in tables_of(memory, file[:4].encode())}
        digest = laptop.run(f"sha256sum acpi://tables/{file}").split()[0]
        assert digest in found, (file, found)
        assert laptop.run(f"cat acpi://tables/{file} | wc -c").split()[0] == str(found[digest])
    assert laptop.run("wc -c acpi://tables/SSDT2").split()[0] == str(36 + len(LAPTOP))


def test_laptop(laptop):
    seen = summary(laptop)
    assert "aml        running" in seen and "refused" not in seen, seen
    assert re.search(r"^lid +open$", seen, re.M), seen
    assert re.search(r"^battery +charging, 30000 of 40000 mWh, Cell\?\[2J$", seen, re.M), "bytes that a terminal would obey are not shown"
    assert re.search(r"^battery +absent$", seen, re.M), seen
    assert re.search(r"^supply +on line$", seen, re.M), seen
    assert re.search(r"^buttons +power sleep \(device\)$", seen, re.M), seen
    said = laptop.run("cat log://")
    assert "acpid: the sleep button was pressed" in said and "acpid: the lid was opened or closed" in said
    assert restarts(laptop) == 0


def test_order(laptop, font):
    """From the button to the switch: all others end first, and acpid does it, not what initd falls back on. The screen keeps the log."""
    laptop.qmp.command("system_powerdown")
    assert laptop.qmp.wait_event("SHUTDOWN", 60)["reason"] == "guest-shutdown"
    shown = laptop.wait_screen(font, "switching the machine off")
    lines = [shown.index(line) for line in ("acpid: the power button was pressed", "initd: powering off", "sh (pid", "inputd (pid",
                                            "rngd (pid", "initd: switching the machine off")]
    assert lines == sorted(lines), shown
    assert "acpid (pid" not in shown and "does not answer" not in shown and "could not do it" not in shown, shown


# ---- tables that mean harm ----

# RAM, interrupt controllers, ports of the kernel and of other services. What is in the RAM is the kernel's, or may be a program's.
WILD = [(0, 0x0), (0, 0x100000), (0, 0x2000000), (0, 0xfec00000), (0, 0xfee00300), (1, 0x60), (1, 0x70), (1, 0x3f8)]
BROKEN = [b"\x10\x3f" + b"A" * 20, b"\x14\x20NONE\0"]


def test_wild_and_broken(build, tmp_path):
    """Each wild write is refused; what is no AML is told in the log; and the machine goes on."""
    with with_ssdts(build, tmp_path, *[write(*at, n) for n, at in enumerate(WILD)], *BROKEN) as m:
        m.boot()
        seen = summary(m)
        assert "aml        running" in seen, seen
        assert int(re.search(r"^refused +(\d+)", seen, re.M).group(1)) >= len(WILD), seen
        said = m.run("cat log://")
        for space, address in WILD:
            assert re.search(rf"acpid: {'port' if space else 'memory'} 0x{address:x}\+\d+ is refused", said), said
        assert re.search(r"acpid: ACPI.*(Error|error|Warning)", said), said
        assert restarts(m) == 0
        assert m.run("hexdump -n 4 rng://").endswith("00000004\n")
        power_button(m)


def test_mutated_tables(build, tmp_path, memory):
    """The machine's own DSDT, each time with other bytes of it wrong: whatever acpid makes of it, nobody else suffers."""
    dsdt = max(tables_of(memory, b"DSDT"), key=len)[36:].replace(b"PCI0", b"XCI0")
    r = random.Random(5)
    tables = []
    for _ in range(6):
        bad = bytearray(dsdt)
        for _ in range(r.choice((1, 10, 100))):
            bad[r.randrange(len(bad))] = r.choice((0, 0xff, r.randrange(256)))
        tables.append(bytes(bad))
    with with_ssdts(build, tmp_path, *tables) as m:
        m.boot()
        assert "aml        running" in summary(m)
        others = re.findall(r"^(\w+) +\d+ running +(\d+) ", m.run("svc"), re.M)
        assert {"sysd", "rngd", "outputd", "pcid", "sh"} <= {service for service, _ in others}
        assert all(service == "acpid" or count == "0" for service, count in others), others
        assert m.run("hexdump -n 4 rng://").endswith("00000004\n")
        power_button(m)


def test_deadly_table(build, tmp_path):
    """AML that ends acpid each time it runs (it writes to the HPET, which it may only read): after three times it is left out."""
    with with_ssdts(build, tmp_path, write(0, 0xfed00000)) as m:
        m.boot()
        seen = summary(m)
        assert "aml        running without SSDTs" in seen, seen
        assert restarts(m) == CRASHES
        assert "page fault" in m.run("svc")
        assert "SSDTs are left out" in m.run("cat log://")
        assert len(m.run("cat acpi://irq").splitlines()) == 128
        power_button(m)


def test_slow_tables(build, tmp_path):
    """
    While (One) {} is broken off, and acpid serves. Firmware that takes a minute to prepare the power off: initd waits for two
    seconds, then does what it can.
    """
    with with_ssdts(build, tmp_path, b"\xa2\x02\x01", method(b"_PTS", b"\x5b\x22" + number(60000), 1)) as m:
        m.boot()
        assert "aml        running" in summary(m)
        begun = float(re.search(r"\[ *([0-9.]+)\] acpid: \d+ tables;", m.run("cat log://")).group(1))
        assert begun > 1, "it ran for the second that it is given"
        assert restarts(m) == 0
        begin = time.monotonic()
        m.sendline("poweroff")
        assert m.qmp.wait_event("SHUTDOWN", 60)["reason"] == "guest-shutdown"
        assert 2 <= time.monotonic() - begin < 30


def test_no_aml_at_all(booted, test_image):
    """Ended four times in a row, by whatever: the tables can still be read, there is no routing, and initd switches off as it can."""
    with booted(image=test_image) as m:
        summary(m)
        m.run(f"put killer:// 'acpid {CRASHES + 1} 100000 1000 fault'")
        for _ in range(60):
            if restarts(m) > CRASHES:
                break
            time.sleep(0.5)
        assert "aml        left alone" in summary(m)
        assert "DSDT" in m.run("ls acpi://tables").split()
        assert m.run("cat acpi://irq") == ""
        m.sendline("poweroff")
        assert m.qmp.wait_event("SHUTDOWN", 60)["reason"] == "guest-shutdown"
