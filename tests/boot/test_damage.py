"""
Broken boot media: what is wrong is said clearly, with the file's name, and the rest goes on where it can.

Each test boots a variant of the ESP image with something missing, cut short or altered.
"""
import re
import time

import pytest
from image import boot_cfg, esp_with, initfs_with, read_file
from vm import Machine, plain


@pytest.fixture
def boot(build, tmp_path):
    """boot(files, cmdline) -> a machine that starts from such an image; closed at the end of the test."""
    made = []

    def start(files=None, cmdline=None):
        image = esp_with(tmp_path / f"esp{len(made)}.img", build, cmdline=cmdline, files=files)
        made.append(Machine(image))
        return made[-1]

    yield start
    for m in made:
        m.close()


def refuses(m, *words):
    """The loader stops with a message and waits; a key returns to the firmware."""
    m.expect("Skerry cannot start: ", 60)
    message = plain(m.expect("Press a key"))
    for word in words:
        assert word in message, message
    m.expect(re.compile(r"\n"))
    m.send("x")
    m.expect(re.compile("BdsDxe|Shell"), 60)


def altered(data, at, new):
    return data[:at] + new + data[at + len(new):]


# ---- the kernel ----

def test_no_kernel(boot):
    refuses(boot({"skerry/kernel.elf": None}), r"\skerry\kernel.elf", "no such file")


def test_empty_kernel(boot):
    refuses(boot({"skerry/kernel.elf": b""}), r"\skerry\kernel.elf", "empty")


@pytest.mark.parametrize("at, new, reason", [
    (0, b"\x7fELG", "not an ELF file"),
    (4, b"\x01", "not a 64-bit little-endian ELF file"),
    (18, b"\xb7\x00", "another processor"),
    (16, b"\x02\x00", "not a static PIE"),
    (24, b"\x00\x00\x00\x00\x00\x00\x00\x10", "entry point outside the code"),
    (32, b"\xff\xff\xff\xff\xff\xff\xff\xff", "program headers lie outside the file"),
    (56, b"\xff\xff", "program headers"),
    (64 + 8, b"\x00\x00\x00\x00\x00\x00\x00\x7f", "segment"),
])
def test_corrupt_kernel(boot, build, at, new, reason):
    kernel = read_file(build / "esp.img", "skerry/kernel.elf")
    refuses(boot({"skerry/kernel.elf": altered(kernel, at, new)}), r"\skerry\kernel.elf", reason)


def test_writable_code_refused(boot, build):
    """A segment both writable and executable is not loaded."""
    kernel = read_file(build / "esp.img", "skerry/kernel.elf")
    start = int.from_bytes(kernel[32:40], "little")
    for i in range(int.from_bytes(kernel[56:58], "little")):
        at = start + 56 * i
        if kernel[at:at + 8] == b"\x01\0\0\0\x05\0\0\0":
            refuses(boot({"skerry/kernel.elf": altered(kernel, at + 4, b"\x07")}), "both writable and executable")
            return
    pytest.fail("the kernel has no code")


def test_truncated_kernel(boot, build):
    kernel = read_file(build / "esp.img", "skerry/kernel.elf")
    refuses(boot({"skerry/kernel.elf": kernel[:len(kernel) // 2]}), r"\skerry\kernel.elf", "outside the file")


# ---- the first process ----

def test_no_first_process(boot):
    refuses(boot({"skerry/initfsd": None}), r"\skerry\initfsd", "no such file")


def test_corrupt_first_process(boot):
    refuses(boot({"skerry/initfsd": b"#!/bin/sh\n" + bytes(100)}), r"\skerry\initfsd", "not an ELF file")


# ---- boot.cfg ----

def test_no_configuration(boot):
    """Without boot.cfg the usual files are started."""
    log = boot({"boot.cfg": None}).boot()
    assert re.search(r"boot\.cfg: .*starting what is usual", log)


def test_broken_configuration(boot):
    """Each line that makes no sense is named; the others hold."""
    text = "rubbish\nfrob = 1\ntimeout = soon\n[open\ncmdline = lost.word\n[skerry]\nkernel = \\skerry\\kernel.elf\ncmdline = kept.word quiet=0\n"
    log = boot({"boot.cfg": text.encode()}).boot()
    assert r"\boot.cfg:1: neither key = value nor [entry]" in log
    assert r"\boot.cfg:2: unknown key" in log
    assert r"\boot.cfg:3: timeout is a number" in log
    assert r"\boot.cfg:4: no ] at the end of the line" in log
    assert "command line: kept.word" in log


def test_binary_configuration(boot):
    log = boot({"boot.cfg": bytes(range(256)) * 40}).boot()
    assert "boot.cfg:" in log


def test_configuration_names_no_file(boot):
    text = boot_cfg(kernel=r"\skerry\other.elf").encode()
    refuses(boot({"boot.cfg": text}), r"\skerry\other.elf", "no such file")


def test_configuration_names_directory(boot):
    refuses(boot({"boot.cfg": boot_cfg(kernel="/EFI").encode()}), "is a directory")


def test_unknown_option(boot):
    """It is named; options with a dot are for services and are not the kernel's to judge."""
    m = boot(cmdline="frobnicate=7 debug some.service=1 splines")
    log = m.boot()
    assert 'cmdline: unknown option "frobnicate"' in log
    assert 'cmdline: unknown option "splines"' in log
    assert "some.service" not in log.replace("command line: frobnicate=7 debug some.service=1 splines", "")
    assert log.count("unknown option") == 2


# ---- the initfs ----

def no_services(m, *words):
    """The kernel and initfsd run on, and say why nobody else does."""
    text = plain(m.expect("no service will run", 60))
    for word in words:
        assert word in text, text
    assert m.process.poll() is None and not m.failed


def test_no_initfs(boot):
    m = boot({"skerry/initfs.tar.gz": None})
    no_services(m, r"\skerry\initfs.tar.gz: no such file; going on without", "initfs:// is empty")


def test_initfs_is_no_archive(boot):
    no_services(boot({"skerry/initfs.tar.gz": b"this is not gzip" * 100}), "initfs: the archive is damaged", "initfs:// is empty")


def test_initfs_cut_in_half(boot, build):
    """What came complete is served; initd did not."""
    packed = (build / "initfs.tar.gz").read_bytes()
    no_services(boot({"skerry/initfs.tar.gz": packed[:len(packed) // 2]}), "initfs: the archive is damaged", "initd")


def test_initfs_without_end(boot, build, root):
    """The last bytes are missing: the last program is lost with them, everything else runs."""
    last = max(path.parent.name for path in root.glob("sbin/*/main.c"))
    packed = (build / "initfs.tar.gz").read_bytes()
    m = boot({"skerry/initfs.tar.gz": packed[:-600]})
    log = m.boot()
    assert "initfs: the archive is damaged" in log
    assert m.run("echo alive") == "alive\n"
    services = m.run("svc")
    assert re.search(r"^outputd +\d+ running", services, re.M)
    assert m.status_of(f"stat initfs:///sbin/{last}")[1] != 0, m.run("ls initfs:///sbin")


def test_initfs_with_wrong_checksum(boot, build):
    packed = (build / "initfs.tar.gz").read_bytes()
    m = boot({"skerry/initfs.tar.gz": altered(packed, len(packed) - 8, bytes([packed[-8] ^ 1]))})
    log = m.boot()
    assert re.search(r"initfs: the archive is damaged behind byte 0 of \d+ \(packed\): its checksum .*unverified", log), log
    assert "outputd" in m.run("svc")


def test_initfs_with_flipped_bits(boot, build):
    """Damage in several places: always a word about it, and never a panic, whatever programs the bits were in."""
    packed = (build / "initfs.tar.gz").read_bytes()
    for at in (12, 1000, len(packed) // 3, len(packed) * 3 // 4):
        m = boot({"skerry/initfs.tar.gz": altered(packed, at, bytes([packed[at] ^ 0x10]))})
        m.expect("initfs: the archive is damaged", 60)
        m.expect(re.compile(r"initfs: \d+ files|nothing could be unpacked"), 60)
        time.sleep(2)           # the programs that came through damaged may do anything now
        assert not m.failed and m.process.poll() is None, m.why_ended()
        m.close()


# ---- services ----

def rest_runs(m, broken, *words):
    """The prompt comes; `broken` is shown with its reason; the others run; `words` are in the log."""
    m.boot()
    services = m.run("svc")
    for name in {"outputd", "rngd", "sh", "sysd"} - {broken}:
        assert re.search(rf"^{name} +\d+ running", services, re.M), services
    assert re.search(rf"^{broken} +\S+ (broken|ended|waiting)", services, re.M), services
    log = m.run("cat log://")
    for word in words:
        assert word in log, log


def changed_initfs(build, **files):
    return {"skerry/initfs.tar.gz": initfs_with(build, {name.replace("__", "/"): data for name, data in files.items()})}


def test_broken_manifest(boot, build, root):
    good = (root / "initfs/etc/services/rngd").read_text()
    for bad, reason in ((good + "frob = 1\n", "frob"), ("provides = rng\n", ""), (good.replace("level = 20", "level = many"), "level"),
                        ("\0\1\2\3" * 20, "")):
        m = boot(changed_initfs(build, etc__services__rngd=bad.encode()))
        rest_runs(m, "rngd", "initfs:///etc/services/rngd", reason, "the service is left out")
        text, status = m.status_of("hexdump -n 4 rng://")
        assert status != 0 and "rng://" in text
        m.close()


def test_missing_service(boot, build):
    rest_runs(boot(changed_initfs(build, sbin__rngd=None)), "rngd", "initfs:///sbin/rngd", "the service is left out")


def test_garbage_service(boot, build):
    rest_runs(boot(changed_initfs(build, sbin__rngd=b"\x7fELF" + bytes(1000))), "rngd", "rngd", "initfs:///sbin/rngd")


def test_crashing_service(boot, build):
    """A program that faults at once is started again with growing pauses, and the machine stays usable."""
    program = (build / "strip" / "rngd").read_bytes()
    entry = int.from_bytes(program[24:32], "little")
    start = int.from_bytes(program[32:40], "little")
    for i in range(int.from_bytes(program[56:58], "little")):
        header = program[start + 56 * i:][:56]
        offset, address, _, size = (int.from_bytes(header[k:k + 8], "little") for k in (8, 16, 24, 32))
        if header[0] == 1 and address <= entry < address + size:
            break
    bad = altered(program, entry - address + offset, b"\x0f\x0b")        # ud2
    m = boot(changed_initfs(build, sbin__rngd=bad))
    m.boot()
    m.run("sleep 3")
    row = re.search(r"^rngd +\S+ \S+ +(\d+) ", m.run("svc"), re.M)
    assert 3 <= int(row.group(1)) < 60
    assert "invalid opcode" in m.run("cat log://")
    assert m.run("echo alive") == "alive\n"


def test_missing_terminal(boot, build, tmp_path):
    """Without outputd nobody has a prompt, but the log stays on the serial line and says why."""
    m = boot(changed_initfs(build, sbin__outputd=None))
    m.expect(re.compile(r"outputd: initfs:///sbin/outputd: .*left out"), 60)
    m.expect("services of", 30)
    assert m.process.poll() is None


def test_unknown_service(boot, build):
    """A manifest more, whose program is not there, disturbs nobody."""
    manifest = b"exec = initfs:///sbin/nosuch\nprovides = nosuch\nlevel = 50\nstart = boot\n"
    m = boot(changed_initfs(build, etc__services__extra=manifest))
    rest_runs(m, "extra", "extra: initfs:///sbin/nosuch", "the service is left out")


def test_manifest_asks_too_much(boot, build):
    """A service that opens something above itself, or hardware that does not exist, is told so."""
    manifest = b"exec = initfs:///bin/true\nopens = tty nosuch\nlevel = 30\nstart = boot\nrestart = never\nresource = irq:99999\n"
    m = boot(changed_initfs(build, etc__services__greedy=manifest))
    m.boot()
    log = m.run("cat log://")
    assert re.search(r"greedy .*opens tty of outputd .*: calls must go downwards", log), log
    assert re.search(r"greedy opens nosuch, which nobody provides", log), log
    assert re.search(r"greedy.*(resource|does not start)", log), log
