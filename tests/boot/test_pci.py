"""
pci://: what pcid finds is what QEMU says of its machine: every function behind every bridge, with the address and size of each BAR.
"""
import re

import pytest
from vm import Machine

# Behind a root port, behind a bridge to plain PCI, and behind one behind another.
BEHIND = ["-device", "pcie-root-port,id=link,chassis=1,slot=1", "-device", "virtio-rng-pci,bus=link",
          "-device", "pcie-root-port,id=bare,chassis=2,slot=2",
          "-device", "pcie-pci-bridge,id=old,addr=5", "-device", "edu,bus=old,addr=3",
          "-device", "pci-bridge,id=older,bus=old,addr=7,chassis_nr=9", "-device", "pci-testdev,bus=older,addr=1f",
          "-device", "pci-testdev,bus=older,addr=2,membar=64M"]
BEHIND_PC = ["-device", "pci-bridge,id=old,chassis_nr=3", "-device", "edu,bus=old,addr=3",
             "-device", "pci-bridge,id=older,bus=old,addr=7,chassis_nr=9", "-device", "pci-testdev,bus=older,addr=1f"]


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


def test_files(build):
    """Configuration space as it is, to its end; nothing here can be written."""
    with Machine(build / "skerry.img", extra=BEHIND) as m:
        m.boot()
        assert m.run("hexdump -n 8 pci://00:1f.2/config").startswith("00000000  86 80 22 29 ")
        assert m.run("wc -c pci://00:1f.2/config").split()[0] == "256", "it is on plain PCI"
        name = re.search(r"^(\S+) .*\[1af4:1005\]|^(\S+) .*\[1af4:1044\]", m.run("cat pci://"), re.M).group().split()[0]
        assert m.run(f"wc -c pci://{name}/config").split()[0] == "4096", "behind a root port"
        assert m.run("ls pci://00:1f.2").split() == ["config"]
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
