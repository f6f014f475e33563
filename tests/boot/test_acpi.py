"""
acpid: what the tables say and do on a machine whose tables we know, and what tables that mean harm can do: end acpid at most.
"""
import hashlib
import re
import struct
import time

import pytest
from vm import Machine

CRASHES = 3         # in a row; then the SSDTs are left out (sbin/acpid/main.c)


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
    assert re.search(r"^hardware +fixed, SCI 9$", text, re.M), text
    assert re.search(r"^sleep +(S\d )*S5$", text, re.M), text
    assert re.search(r"^buttons +power", text, re.M), text
    assert "refused" not in text, text
    assert machine.run("ls acpi://").split() == ["irq", "tables/"]
    assert {"DSDT", "FACP", "APIC", "HPET", "MCFG"} <= set(machine.run("ls acpi://tables").split())


def tables_of(memory, signature):
    """All tables of a kind in a dump of memory that are whole (ACPI 6.5 section 5.2.6)."""
    at = memory.find(signature)
    while at >= 0:
        size = struct.unpack_from("<I", memory, at + 4)[0]
        if 36 <= size <= len(memory) - at and sum(memory[at:at + size]) & 255 == 0:
            yield memory[at:at + size]
        at = memory.find(signature, at + 1)


def test_tables_are_those_in_memory(build, tmp_path):
    """Each file is, byte for byte, a table that lies in memory before anybody has read it."""
    with Machine(build / "skerry.img", mem=128) as m:
        m.boot()
        dump = tmp_path / "memory"
        m.qmp.command("pmemsave", val=0, size=128 << 20, filename=str(dump))
        memory = dump.read_bytes()
        for name in ("DSDT", "FACP", "APIC", "HPET", "MCFG"):
            found = {hashlib.sha256(t).hexdigest(): len(t) for t in tables_of(memory, name.encode())}
            digest = m.run(f"sha256sum acpi://tables/{name}").split()[0]
            assert digest in found, (name, found)
            assert m.run(f"wc -c acpi://tables/{name}").split()[0] == str(found[digest])


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


def test_order(build, font):
    """From the button to the switch: all others end first, and acpid does it, not what initd falls back on. The screen keeps the log."""
    with Machine(build / "skerry.img", extra=["-action", "shutdown=pause"]) as m:
        m.boot()
        assert "aml        running" in summary(m)
        m.qmp.command("system_powerdown")
        assert m.qmp.wait_event("SHUTDOWN", 60)["reason"] == "guest-shutdown"
        text = m.wait_screen(font, "switching the machine off")
        lines = [text.index(line) for line in ("acpid: the power button was pressed", "initd: powering off", "sh (pid", "outputd (pid",
                                               "rngd (pid", "initd: switching the machine off")]
        assert lines == sorted(lines), text
        assert "acpid (pid" not in text and "does not answer" not in text and "could not do it" not in text, text


def test_power_button_after_kills(machine):
    """Twenty times dead, a level-triggered interrupt and enabled events left behind each time."""
    for i in range(20):
        assert machine.run("svc kill acpid") == ""
        if i % 5 == 0:
            assert "aml        running" in machine.run("cat acpi://")
    assert restarts(machine) == 20
    power_button(machine)


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


# ---- tables that mean harm ----

def length(body):
    """A package: its length in front (ACPI 6.5 section 20.2.4)."""
    n = len(body) + 1
    if n < 64:
        return bytes([n]) + body
    n += 1
    return bytes([0x40 | (n & 15), n >> 4]) + body


def region(name, space, address, size):
    return b"\x5b\x80" + name + bytes([space]) + b"\x0e" + struct.pack("<Q", address) + b"\x0c" + struct.pack("<I", size)


def field(of, name, bits=32, access=3):
    width = bytes([bits]) if bits < 64 else bytes([0x40 | (bits & 15), bits >> 4])
    return b"\x5b\x81" + length(of + bytes([access]) + name + width)


def store_ones(name):
    return b"\x70\xff" + name


def write(number, space, address):
    """AML that writes ones to 32 bits at an address of a space (0: memory, 1: ports)."""
    r, f = b"RG%02d" % number, b"FL%02d" % number
    return region(r, space, address, 16) + field(r, f) + store_ones(f)


def with_ssdt(build, tmp_path, aml, **configuration):
    path = tmp_path / "ssdt"
    path.write_bytes(aml)
    return Machine(build / "skerry.img", extra=["-acpitable", f"sig=SSDT,rev=2,oem_id=HARM,oem_table_id=HARM,data={path}"], **configuration)


def summary(m):
    return m.run("cat acpi://", 90)


def test_an_ssdt_is_run(build, tmp_path):
    """The other side of the tests below: what is no harm is done, and seen."""
    with with_ssdt(build, tmp_path, write(0, 1, 0x80)) as m:
        m.boot()
        assert "SSDT" in m.run("ls acpi://tables").split()
        text = summary(m)
        assert "aml        running" in text and "refused" not in text
        assert m.run("wc -c acpi://tables/SSDT").split()[0] == str(36 + len(write(0, 1, 0x80)))


@pytest.mark.parametrize("aml", [b"\x10\x3f" + b"A" * 20, b"\x14\x20NONE\0", bytes(range(256)) * 4], ids=["cut", "method", "all"])
def test_broken_ssdt(build, tmp_path, aml):
    """No AML at all: it is told in the log, the prompt is there, and the rest goes on."""
    with with_ssdt(build, tmp_path, aml) as m:
        m.boot()
        summary(m)
        assert re.search(r"acpid: ACPI.*(Error|error|Warning)", m.run("cat log://")), m.run("cat log://")
        assert "aml        running" in summary(m)
        power_button(m)


def test_ssdt_that_ends_acpica(build, tmp_path):
    """This one makes ACPICA 20220331 follow a null pointer (acpi_ps_peek_opcode). acpid does without the SSDT, and says why."""
    with with_ssdt(build, tmp_path, bytes(range(1, 200)) * 3) as m:
        m.boot()
        assert "aml        running without SSDTs" in summary(m)
        assert restarts(m) == CRASHES
        assert "page fault" in m.run("svc")
        assert m.run("hexdump -n 4 rng://").endswith("00000004\n")
        power_button(m)


def test_endless_loop(build, tmp_path):
    """While (One) {}: it is broken off, and acpid serves."""
    with with_ssdt(build, tmp_path, b"\xa2\x02\x01") as m:
        m.boot()
        assert "aml        running" in summary(m)
        begun = float(re.search(r"\[ *([0-9.]+)\] acpid: \d+ tables;", m.run("cat log://")).group(1))
        assert begun > 1, "it ran for the second that it is given"
        assert restarts(m) == 0


def test_wild_addresses(build, tmp_path):
    """
    RAM, the interrupt controllers, ports of the kernel and of other services: refused, each, and the machine goes on. The RAM is the
    kernel's array of pages or a program's: whatever is there, ones would end it.
    """
    wild = [(0, address) for address in (0x0, 0x9000, 0x100000, 0x1000000, 0x8000000, 0xfec00000, 0xfee00300, 0xfee00000)]
    wild += [(1, port) for port in (0x20, 0x40, 0x70, 0xa0, 0x3f8, 0x1f0)]
    aml = b"".join(write(i, space, address) for i, (space, address) in enumerate(wild))
    with with_ssdt(build, tmp_path, aml) as m:
        m.boot()
        text = summary(m)
        assert restarts(m) == 0, m.run("cat log://")
        # each statement of the table stands alone only as far as ACPICA goes on after the first that fails
        assert int(re.search(r"^refused +(\d+)", text, re.M).group(1)) >= 1, text
        assert m.run("hexdump -n 4 rng://").endswith("00000004\n")


@pytest.mark.parametrize("space, address", [(0, 0x100000), (0, 0x2000000), (0, 0xfec00000), (0, 0xfee00300), (1, 0x20), (1, 0x70), (1, 0x3f8)])
def test_wild_address(build, tmp_path, space, address):
    with with_ssdt(build, tmp_path, write(0, space, address)) as m:
        m.boot()
        assert re.search(r"^refused +[1-9]", summary(m), re.M)
        assert re.search(rf"acpid: {'port' if space else 'memory'} 0x[0-9a-f]+\+\d+ is refused", m.run("cat log://"))
        assert restarts(m) == 0


def test_deadly_table(build, tmp_path):
    """
    AML that ends acpid each time it runs (it writes to the HPET, which it may only read): after three times it is left out.
    """
    with with_ssdt(build, tmp_path, write(0, 0, 0xfed00000)) as m:
        m.boot()
        text = summary(m)
        assert "aml        running without SSDTs" in text, text
        assert restarts(m) == CRASHES
        assert "page fault" in m.run("svc")
        assert "SSDTs are left out" in m.run("cat log://")
        assert len(m.run("cat acpi://irq").splitlines()) == 128
        power_button(m)


def test_no_aml_at_all(build, test_image):
    """Ended four times in a row, by whatever: the tables can still be read, there is no routing, and initd switches off as it can."""
    with Machine(test_image) as m:
        m.boot()
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


def test_switch_that_hangs(build, tmp_path):
    """Firmware that takes a minute to prepare the power off: initd waits for two seconds, then does what it can."""
    slow = b"\x14" + length(b"_PTS\x01" + b"\x5b\x22\x0c" + struct.pack("<I", 60000))
    with with_ssdt(build, tmp_path, slow) as m:
        m.boot()
        assert "aml        running" in summary(m)
        begin = time.monotonic()
        m.sendline("poweroff")
        assert m.qmp.wait_event("SHUTDOWN", 60)["reason"] == "guest-shutdown"
        assert 2 <= time.monotonic() - begin < 30
