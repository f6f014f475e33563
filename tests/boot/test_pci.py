"""
pci://: what pcid finds is what QEMU says of its machine: every function behind every bridge, with the address and size of each BAR.
And what a driver is given works (tests/system/pcidrive): registers, messages, memory; and ends with it, whoever dies.
"""
import re
import time

import pytest
from account import at_rest, back_to
from image import esp_with
from vm import CPUS, Machine

DISPLAY = 0x300         # VGA compatible (PCI Code and ID Assignment 1.11, section 1.4)
# Behind a root port, behind a bridge to plain PCI, and behind one behind another.
BEHIND = ["-device", "pcie-root-port,id=link,chassis=1,slot=1", "-device", "virtio-rng-pci,bus=link",
          "-device", "pcie-root-port,id=bare,chassis=2,slot=2",
          "-device", "pcie-pci-bridge,id=old,addr=5", "-device", "edu,bus=old,addr=3",
          "-device", "pci-bridge,id=older,bus=old,addr=7,chassis_nr=9", "-device", "pci-testdev,bus=older,addr=1f",
          "-device", "pci-testdev,bus=older,addr=2,membar=64M"]
BEHIND_PC = ["-device", "pci-bridge,id=old,chassis_nr=3", "-device", "edu,bus=old,addr=3",
             "-device", "pci-bridge,id=older,bus=old,addr=7,chassis_nr=9", "-device", "pci-testdev,bus=older,addr=1f"]


# Root buses that no bridge leads to, as machines with several processors have them; what a switch leads to; many functions in one device.
ROOTS = ["-device", "pxb-pcie,id=far,bus=pcie.0,bus_nr=0x20", "-device", "pcie-root-port,id=far1,bus=far,chassis=20,slot=20",
         "-device", "pcie-pci-bridge,id=far2,bus=far1", "-device", "edu,bus=far2,addr=3",
         "-device", "pxb-pcie,id=last,bus=pcie.0,bus_nr=0xf8", "-device", "pcie-root-port,id=last1,bus=last,chassis=21,slot=21", "-device", "qemu-xhci,bus=last1",
         "-device", "pcie-root-port,id=link,bus=pcie.0,chassis=1,slot=1", "-device", "x3130-upstream,id=up,bus=link",
         "-device", "xio3130-downstream,id=down0,bus=up,chassis=2,slot=2", "-device", "xio3130-downstream,id=down1,bus=up,addr=1,chassis=3,slot=3",
         "-device", "virtio-rng-pci,bus=down0", "-device", "qemu-xhci,bus=down1",
         "-device", "virtio-rng-pci-transitional,bus=pcie.0,addr=9,multifunction=on", "-device", "qemu-xhci,bus=pcie.0,addr=9.7",
         "-object", "memory-backend-ram,id=much,size=4G,reserve=off", "-device", "ivshmem-plain,memdev=much,bus=pcie.0,addr=0xa"]
ROOTS_PC = ["-device", "pxb,id=far,bus=pci.0,bus_nr=0x40", "-device", "edu,bus=far,addr=3", "-device", "pci-bridge,id=old,bus=pci.0,chassis_nr=3"]


def told_by_qemu(m):
    """{"00:1f.2": (vendor, device, class, {bar: (address, size)})} of all functions."""
    functions = {}

    def walk(devices):
        for d in devices:
            name = f"{d['bus']:02x}:{d['slot']:02x}.{d['function']:x}"
            bars = {r["bar"]: (r["address"], r["size"]) for r in d["regions"] if r["bar"] < 6}
            functions[name] = (d["id"]["vendor"], d["id"]["device"], d["class_info"]["class"], bars)
            walk(d.get("pci_bridge", {}).get("devices", []))
    for bus in m.qmp.command("query-pci"):
        walk(bus["devices"])
    return functions


def size(text):
    number, unit = re.fullmatch(r"(\d+)([KMGT]?)", text).groups()
    return int(number) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]


def check(m):
    """All that QEMU says stands in pci://, and nothing else does."""
    functions = told_by_qemu(m)
    lines = re.findall(r"^(\S+) .*?\[([0-9a-f]{4})\]: .*\[([0-9a-f]{4}):([0-9a-f]{4})\]", m.run("cat pci://"), re.M)
    assert {name: tuple(int(n, 16) for n in (vendor, device, kind)) for name, kind, vendor, device in lines} == \
        {name: told[:3] for name, told in functions.items()}
    assert [name for name, *_ in lines] == sorted(functions)
    assert m.run("ls -1 pci://").split() == [f"{name}/" for name in sorted(functions)]
    for name, told in functions.items():
        text = m.run(f"cat pci://{name}")
        found = {int(bar): (int(base, 16), size(bytes_)) for bar, base, bytes_ in
                 re.findall(r"Region (\d): .* at ([0-9a-f]+) .*?\[size=(\w+)\]", text)}
        if told[2] == DISPLAY:          # the screen is in it: it is not asked how large its regions are
            assert "[size not asked]" in text and not found, text
            found = {int(bar): (int(base, 16), told[3][int(bar)][1]) for bar, base in re.findall(r"Region (\d): .* at ([0-9a-f]+) ", text)}
        wanted = {bar: (base, n) for bar, (base, n) in told[3].items() if base not in (-1, 0, 2**64 - 1, 2**32 - 1)}
        assert {bar: what for bar, what in found.items() if bar in wanted} == wanted, text
        assert "broken" not in text and "overlaps" not in text and "unusable" not in text, text
    return functions


def running(m):
    return int(re.search(r"^pcid +\d+ running +(\d+) ", m.run("svc"), re.M).group(1))


@pytest.mark.parametrize("machine_, extra, express", [("q35", [], True), ("q35", BEHIND, True), ("pc", [], False), ("pc", BEHIND_PC, False)])
def test_functions(build, machine_, extra, express):
    with Machine(build / "skerry.img", machine=machine_, extra=extra) as m:
        m.boot()
        functions = check(m)
        assert len({name[:2] for name in functions}) == (1 if not extra else 4 if express else 3), "buses with something on them"
        assert f"{len(functions)} functions, by {'memory' if express else 'ports'}" in m.run("log")
        before = [m.run(f"cat pci://{name}") for name in functions]
        # Killed it finds the same, with sizes it need not ask for again.
        assert m.run("svc kill" + " pcid" * 8) == ""
        assert running(m) == 8
        assert [m.run(f"cat pci://{name}") for name in functions] == before
        check(m)


@pytest.mark.parametrize("machine_, extra, buses", [("q35", ROOTS, {"00", "20", "f8"}), ("pc", ROOTS_PC, {"00", "40"})])
def test_other_root_buses(test_image, machine_, extra, buses):
    """They are found without a bridge that leads there; acpid knows them by the same numbers, so interrupts come by line as well as by message."""
    with Machine(test_image, machine=machine_, disk="ahci" if machine_ == "q35" else "virtio", extra=extra) as m:
        m.boot()
        functions = check(m)
        assert buses <= {name[:2] for name in functions}
        assert "makes no sense" not in m.run("cat log://")
        edu = place(m, "1234:11e8")
        for way in ("", "line "):
            assert m.run(f"pcidrive pci://{edu}/device {way}2") == "pcidrive: 2 rounds\n"
        quiet(m, edu)
        m.run("svc kill pcid pcid")
        assert check(m) == functions


def test_files(build):
    """Configuration space as it is, to its end; nothing here can be written."""
    with Machine(build / "skerry.img", extra=BEHIND) as m:
        m.boot()
        assert m.run("hexdump -n 8 pci://00:1f.2/config").startswith("00000000  86 80 22 29 ")
        assert m.run("wc -c pci://00:1f.2/config").split()[0] == "256", "it is on plain PCI"
        name = re.search(r"^(\S+) .*\[1af4:1005\]|^(\S+) .*\[1af4:1044\]", m.run("cat pci://"), re.M).group().split()[0]
        assert m.run(f"wc -c pci://{name}/config").split()[0] == "4096", "behind a root port"
        assert m.run("ls pci://00:1f.2").split() == ["config", "device"]
        for wrong in ("00:1f.7", "0:1f.2", "00:1f.2/x", "00:1f.2/config/x", "zz"):
            assert m.status_of(f"cat pci://{wrong}")[1] != 0
        assert m.status_of("echo x >pci://00:1f.2/config")[1] != 0
        assert m.status_of("mkdir pci://x")[1] != 0
        assert m.status_of("rm pci://00:1f.2/config")[1] != 0
        assert running(m) == 0


def test_wrong_mcfg(build, tmp_path):
    """MCFG says that configuration space is where there is nothing: then the ports serve."""
    mcfg = tmp_path / "mcfg"
    mcfg.write_bytes(bytes(8) + (0xd0000000).to_bytes(8, "little") + bytes([0, 0, 0, 255]) + bytes(4))
    with Machine(build / "skerry.img", machine="pc", extra=["-acpitable", f"sig=MCFG,data={mcfg}"]) as m:
        m.boot()
        assert "MCFG" in m.run("log | head -n 30")
        check(m)
        assert "functions, by ports" in m.run("log")


# One machine for all that follows: what is driven by hand; what initd has a driver for in the test build, by id and by class; a slot that
# is full and one that is empty, with interrupts of their own.
DRIVEN = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
          "-device", "pcie-root-port,id=full,chassis=1,slot=1,addr=3", "-device", "virtio-rng-pci,id=rng,bus=full",
          "-device", "pcie-pci-bridge,id=old,addr=5", "-device", "qemu-xhci,addr=0xa",
          "-device", "nec-usb-xhci,addr=0xb", "-device", "e1000e,addr=0xc,romfile=",
          "-device", "pcie-root-port,id=hot,chassis=7,slot=7,addr=7"]


@pytest.fixture(scope="module")
def machine_with_edu(test_image):
    """Booted once: QEMU does not take the registers of an edu into a snapshot."""
    edu = ["-device", "pcie-root-port,id=far,chassis=9,slot=9,addr=9", "-device", "pcie-pci-bridge,id=further,bus=far",
           "-device", "pcie-root-port,id=lonely,chassis=10,slot=10,addr=0xd", "-device", "qemu-xhci,bus=lonely"]
    for where in ("bus=old,addr=3", "bus=old,addr=7", "bus=further,addr=2"):
        edu += ["-device", f"edu,{where},dma_mask=0xffffffff"]
    with Machine(test_image, smp=CPUS, extra=DRIVEN + edu) as m:
        m.boot()
        yield m


@pytest.fixture
def with_edu(machine_with_edu):
    Machine.made.append(machine_with_edu)       # for the report, should it fail
    return machine_with_edu


@pytest.fixture
def driven(booted, test_image, smp):
    with booted(image=test_image, smp=smp, extra=DRIVEN) as m:
        yield m


def place(m, ident):
    return re.search(rf"^(\S+) .*\[{ident}\]", m.run("cat pci://"), re.M).group(1)


def flags(m, name):
    return re.search(r"Flags: (.*)", m.run(f"cat pci://{name}")).group(1)


def until_driven(m, name):
    """It sends messages and reaches memory: not what the firmware has left."""
    for _ in range(100):
        text = m.run(f"cat pci://{name}")
        if "MSI: on" in text and "BusMaster+" in text:
            return
        time.sleep(0.1)
    raise AssertionError(text)


def quiet_function(m, name):
    """Within ten seconds: it reaches no memory and sends no messages."""
    for _ in range(100):
        text = m.run(f"cat pci://{name}")
        if "BusMaster-" in text and "MSI: on" not in text and "MSI-X: on" not in text:
            return
        time.sleep(0.1)
    raise AssertionError(text)


def quiet(m, name):
    """Within ten seconds: nobody drives it, it reaches no memory and sends no messages, and no page is held for it."""
    for _ in range(100):
        text = m.run(f"cat pci://{name}")
        if "BusMaster-" in text and "MSI: on" not in text and "MSI-X: on" not in text and re.search(r"^pages_pinned 0$", m.run("cat proc://kstat"), re.M):
            return
        time.sleep(0.1)
    raise AssertionError(text)


def test_driver(with_edu):
    """Behind a bridge: interrupts and transfers come, the bridge lets them through, and at the end all is off."""
    m = with_edu
    edu = place(m, "1234:11e8")
    assert m.run(f"pcidrive pci://{edu}/device 3") == "pcidrive: 3 rounds\n"
    quiet(m, edu)
    assert m.run(f"pcidrive pci://{edu}/device 1") == "pcidrive: 1 rounds\n", "it can be taken again"
    for bridge in ("00:00.0", place(m, "1b36:000c"), place(m, "1b36:000e")):
        before = m.run(f"cat pci://{bridge}")
        assert m.status_of(f"pcidrive pci://{bridge}/device take")[1] != 0, "bridges are nobody's"
        assert m.run(f"cat pci://{bridge}") == before


def test_driver_dies(with_edu):
    """By a fault in the middle of a transfer; killed; and then another one finds the function as the first did."""
    m = with_edu
    edu = place(m, "1234:11e8")
    for _ in range(3):
        assert "pcidrive: dies\n" in m.run(f"pcidrive pci://{edu}/device die")
        quiet(m, edu)
    before = at_rest(m)
    job = m.run(f"pcidrive pci://{edu}/device 1000 &")
    assert re.fullmatch(r"\[\d+\]\n", job)
    until_driven(m, edu)
    pid = re.search(r"^ *(\d+) pcidrive ", m.run("ps"), re.M).group(1)
    m.run(f"kill {pid}; wait")
    quiet(m, edu)
    back_to(m, before, at_rest)
    assert m.run(f"pcidrive pci://{edu}/device 1") == "pcidrive: 1 rounds\n"


def test_pcid_dies(with_edu):
    """Its driver goes on, without noticing; nobody else gets the function; and its end is its end still."""
    m = with_edu
    edu, begin = place(m, "1234:11e8"), running(m)
    m.run(f"pcidrive pci://{edu}/device 20 &")
    until_driven(m, edu)
    assert m.run("svc kill" + " pcid" * 8) == ""
    assert "BusMaster+" in flags(m, edu)
    assert m.status_of(f"pcidrive pci://{edu}/device take")[1] != 0, "it has a driver"
    assert "pcidrive: 20 rounds" in m.run("wait", 60)
    quiet(m, edu)
    assert running(m) == begin + 8


def edus(m):
    """Two on one line behind one bridge, for their numbers differ by 4, and one behind two bridges."""
    return sorted(re.findall(r"^(\S+) .*\[1234:11e8\]", m.run("cat pci://"), re.M), key=lambda name: name[3:5] == "02")


def test_lines(with_edu):
    """By line, through bridges without a table of their own; two at once on one line; by message again; and at the end the line is off."""
    m = with_edu
    one, two, far = edus(m)
    for edu in (one, two, far):
        assert m.run(f"pcidrive pci://{edu}/device line 1") == "pcidrive: 1 rounds\n"
        assert "INTx-" in flags(m, edu)
    assert m.run(f"pcidrive pci://{one}/device 1") == "pcidrive: 1 rounds\n"
    m.run("".join(f"pcidrive pci://{edu}/device line 8 & " for edu in (one, two, far)))
    assert m.run("wait", 60).count("pcidrive: 8 rounds") == 3
    for edu in (one, two, far):
        quiet(m, edu)


def test_lines_and_deaths(with_edu):
    """
    A driver that dies with its interrupt raised keeps the other one on its line waiting for nothing; pcid killed goes on where it was,
    without asking acpid, who may be away.
    """
    m = with_edu
    one, two, _ = edus(m)
    m.run(f"pcidrive pci://{two}/device line 15 &")
    for _ in range(3):
        assert "pcidrive: dies\n" in m.run(f"pcidrive pci://{one}/device line die")
    assert "pcidrive: 15 rounds" in m.run("wait", 60)
    begin = running(m)
    m.run(f"pcidrive pci://{one}/device line 12 & pcidrive pci://{two}/device line 12 &")
    until(lambda: all("BusMaster+" in flags(m, edu) for edu in (one, two)), lambda: m.run("cat pci://; log"))
    m.run("svc stop acpid")
    m.run("put killer:// pcid 20 2000 60000")
    assert m.run("wait", 60).count("pcidrive: 12 rounds") == 2
    until(lambda: running(m) == begin + 20, lambda: m.run("svc"))
    for edu in (one, two):
        quiet(m, edu)
    assert "its line cannot be had: ERR_GONE" in m.run(f"pcidrive pci://{one}/device line 1; log"), "nobody says where it leads"
    m.run("svc start acpid")
    m.run(f"pcidrive pci://{one}/device line 12 & svc kill" + " acpid" * 3)
    assert "pcidrive: 12 rounds" in m.run("wait", 60)


def test_deaths_at_any_instant(driven):
    """While functions are taken, reset and given back: none is lost, and each stays where the firmware put it."""
    m = driven
    rng, xhci = place(m, "1af4:1044"), place(m, "1b36:000d")
    taken = {name: m.run(f"pcidrive pci://{name}/device take") for name in (rng, xhci)}
    assert "not given" in taken[xhci] and "16 interrupts" in taken[xhci], "the table of messages is pcid's"
    before = {name: m.run(f"cat pci://{name}") for name in (rng, xhci)}
    begin = running(m)
    m.run("put killer:// pcid 60 2000 60000")
    for _ in range(12):
        for name in (rng, xhci):
            assert m.run(f"pcidrive pci://{name}/device take", 60) == taken[name]
    for _ in range(300):
        if re.search(rf"^pcid +\d+ running +{begin + 60} ", m.run("svc"), re.M):
            break
        time.sleep(0.1)
    for name in (rng, xhci):
        quiet(m, name)
        assert m.run(f"cat pci://{name}") == before[name]
    assert running(m) == begin + 60
    check(m)


def instances(m):
    return re.findall(r"^pcihold(\.\S+) +\d+ running +(\d+) ", m.run("svc"), re.M)


def initd(m):
    return int(re.search(r"^ *(\d+) initd ", m.run("ps"), re.M).group(1))


def kill_initd(m):
    assert m.run(f"kill {initd(m)}") == ""


def until_held(m, restarts):
    """Each driver runs, started again that often, and its device reaches memory: within 20 seconds."""
    for _ in range(200):
        if instances(m) == [(f".00:0{n}.0", str(restarts)) for n in "bc"] and all("BusMaster+" in flags(m, f"00:0{n}.0") for n in "bc"):
            return
        time.sleep(0.1)
    raise AssertionError(m.run("svc; log"))


def test_reset_with_its_bus(with_edu):
    """What cannot be reset by itself forgets what its last driver told it, if it is alone behind its bridge; its addresses stay."""
    m = with_edu
    alone, among = (re.search(rf"^({bus}:\S+) .*\[1b36:000d\]", m.run("cat pci://"), re.M).group(1) for bus in ("06", "00"))
    before = m.run(f"cat pci://{alone}")
    assert [m.run(f"pcidrive pci://{alone}/device mark") for _ in range(2)] == ["mark 0\n"] * 2
    assert [m.run(f"pcidrive pci://{among}/device mark") for _ in range(2)][1] == "mark 11\n", "among others"
    begin = running(m)
    m.run("put killer:// pcid 30 20000 60000")
    for _ in range(3):
        assert m.run(f"pcidrive pci://{alone}/device mark", 60) == "mark 0\n"
    until(lambda: running(m) == begin + 30, lambda: m.run("svc"))
    quiet(m, alone)
    after = m.run(f"cat pci://{alone}")
    assert re.findall("Region .*", after) == re.findall("Region .*", before) and "Mem+" in after
    check(m)


def test_drivers_by_manifest(driven):
    """
    One driver for each function that the manifest names, by id and by class, and none for others. Each has its function and no other;
    killed it has it again at once, pcid and initd killed it keeps it; stopped its function is silent, and free for others.
    """
    m = driven
    until_held(m, 0)
    assert re.search(r"^pcihold +- template ", m.run("svc"), re.M)
    text = m.run("cat svc://pcihold.00:0b.0")
    assert "device     1033:0194 class 0c0330" in text and "holds" in text, text
    assert m.status_of("pcidrive pci://00:0b.0/device take")[1] != 0, "it has a driver"
    assert m.status_of("svc start pcihold")[1] != 0, "without a device there is nothing to start"
    for n in range(1, 4):
        m.run("svc kill pcihold.00:0b.0 pcihold.00:0c.0")
        until_held(m, n)
    kill_initd(m)                   # the first takes a little more with it, for good (test_last_resort.py)
    until_held(m, 3)
    before = at_rest(m)
    m.run("svc kill pcid pcid")
    kill_initd(m)
    until_held(m, 3)
    back_to(m, before, at_rest)
    m.run("svc stop pcihold.00:0b.0")
    quiet_function(m, "00:0b.0")
    assert "interrupts" in m.run("pcidrive pci://00:0b.0/device take")
    m.run("svc start pcihold.00:0b.0; svc restart pcihold.00:0c.0")
    until_held_again = [("." + name, str(n)) for name, n in (("00:0b.0", 4), ("00:0c.0", 4))]
    for _ in range(200):
        if instances(m) == until_held_again and "BusMaster+" in flags(m, "00:0b.0"):
            break
        time.sleep(0.1)
    assert instances(m) == until_held_again


def until(what, seen):
    for _ in range(200):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError(seen())


def plug(m, driver="nec-usb-xhci"):
    m.qmp.command("device_add", driver=driver, bus="hot", id="card")


def unplug(m, card="card"):
    m.qmp.command("device_del", id=card)


def running_card(m):
    return [name for name, _ in instances(m) if not name.startswith(".00:")]


def in_place(m):
    """The card, its driver, and both as QEMU knows them."""
    until(lambda: len(running_card(m)) == 1 and "BusMaster+" in flags(m, running_card(m)[0][1:]), lambda: m.run("svc; cat pci://; log"))
    check(m)


def away(m, count):
    until(lambda: len(told_by_qemu(m)) == count and m.run("ls -1 pci://").count("\n") == count and m.run("svc").count("pcihold.") == 2,
          lambda: m.run("svc; cat pci://; log"))


def test_hot_plug(driven):
    """A card put in gets addresses and a driver; its button pressed, both leave, with all they held. One kind of card and another."""
    m = driven
    count = len(check(m))
    before = None
    for times, driver in enumerate(("e1000e", "nec-usb-xhci") * 4):
        plug(m, driver)
        in_place(m)
        unplug(m)
        away(m, count)
        if times == 5:
            before = at_rest(m)         # with what the first times leave behind: a page more of the shell's stack, once
        elif before:
            back_to(m, before, at_rest)
    # One without a driver, that the firmware has seen.
    unplug(m, "rng")
    away(m, count - 1)
    m.qmp.command("device_add", driver="virtio-rng-pci", bus="full", id="rng")
    until(lambda: m.run("ls -1 pci://").count("\n") == count, lambda: m.run("cat pci://; log"))
    check(m)
    assert "interrupts" in m.run(f"pcidrive pci://{place(m, '1af4:1044')}/device take")
    assert running(m) == 0


def test_hot_plug_and_deaths(driven):
    """initd at one step after the other, and pcid at any instant, while a card comes and goes."""
    m = driven
    count, seen = len(check(m)), set()
    for step in range(1, 60, 6):
        m.run(f"echo die {step} >svc://")
        plug(m)
        in_place(m)
        seen.add(initd(m))
        m.run(f"echo die {step} >svc://")
        unplug(m)
        away(m, count)
        seen.add(initd(m))
    assert len(seen) > 6, "it did end in the middle"
    m.run("echo die 0 >svc://")
    begin = running(m)
    m.run("put killer:// pcid 40 2000 60000")
    for _ in range(4):
        plug(m)
        in_place(m)
        unplug(m)
        away(m, count)
    until(lambda: running(m) == begin + 40, lambda: m.run("svc"))
    plug(m)
    in_place(m)


# ---- slots that the firmware keeps, as QEMU has it unless told otherwise: a port's, and one of 32 behind a bridge to plain PCI ----

SERVED = ["-device", "pcie-root-port,id=full,chassis=1,slot=1,addr=3", "-device", "virtio-rng-pci,id=rng,bus=full",
          "-device", "pcie-pci-bridge,id=old,addr=5", "-device", "pci-bridge,id=older,bus=old,addr=3,chassis_nr=9",
          "-device", "pcie-root-port,id=hot,chassis=7,slot=7,addr=7"]


@pytest.fixture
def served(booted, test_image, smp):
    with booted(image=test_image, smp=smp, extra=SERVED) as m:
        yield m


def plug_and_drive(m, **where):
    m.qmp.command("device_add", driver="nec-usb-xhci", id="card", **where)
    until(lambda: len(running_card(m)) == 1 and "BusMaster+" in flags(m, running_card(m)[0][1:]), lambda: m.run("svc; cat pci://; log"))
    check(m)


def unplug_and_see(m, count, card="card"):
    m.qmp.command("device_del", id=card)
    until(lambda: len(told_by_qemu(m)) == count and m.run("ls -1 pci://").count("\n") == count and not running_card(m),
          lambda: m.run("svc; cat pci://; log"))


def test_slots_of_the_firmware(served):
    """They are asked for, refused, and left alone; what comes and goes is told of by AML, and leaves by it once its driver has ended."""
    m = served
    count = len(check(m))
    assert "00:07.0: its slot is left alone: the firmware looks after it" in m.run("cat log://")
    for where in ({"bus": "hot"}, {"bus": "older", "addr": "4"}, {"bus": "older", "addr": "1f"}):
        plug_and_drive(m, **where)
        unplug_and_see(m, count)
    unplug_and_see(m, count - 1, "rng")         # the firmware has seen it, nobody drives it
    # acpid away: what happens meanwhile it tells of when it is back; pcid away: the same.
    for service in ("acpid", "pcid"):
        m.run(f"svc stop {service}")
        m.qmp.command("device_add", driver="nec-usb-xhci", id="card", bus="hot")
        m.run(f"svc start {service}")
        until(lambda: len(running_card(m)) == 1, lambda: m.run("svc; cat pci://; log"))
        check(m)
        m.run(f"svc stop {service}")
        m.qmp.command("device_del", id="card")
        m.run(f"svc start {service}")
        until(lambda: len(told_by_qemu(m)) == count - 1 and not running_card(m), lambda: m.run("svc; cat pci://; log"))


def test_slots_of_the_firmware_and_deaths(served):
    m = served
    count = len(check(m))
    for service in ("acpid", "pcid"):
        m.run(f"put killer:// {service} 20 20000 60000")
        for _ in range(2):
            plug_and_drive(m, bus="hot")
            # What comes in the very instant in which ACPICA clears all events, at its start, may be lost: QEMU cannot be asked twice.
            until(lambda: service != "acpid" or re.search(r"^acpid +\d+ running +20 ", m.run("svc"), re.M), lambda: m.run("svc"))
            unplug_and_see(m, count)
    until(lambda: running(m) >= 20, lambda: m.run("svc"))
    plug_and_drive(m, bus="hot")


@pytest.mark.parametrize("whose", ["firmware", "ours"])
def test_a_card_comes_during_the_boot(build, tmp_path, whose):
    """After the firmware has given out addresses, and before pcid looks: it gets its own, its driver runs, and it leaves like any other."""
    extra = ["-device", "pcie-root-port,id=hot,chassis=7,slot=7,addr=7"] + (DRIVEN[:2] if whose == "ours" else [])
    with Machine(esp_with(tmp_path / "esp.img", build / "test"), extra=extra) as m:
        m.expect("BdsDxe: starting", 90)
        count = len(told_by_qemu(m))
        plug(m)
        m.boot()
        until(lambda: len(running_card(m)) == 1 and "BusMaster+" in flags(m, running_card(m)[0][1:]), lambda: m.run("svc; cat pci://; log"))
        text = m.run(f"cat pci://{running_card(m)[0][1:]}")
        assert "Region 0: Memory at" in text and "unassigned" not in text and "Mem+" in text, text
        assert "unassigned" not in m.run("cat log://")
        check(m)
        unplug_and_see(m, count)
        plug_and_drive(m, bus="hot")
