"""
A boot as a person sees it: the name at once, then progress, then a prompt; what fails is named with its reason, on the screen and the serial line,
and the boot goes on, also when outputd is killed meanwhile. Later troubles and the end are told on the screen.
"""
import os
import pathlib
import re
import time

import pytest
from image import esp_with, initfs_with
from test_fb import spoil_interrupts
from vm import Machine, Wait, plain

PROMPT = "skerry:/$"
BARE = b"level = 50\npriority = normal\nstart = boot\nrestart = never\n"
TROUBLES = {
    "etc/services/aaa": b"exec = initfs:///bin/true\nfrob = 1\n",
    "etc/services/empty": b"",
    "etc/services/gone": b"exec = initfs:///sbin/gone\n" + BARE,
    "etc/services/fails": b"exec = initfs:///bin/false\n" + BARE,
    "etc/services/poor": b"exec = initfs:///bin/true\nbudget.memory = 4K\n" + BARE,
    "etc/services/loops": b"exec = initfs:///bin/false\nlevel = 50\npriority = normal\nstart = boot\nrestart = always\n",
    "etc/services/killer": b"exec = initfs:///bin/svc\nargs = kill outputd outputd outputd fbd outputd\nopens = *\nlevel = 100\npriority = normal\n"
                           b"start = boot\nrestart = never\n",
}


def cells(m, number=1):
    """Its prompts are not to be taken for the serial line's."""
    m.sendline(f"cat tty://{number}/cells; echo cells'-'ended")
    m.expect("\n")
    text = plain(m.expect("cells-ended"))[:-len("cells-ended")].encode("latin-1").decode("utf-8", errors="replace")
    m.prompt()
    return re.sub(r"\n\n+(?=cursor)", "\n", text)


def wait_cells(m, pattern):
    wait = Wait(m.process.pid, 40)
    while True:
        text = cells(m)
        if re.search(pattern, text, re.M):
            return text
        assert wait.left(), text
        time.sleep(0.1)


def test_kernel(build, tmp_path, font):
    """The kernel shows the name and nothing else; a panic shows in full."""
    with Machine(esp_with(tmp_path / "esp.img", build, cmdline="outputd.screen=log quiet")) as m:
        said = m.boot()
        assert "Skerry" not in said and "[0." not in said, said
        assert re.fullmatch(r"Skerry \d+\.\d+\n*", m.screen().read(font))
        assert "command line: outputd.screen=log quiet\n" in m.run("cat log://"), "the log itself is complete"
        spoil_interrupts(m, tmp_path / "stub")
        m.sendline()
        m.expect("The machine is stopped", 30, panics=True)
        text = m.wait_screen(font, r"PANIC: (.|\n)*The machine is stopped")
        assert text.startswith("Skerry "), text


def test_name_and_prompt(build, font):
    """Only these, and on the serial line no word before the prompt. "Shutting down" stands there (bold: none of the kernel's letters) while it does."""
    with Machine(build / "skerry.img", extra=["-action", "shutdown=pause"], mem=512) as m:
        said = m.boot()
        assert "Skerry" not in said and "[0." not in said, said
        text = wait_cells(m, re.escape(PROMPT) + "\n")
        services = len(re.findall(r"^\S+ +\d+ running", m.run("svc"), re.M)) - 2
        assert re.fullmatch(rf"Skerry \d+\.\d+\n{services} services, ready after \d+\.\d\d s\n\n{re.escape(PROMPT)}\ncursor 3,10\n", text), text
        picture(m)
        m.sendline("poweroff")
        assert m.qmp.wait_event("SHUTDOWN", 60)["reason"] == "guest-shutdown"
        assert re.search(r"^\ufffd{8} \ufffd{4}(  [a-z]|\W*$)", m.screen().read(font), re.M)


def picture(m):
    """For the README, when it is asked for: make screenshot."""
    target = os.environ.get("SKERRY_SCREENSHOT")
    keys = {" ": "spc", "\n": "ret", "/": "slash", ":": "shift-semicolon"}
    for c in "svc\ncat pci://\ndate\n" if target else "":
        m.key(keys.get(c, c))
        time.sleep(0.05)
    if target:
        wait_cells(m, r"UTC \d+\n" + re.escape(PROMPT) + "\n")
        time.sleep(1)
        pathlib.Path(target).write_bytes(m.screen().png())


@pytest.fixture(scope="module", name="troubled")
def machine(build, tmp_path_factory):
    files = {"skerry/initfs.tar.gz": initfs_with(build, TROUBLES)}
    with Machine(esp_with(tmp_path_factory.mktemp("quiet") / "esp.img", build, cmdline="quiet=1", files=files), mem=512) as m:
        m.boot()
        yield m


def check_troubles(text):
    for line in (r"aaa: manifest, line 2: .*frob.*; it is left out", r"empty: manifest: exec is missing; it is left out", r"gone: initfs:///sbin/gone: .*; it is left out",
                 r"fails: exited with status 1; it is not started again", r"poor: page fault .*; it is not started again",
                 r"loops: exited with status 1; it is started again"):
        assert re.search("^" + line, text, re.M), text


def test_troubles(troubled):
    """Each is told once, the prompt comes, and nothing is lost or doubled by outputd's deaths."""
    # Not with what the serial line is told at the same time.
    text = wait_cells(troubled, rf"\ASkerry (?:.*\n)*{re.escape(PROMPT)}")
    check_troubles(text)
    assert text.startswith("Skerry ") and text.count("Skerry") == 1, text
    assert len(re.findall(r"^(?:aaa|gone|fails|poor): ", text, re.M)) == 4, text
    assert re.search(r"^\d+ of \d+ services run, ready after \d+\.\d\d s$", text, re.M), text
    assert re.search(r"^outputd +\d+ running +[1-9]", troubled.run("svc"), re.M), "it was killed"
    assert not re.search("[\u2500\u2501]", text), "the progress has ended"


def test_troubles_on_the_serial_line(troubled):
    said = plain(troubled.log)
    assert re.search(r"^aaa: manifest, line 2: .*; it is left out$", said, re.M) and re.search(r"^gone: .*; it is left out$", said, re.M), said
    assert said.index("aaa: ") < said.index(PROMPT), "what was known then comes before the prompt"


def test_later_troubles(troubled):
    """One that goes on failing is told of after the prompt, too, and the shell goes on."""
    wait_cells(troubled, rf"^{re.escape(PROMPT)}\n(.*\n)*loops: exited with status 1; it is started again in \d+ ms$")
    assert troubled.run("svc stop loops") == ""
    for key in ("d", "a", "t", "e", "ret"):
        troubled.key(key)
    wait_cells(troubled, rf" UTC \d+\n{re.escape(PROMPT)}$")


def test_damaged_archive(build, tmp_path, font):
    """Without initd nobody is there to tell: the log is shown, on screen and serial line."""
    image = esp_with(tmp_path / "esp.img", build, cmdline="quiet=1", files={"skerry/initfs.tar.gz": b"this is not gzip" * 100})
    with Machine(image) as m:
        m.expect("initfs: the archive is damaged", 60)
        m.expect("no service will run", 60)
        assert m.wait_screen(font, r"no service will run").startswith("Skerry ")


def test_no_terminals(build, tmp_path, font):
    """Where outputd is missing the log is shown, with what is missing."""
    files = {"skerry/initfs.tar.gz": initfs_with(build, {"sbin/outputd": None})}
    with Machine(esp_with(tmp_path / "esp.img", build, cmdline="quiet=1", files=files)) as m:
        m.expect("initfs:///sbin/outputd: ", 60)
        m.wait_screen(font, r"outputd: initfs:///sbin/outputd: .*; the service is left out")
