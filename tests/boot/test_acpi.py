"""
acpid: what the tables say and do on a machine whose tables we know, and what tables that mean harm can do: end acpid at most.
"""
import hashlib
import random
import re
import struct
import time

import pytest
from image import boot_cfg, esp_with
from test_fb import debugger
from vm import Machine, Wait

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
    assert re.search(r"^controller none$", text, re.M), text
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


# ---- generic event devices ----

TESTDEV = ["-device", "pc-testdev"]     # what is written to port 2000h + n is the state of interrupt line n (QEMU, hw/misc/pc-testdev.c)
LEVEL, EDGE = 0, 2                      # bit 1 of an extended interrupt descriptor (ACPI 6.5 section 6.4.3.6); bit 2: active low


def interrupts(*pairs, source=b""):
    """_CRS: extended interrupts (number, flags), which the device consumes."""
    each = b"".join(b"\x89" + struct.pack("<HBBI", 6 + len(source), 1 | flags, 1, gsi) + source for gsi, flags in pairs)
    return name(b"_CRS", data(each + b"\x79\0"))


def data(content):
    return b"\x11" + length(number(len(content)) + content)


def lower(gsi):
    """A field LINE, and the statement that lowers the line by it."""
    region = b"\x5b\x80RLIN\x01" + number(0x2000 + gsi) + b"\x01"
    return region + b"\x5b\x81" + length(b"RLIN\x01LINE\x08"), b"\x70\0LINE"


def event_device(seg, gsi, flags, body, falls=True, method_name=b"_EVT"):
    """One with one interrupt, whose method runs `body`, and lets the line fall. With a method of another name _EVT does nothing."""
    field, fall = lower(gsi)
    other = b"" if method_name == b"_EVT" else method(b"_EVT", b"", 1)
    return device(seg, b"ACPI0013", interrupts((gsi, flags)) + field + other
                  + method(method_name, (fall if falls else b"") + body, 0 if other else 1))


def in_sb(*devices):
    return b"\x10" + length(b"\\_SB_" + b"".join(devices))


BUTTONS = device(b"PWRB", b"PNP0C0C") + device(b"SLPB", b"PNP0C0E")
POWER, SLEEP = notify(b"PWRB", 0x80), notify(b"SLPB", 0x80)


def line(m, gsi, *states):
    for state in states:
        assert m.qmp.monitor(f"o/b 0x{0x2000 + gsi:x} {state}").strip() == ""


def sleeps(m):
    """How often so far; the second command is answered after what the first made it begin with is done."""
    summary(m)
    summary(m)
    return m.run("cat log://").count("acpid: the sleep button was pressed")


def wait_for(m, what, seconds=30):
    wait = Wait(m.process.pid, seconds)
    while not what():
        assert wait.left(), m.run("cat log:// acpi://")
        time.sleep(0.05)


def events(m):
    return {int(gsi): rest for gsi, rest in re.findall(r"^event +(\d+) (.*)$", summary(m), re.M)}


def ended_in_order(m):
    assert m.qmp.wait_event("SHUTDOWN", 60) == {"guest": True, "reason": "guest-shutdown"}
    assert m.wait_end() == 0


@pytest.mark.parametrize("flags, method_name", [(LEVEL, b"_EVT"), (EDGE, b"_E05"), (LEVEL, b"_L05")])
def test_button_of_event_device(build, tmp_path, flags, method_name):
    """A press that comes as an interrupt of its own powers the machine off. A method of the line's own goes before _EVT."""
    with with_ssdts(build, tmp_path, in_sb(BUTTONS, event_device(b"GED0", 5, flags, POWER, method_name=method_name)), extra=TESTDEV) as m:
        m.boot()
        assert events(m) == {5: f"{'edge' if flags else 'level'} high, \\_SB.GED0.{method_name.decode()}"}
        line(m, 5, 1)
        ended_in_order(m)


def test_event_devices_and_death(build, tmp_path):
    """
    Level and edge: what rings while no instance runs, and while one after the other is killed, is heard; what did not ring is not.
    Then the button's press, under kills.
    """
    tables = in_sb(BUTTONS, event_device(b"GED0", 5, LEVEL, SLEEP), event_device(b"GED1", 6, EDGE, SLEEP),
                   event_device(b"GED2", 7, EDGE, POWER), event_device(b"GED3", 10, EDGE, b"\x5b\x22" + number(1500) + SLEEP))
    with with_ssdts(build, tmp_path, tables, extra=TESTDEV) as m:
        m.boot()
        assert sorted(events(m)) == [5, 6, 7, 10]
        heard = 0
        for gsi in (5, 6):
            line(m, gsi, 1)
            heard += 1
            wait_for(m, lambda: sleeps(m) >= heard)
        line(m, 6, 0)
        for gsi in (5, 6) * 3:
            m.run("svc stop acpid")
            line(m, gsi, *((1,) if gsi == 5 else (1, 0)))
            m.run("svc start acpid")
            heard += 1
            wait_for(m, lambda: sleeps(m) >= heard)
        assert sleeps(m) == heard
        for gsi in (5, 6) * 3:
            line(m, gsi, *((1,) if gsi == 5 else (1, 0)))
            m.run("svc kill acpid; svc kill acpid")
            before = heard
            wait_for(m, lambda: sleeps(m) > before)
            heard = sleeps(m)           # more than one, if a kill came while it was at it
        for _ in range(3):              # in the midst of a method, which takes that long
            line(m, 10, 1)
            time.sleep(0.7)
            m.run("svc kill acpid")
            before = heard
            wait_for(m, lambda: sleeps(m) > before)
            heard = sleeps(m)
        for _ in range(10):
            m.run("svc kill acpid")
        assert sleeps(m) == heard
        m.run("svc kill acpid")
        line(m, 7, 1, 0)
        m.sendline("svc kill acpid; svc kill acpid; svc kill acpid")
        ended_in_order(m)


@pytest.mark.parametrize("smp", ["1", "4"])
def test_interrupt_without_end(build, tmp_path, smp):
    """
    A line that never falls: others are answered, it is given up after a while, and heard again by the next acpid. An edge that comes a
    few times a second is not taken for one. Where the method takes long, others are answered before it is given up, too.
    """
    tables = in_sb(BUTTONS, event_device(b"GED0", 5, LEVEL, b"", falls=False), event_device(b"GED1", 6, EDGE, SLEEP),
                   event_device(b"GED2", 7, LEVEL, b"\x5b\x22" + number(500), falls=False))
    with with_ssdts(build, tmp_path, tables, extra=TESTDEV, smp=smp) as m:
        m.boot()
        assert sorted(events(m)) == [5, 6, 7]
        line(m, 7, 1)
        time.sleep(1)
        assert "aml        running" in summary(m)
        line(m, 7, 0)
        assert "comes without end" not in m.run("cat log://")
        line(m, 5, 1)
        for _ in range(5):
            assert "aml        running" in summary(m)
            line(m, 6, 1, 0)
        wait_for(m, lambda: "interrupt 5 comes without end" in m.run("cat log://"), 120)
        assert events(m)[5].endswith("not heard: it came without end") and events(m)[6] == "edge high, \\_SB.GED1._EVT"
        heard = sleeps(m)
        line(m, 6, 1, 0)
        wait_for(m, lambda: sleeps(m) > heard)
        assert restarts(m) == 0
        line(m, 5, 0)
        m.run("svc restart acpid")
        assert events(m)[5] == "level high, \\_SB.GED0._EVT"
        power_button(m)


@pytest.mark.parametrize("smp", ["1", "4"])
def test_sci_without_end(build, tmp_path, smp):
    """Something holds the SCI's line: clients are answered, before and after a death, and the power button's press is heard."""
    with with_ssdts(build, tmp_path, in_sb(BUTTONS), extra=TESTDEV, smp=smp) as m:
        m.boot()
        summary(m)
        line(m, 9, 1)
        for _ in range(5):
            assert "aml        running" in summary(m)
        wait_for(m, lambda: "the SCI comes without end" in m.run("cat log://"), 60)
        m.run("svc kill acpid")
        assert "aml        running" in summary(m)
        wait_for(m, lambda: m.run("cat log://").count("the SCI comes without end") == 2, 60)
        line(m, 9, 0)
        assert "aml        running" in summary(m)
        line(m, 9, 1)
        m.qmp.command("system_powerdown")
        ended_in_order(m)


def test_much_put_off(build, tmp_path):
    """A method that tells of more than is done at once: all of it is heard."""
    with with_ssdts(build, tmp_path, in_sb(BUTTONS, event_device(b"GED0", 5, LEVEL, SLEEP * 100)), extra=TESTDEV) as m:
        m.boot()
        assert sorted(events(m)) == [5]
        line(m, 5, 1)
        wait_for(m, lambda: sleeps(m) == 100)
        assert restarts(m) == 0


# What a device names that is not heard, and the reason.
REFUSED = [(1, EDGE, "acpid may not have it"), (4, EDGE, "acpid may not have it"), (9, LEVEL, "it is the SCI"), (16, LEVEL, "it is PCI's"),
           (700, EDGE, "no I/O APIC has it"), (0xfffffff0, EDGE, "acpid may not have it")]


def test_wrong_event_devices(build, tmp_path, font):
    """Lines of others, lines that are none, no method, what is no list of resources: each is told, and what is right besides is heard."""
    evt = method(b"_EVT", SLEEP, 1)
    devices = [
        device(b"GED0", b"ACPI0013", interrupts(*[(gsi, flags) for gsi, flags, _ in REFUSED]) + evt),
        device(b"GED1", b"ACPI0013", interrupts((5, EDGE), (5, EDGE), (10, EDGE)) + evt),
        device(b"GED2", b"ACPI0013", interrupts((5, EDGE), (10, LEVEL)) + evt),
        device(b"GED3", b"ACPI0013", interrupts((11, EDGE))),
        device(b"GED4", b"ACPI0013", name(b"_CRS", data(b"\x89\xff\xff\x01\xff")) + evt),
        device(b"GED5", b"ACPI0013", name(b"_CRS", b"\x01") + evt),
        device(b"GED6", b"ACPI0013", evt),
        device(b"GED7", b"ACPI0013", interrupts((6, EDGE), source=b"\0GPIO\0") + evt),
        device(b"GED8", b"ACPI0013", interrupts((6, EDGE)) + name(b"_STA", b"\0") + evt),
        device(b"GED9", b"ACPI0013", interrupts((7, EDGE)) + method(b"_EVT", notify(b"NONE", 0x80), 1)),
        # The old descriptor (section 6.4.2.1), in which an interrupt is a bit; edge.
        device(b"GEDA", b"ACPI0013", name(b"_CRS", data(b"\x23" + struct.pack("<HB", 1 << 11, 1) + b"\x79\0")) + evt),
    ]
    with with_ssdts(build, tmp_path, in_sb(BUTTONS, *devices), extra=TESTDEV) as m:
        m.boot()
        text_, said = summary(m), m.run("cat log://")
        for gsi, _, why in REFUSED:
            assert re.search(rf"^event +{gsi} .*\._EVT, not heard: {why}$", text_, re.M), text_
            assert said.count(f"GED0: interrupt {gsi} is not heard: {why}") == 1, said
        assert re.findall(r"^event +(?:5|10) (.*)", text_, re.M) == [
            "edge high, \\_SB.GED1._EVT", "edge high, \\_SB.GED1._EVT", "edge high, \\_SB.GED2._EVT",
            "level high, \\_SB.GED2._EVT, not heard: another device has it the other way round"], text_
        assert re.search(r"^event +11 edge high, \\_SB.GED3, not heard: it has no method$", text_, re.M), text_
        for seg in ("GED4", "GED5", "GED6"):
            assert re.search(rf"acpid: \\_SB.{seg}: its interrupts cannot be read", said), said
        assert "GED7: an interrupt of another controller is not heard" in said and "GED8" not in said + text_, said
        line(m, 5, 1, 0)
        wait_for(m, lambda: sleeps(m) == 2)             # both devices' methods
        line(m, 7, 1, 0)
        wait_for(m, lambda: "GED9._EVT, interrupt 7: AE_NOT_FOUND" in m.run("cat log://"))
        for heard, gsi in enumerate((10, 11), 3):
            line(m, gsi, 1, 0)
            wait_for(m, lambda: sleeps(m) == heard)
        for key in "echo keys":
            m.key("spc" if key == " " else key)
        m.key("ret")
        m.wait_screen(font, r"(?m)^keys$")
        assert restarts(m) == 0
        power_button(m)


def test_too_many_event_devices(build, tmp_path):
    """More lines than there is room for, in a list that is longer still: the rest is told once."""
    lines = interrupts(*[(gsi, EDGE) for gsi in [5, 6, 7, 10, 11, *range(1024, 1200)]])
    with with_ssdts(build, tmp_path, in_sb(BUTTONS, device(b"GED0", b"ACPI0013", lines + method(b"_EVT", SLEEP, 1))), extra=TESTDEV) as m:
        m.boot()
        assert len(events(m)) == 64
        assert m.run("cat log://").count("more than 64 interrupts of generic event devices") == 1
        line(m, 11, 1, 0)
        wait_for(m, lambda: sleeps(m) == 1)
        power_button(m)


def reduce_hardware(m, path, memory_path):
    """While the loader waits for a choice: the FADT says that there is neither an SCI nor a fixed register (HW_REDUCED_ACPI, bit 20)."""
    m.qmp.command("pmemsave", val=0, size=MEM << 20, filename=str(memory_path))
    memory_ = memory_path.read_bytes()
    at = memory_.find(next(tables_of(memory_, b"FACP")))
    flags, = struct.unpack_from("<I", memory_, at + 112)
    changed = struct.pack("<I", flags | 1 << 20)
    sum_ = memory_[at + 9] - sum(changed) + sum(memory_[at + 112:at + 116]) & 255
    with debugger(m, path) as ask:
        assert ask(f"M{at + 112:x},4:{changed.hex()}") == "OK"
        assert ask(f"M{at + 9:x},1:{sum_:02x}") == "OK"


def test_reduced_hardware(build, tmp_path):
    """Without an SCI the machine comes up all the same, and the line that the SCI has elsewhere is an event device's as any other."""
    menu = "timeout = 300\n" + "".join(boot_cfg("quiet=0").split("\n", 1)[1] for _ in range(2))
    image = esp_with(tmp_path / "esp.img", build, files={"boot.cfg": menu.encode()})
    with with_ssdts(build, tmp_path, in_sb(BUTTONS, event_device(b"GED0", 9, EDGE, POWER)), extra=TESTDEV, image=image) as m:
        m.expect("Enter starts", 90)
        reduce_hardware(m, tmp_path / "stub", tmp_path / "memory")
        m.send("\r")
        m.boot()
        seen = summary(m)
        assert re.search(r"^hardware +reduced, no SCI$", seen, re.M), seen
        assert re.search(r"^event +9 edge high, \\_SB.GED0._EVT$", seen, re.M), seen
        assert re.search(r"^buttons +power \(device\) sleep \(device\)$", seen, re.M), seen
        assert "cannot be" not in m.run("cat log://") and restarts(m) == 0
        line(m, 9, 1)
        m.expect("could not be switched off by software", 60)          # everything has ended; that FADT has no register to sleep by
# ---- an embedded controller: QEMU has none (sbin/acpid/embedded_test.c has), so what is seen here is how acpid does without ----

def port(address):
    """One port in a list of resources (ACPI 6.5 section 6.4.2.5)."""
    return b"\x47\x01" + struct.pack("<HHBB", address, address, 0, 1)


def controller(data, command):
    """With a battery and a lid behind it, and a _REG, which reads."""
    crs = port(data) + port(command) + b"\x79\0"
    fields = b"".join(seg + bytes([bits]) for seg, bits in ((b"STAT", 8), (b"RATE", 16), (b"LEFT", 16), (b"VOLT", 16), (b"FULL", 16), (b"LIDS", 8)))
    wide = b"WIDE" + bytes([0x40 | 0, 8])      # 128 bits
    store = lambda seg, to, i: b"\x70" + seg + b"\x88" + to + bytes([0x0a, i, 0])
    battery = (name(b"PBST", package(*[number(0)] * 4))
               + name(b"PBIF", package(*[number(0)] * 9, text(b"Cell"), text(b""), text(b""), text(b"")))
               + method(b"_BST", b"".join(store(seg, b"PBST", i) for i, seg in enumerate((b"STAT", b"RATE", b"LEFT", b"VOLT"))) + b"\xa4PBST")
               + method(b"_BIF", store(b"FULL", b"PBIF", 2) + b"\xa4PBIF"))
    body = (name(b"_CRS", b"\x11" + length(bytes([0x0a, len(crs)]) + crs)) + name(b"_GPE", b"\x0a\x17")
            + b"\x5b\x80ERAM\x03\0\x0b\0\x01" + b"\x5b\x81" + length(b"ERAM\x01" + fields + wide)
            + name(b"SEEN", b"\0") + method(b"_REG", b"\x70STATSEEN", 2) + method(b"_Q01", notify(b"LID0", 0x80))
            + device(b"BATE", b"PNP0C0A", battery) + device(b"LID0", b"PNP0C0D", method(b"_LID", b"\xa4LIDS")))
    return b"\x10" + length(b"\\_SB_" + device(b"EC0_", b"PNP0C09", body))


def test_controller_not_there(build, tmp_path):
    """An empty bus answers with ones: said once, the battery is unknown, and all else is as ever."""
    with with_ssdts(build, tmp_path, controller(0x62, 0x66)) as m:
        m.boot()
        seen = summary(m)
        assert re.search(r"^controller embedded, data 0x62 command 0x66, GPE 23, not there$", seen, re.M), seen
        assert re.search(r"^battery +unknown$", seen, re.M) and re.search(r"^lid +unknown$", seen, re.M), seen
        for _ in range(5):
            summary(m)
        said = m.run("cat log://")
        assert said.count("acpid: there is no embedded controller at the ports 0x62 and 0x66") == 1
        assert said.count("EmbeddedControl") == 1, "_REG's access; who looks at the battery again and again does not fill the log"
        assert restarts(m) == 0
        power_button(m)


def test_controller_is_silent(build, tmp_path):
    """
    A register that keeps what is written to it (APM status) takes all commands and answers none: three failures of half a second, then AML is
    refused at once, and the log is told once.
    """
    with with_ssdts(build, tmp_path, controller(0x80, 0xb3)) as m:
        m.boot()
        seen = summary(m)
        assert re.search(r"^controller embedded, data 0x80 command 0xb3, GPE 23, does not answer$", seen, re.M), seen
        assert re.search(r"^battery +unknown$", seen, re.M), seen
        before = m.run("cat log://").count("EmbeddedControl")
        for _ in range(5):
            summary(m)
        said = m.run("cat log://")
        assert said.count("acpid: the embedded controller does not answer") == 1 and said.count("EmbeddedControl") == before
        assert restarts(m) == 0
        power_button(m)


def test_controller_is_something_else(build, tmp_path, test_image):
    """
    A management controller's registers look like it and mean other things: whatever it answers is bounded in time, and neither the prompt nor
    the button waits for it. Before that acpid is killed twenty times, most of them while it begins.
    """
    bmc = ["-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc,ioport=0xca2"]
    with with_ssdts(build, tmp_path, controller(0xca2, 0xca3), extra=bmc, image=test_image) as m:
        m.boot()
        m.run("put killer:// 'acpid 20 50 1500000'")
        for _ in range(120):
            if restarts(m) == 20:
                break
            time.sleep(0.5)
        begin = time.monotonic()
        seen = summary(m)
        assert re.search(r"^controller embedded, data 0xca2 command 0xca3, GPE 23, (working|does not answer|not asked yet)$", seen, re.M), seen
        assert "aml        running" in seen, seen
        for _ in range(5):
            summary(m)
        assert time.monotonic() - begin < 60
        assert restarts(m) == 20
        power_button(m)


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


def test_no_aml_at_all(build, test_image, tmp_path):
    """
    Ended three times in a row, at last by the heartbeat, for a table hangs longer than that: the SSDTs are left out. Once more, by whatever:
    the tables can still be read, there is no routing, and initd switches off as it can.
    """
    with with_ssdts(build, tmp_path, (b"\x5b\x22" + number(2000)) * 8, image=test_image) as m:
        m.boot()
        m.sendline("wc <acpi://irq; echo next")         # a redirect is the shell's own business, and yet ^C ends it
        m.expect("\n")
        time.sleep(1)
        m.send("\x03")
        text = m.prompt(5)
        assert "broken off on purpose" in text and "next" not in text, text
        m.run(f"put killer:// 'acpid {CRASHES - 1} 100000 1000 fault'")
        assert "aml        running without SSDTs" in summary(m)
        assert restarts(m) == CRASHES
        m.run("put killer:// 'acpid 1 100000 1000 fault'")
        wait_for(m, lambda: restarts(m) > CRASHES)
        assert "aml        left alone" in summary(m)
        assert "DSDT" in m.run("ls acpi://tables").split()
        assert m.run("cat acpi://irq") == ""
        m.sendline("poweroff")
        assert m.qmp.wait_event("SHUTDOWN", 60)["reason"] == "guest-shutdown"
