"""
The prompt: what the shell and each of its programs answer, right and wrong. Every test has a machine of its own,
a fork of one that has just booted.
"""
import hashlib
import pathlib
import re
import time

import pytest
from account import exact, kstat
from campaign import all_run
from vm import PROMPT

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = sorted(path.parent.name for path in ROOT.glob("bin/*/main.c"))
DAEMONS = sorted(path.parent.name for path in ROOT.glob("sbin/*/main.c") if path.parent.name != "initfsd")
SERVICES = sorted(path.name for path in (ROOT / "initfs/etc/services").iterdir())


def errors(m, command, *expected):
    """The command ends with a status that is not 0, and names what is wrong."""
    text, status = m.status_of(command)
    assert status != 0, (command, text)
    for word in expected:
        assert word in text, (command, text)


# ---- files ----

def test_ls(machine):
    assert machine.run("ls initfs:///").split() == ["bin/", "etc/", "sbin/"]
    assert set(PROGRAMS) <= set(machine.run("ls initfs:///bin").split())
    assert machine.run("ls -1 initfs:///etc/services").split() == SERVICES
    assert machine.run("ls") == machine.run("ls initfs:///"), "without an argument: the initfs"
    assert {"1/", "2/", "kstat"} <= set(machine.run("ls proc://").split())
    errors(machine, "ls initfs:///nope", "ls:", "initfs:///nope", "no such")
    errors(machine, "ls nope://", "nope://")
    errors(machine, "ls -q", "usage: ls")


def test_ls_long(machine, build):
    """-l: kind, mode, size, time, name; the sizes are those of the files that were packed."""
    text = machine.run("ls -l initfs:///bin")
    for name in PROGRAMS:
        size = (build / "strip" / name).stat().st_size
        assert re.search(rf"^-r-xr-xr-x +{size} \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d {name}$", text, re.M), text
    assert re.search(r"^dr-xr-xr-x .* bin/?$", machine.run("ls -l initfs:///"), re.M)
    assert re.search(r"^-r--r--r-- ", machine.run("ls -l initfs:///etc/services/sh"))


def test_cat(machine, root):
    for name in ("sh", "rngd"):
        assert machine.run(f"cat initfs:///etc/services/{name}") == (root / "initfs/etc/services" / name).read_text()
    two = machine.run("cat initfs:///etc/services/sh initfs:///etc/services/rngd")
    assert "exec = initfs:///bin/sh" in two and "exec = initfs:///sbin/rngd" in two
    errors(machine, "cat initfs:///etc", "directory")
    errors(machine, "cat initfs:///nope nope://", "initfs:///nope", "nope://")
    errors(machine, "cat nonsense", "nonsense")
    assert "exec" in machine.run("cat initfs:///nope initfs:///etc/services/sh"), "one bad name does not keep the others back"


def test_services_table(machine):
    all_run(machine)        # the other shell comes after this prompt
    text = machine.run("cat svc://")
    assert text.split()[:4] == ["SERVICE", "PID", "STATE", "RESTARTS"]
    assert [line.split()[0] for line in text.splitlines()[1:]] == SERVICES
    assert machine.run("svc") == text
    details = machine.run("cat svc://rngd")
    assert "exec       initfs:///sbin/rngd" in details and "provides   rng" in details
    assert "state      running" in machine.run("svc info outputd")
    errors(machine, "svc kill nope", "nope")
    errors(machine, "svc frob", "usage: svc")


def pid(m, name):
    return int(re.search(rf"^{name} +(\d+) running", m.run("svc"), re.M).group(1))


def test_processes(machine):
    text = machine.run("ps")
    names = [line.split()[1] for line in text.splitlines()[1:]]
    assert names[:2] == ["initfsd", "initd"] and names.count("ps") == 1
    # The prompt may be there before the last service is.
    assert {"outputd", "rngd", "sh", "sysd"} <= set(names[2:]) - {"ps"} <= set(SERVICES)
    assert machine.run("cat proc://1/name") == "initfsd\n"
    assert machine.run("cat proc://2/state") == "waiting\n"
    assert int(machine.run("cat proc://1/cpu")) > 0
    outputd, sh = pid(machine, "outputd"), pid(machine, "sh")
    info = dict(line.split(" ", 1) for line in machine.run(f"cat proc://{outputd}/info").splitlines())
    assert info["name"] == "outputd" and info["level"] == "65" and info["threads"] == "1"
    assert re.search(r"ioports +", machine.run(f"cat proc://{outputd}/handles"))
    assert "resource" in machine.run("cat proc://1/handles")
    assert "resource" not in machine.run(f"cat proc://{sh}/handles"), "the shell has no authority over hardware"
    errors(machine, "cat proc://9999/name", "no such")


def test_authority(machine):
    """
    Each service may open what its manifest says and nothing else: deny is shown, and allow beside it.
    """
    assert machine.run(f"cat proc://{pid(machine, 'rngd')}/namespace").split() == [], "rngd opens nothing"
    assert {"initfs", "log", "null", "proc", "rng", "svc", "tty", "zero"} <= set(machine.run(f"cat proc://{pid(machine, 'sh')}/namespace").split())


def test_kstat(machine, smp):
    """The account is exact: twice the same question, twice the same answer, but for what runs on."""
    kstat(machine)              # what the first time leaves behind: pages of stacks and heaps touched for the first time
    kstat(machine)
    for _ in range(10):         # a service's timer may ring in between
        first, second = kstat(machine), kstat(machine)
        if exact(first) == exact(second):
            break
    assert first["objects.process"] == len(machine.run("ps").splitlines()) - 1
    assert first["cpus"] == int(smp)
    assert exact(first) == exact(second)
    assert second["time_ns"] > first["time_ns"]


def test_random(machine):
    seen = {machine.run("hexdump -n 32 rng://") for _ in range(4)}
    assert len(seen) == 4
    assert all(re.match(r"00000000  ([0-9a-f]{2} +){16}\|.{16}\|\n00000010  ", text) for text in seen)
    machine.run("put rng:// some words of mine")
    assert machine.run("hexdump -n 32 rng://") not in seen


def test_hexdump(machine, build):
    assert machine.run("hexdump -n 40 zero://").splitlines() == [
        "00000000  " + "00 " * 8 + " " + "00 " * 8 + " |" + "." * 16 + "|", "*",
        "00000020  " + "00 " * 8 + " " + "   " * 8 + " |" + "." * 8 + "|", "00000028"]
    assert "*" not in machine.run("hexdump -v -n 64 zero://")
    head = (build / "strip" / "ls").read_bytes()[:64]
    text = machine.run("hexdump -n 64 initfs:///bin/ls")
    got = bytes(int(n, 16) for line in text.splitlines() for n in line[10:59].split())
    assert got == head
    assert machine.run("hexdump -s 1 -n 3 initfs:///bin/ls").startswith("00000001  45 4c 46 ")
    errors(machine, "hexdump -n x zero://", "usage: hexdump")
    errors(machine, "hexdump initfs:///nope", "no such")


def test_head_and_wc(machine, root):
    manifest = (root / "initfs/etc/services/sh").read_text()
    lines, words, size = manifest.count("\n"), len(manifest.split()), len(manifest)
    assert machine.run("head -n 2 initfs:///etc/services/sh") == "".join(manifest.splitlines(True)[:2])
    assert machine.run("head -c 10 initfs:///etc/services/sh") == manifest[:10]
    assert machine.run("head -c 16 zero://") == "\0" * 16
    assert machine.run("wc initfs:///etc/services/sh").split() == [str(lines), str(words), str(size), "initfs:///etc/services/sh"]
    assert machine.run("wc -l initfs:///etc/services/sh").split()[0] == str(lines)
    assert machine.run("wc -c initfs:///etc/services/sh").split()[0] == str(size)
    assert machine.run("wc null://").split()[:3] == ["0", "0", "0"]


def test_sha256sum(machine, build):
    """Every program in the initfs is, byte for byte, what was packed: the pages programs run from are right."""
    names = [f"initfs:///bin/{name}" for name in PROGRAMS] + [f"initfs:///sbin/{name}" for name in DAEMONS]
    for at in range(0, len(names), 6):
        for line in machine.run("sha256sum " + " ".join(names[at:at + 6])).splitlines():
            sum_, uri = line.split()
            assert sum_ == hashlib.sha256((build / "strip" / uri.rsplit("/", 1)[1]).read_bytes()).hexdigest(), uri
    assert machine.run("sha256sum null://").split()[0] == hashlib.sha256(b"").hexdigest()


def test_stat(machine, build):
    text = machine.run("stat initfs:///bin/ls")
    fields = dict(line.split(None, 1) for line in text.splitlines())
    assert fields["type"] == "regular file" and fields["mode"] == "-r-xr-xr-x"
    assert int(fields["size"]) == (build / "strip" / "ls").stat().st_size
    assert "directory" in machine.run("stat initfs:///bin")
    assert "stream" in machine.run("stat rng://")
    errors(machine, "stat initfs:///nope", "no such")
    errors(machine, "stat", "usage: stat")


def test_put(machine):
    assert machine.status_of("put null:// x") == ("", 0)
    assert machine.status_of("put tty://serial to the terminal") == ("to the terminal\n", 0)
    errors(machine, "put initfs:///bin/ls x", "cannot be written")
    errors(machine, "put null://", "usage: put")


def test_log(machine):
    machine.run("cat acpi://")         # the last that starts: it has said all it has to say
    text = machine.run("cat log://")
    assert text.startswith("[0.000] Skerry ")
    assert re.search(r"initd: \d+ services of \d+ started", text)
    assert text.startswith(machine.run("head -n 3 log://"))
    last = machine.run("log -n 1")
    assert text.endswith(last) and last.count("\n") == 1


def test_reads_from_stdin(machine):
    """Programs without a URI read the terminal, a line at a time, up to ^D."""
    machine.sendline("cat")
    machine.expect("\n")
    machine.sendline("say it again")
    machine.expect("say it again\r\nsay it again\r\n")
    machine.send("\x04")
    machine.prompt()
    machine.sendline("wc -c")
    machine.expect("\n")
    machine.sendline("four")
    machine.send("\x04")
    assert "5" in machine.prompt()


# ---- processes ----

def test_sleep(machine):
    machine.run("sleep 0.1")
    text = machine.run("time sleep 0.5")
    real = float(re.search(r"real (\d+\.\d+) s", text).group(1))
    assert 0.5 <= real < 1.5
    assert float(re.search(r"cpu +(\d+\.\d+) s", text).group(1)) < 0.2
    errors(machine, "sleep x", "usage: sleep")


def test_kill(machine):
    errors(machine, "kill 99999", "99999", "no such process")
    errors(machine, "kill abc", "abc")
    errors(machine, "kill", "usage: kill")
    job = machine.run("sleep 1000 &").strip().strip("[]")
    assert "sleep" in machine.run("ps")
    assert f"[{job}] sleep: killed" in machine.run(f"kill {job}") + machine.run("wait") + machine.run("")
    assert "sleep" not in machine.run("ps")


def test_interrupt(machine):
    """^C ends what runs, not the shell; $? says so."""
    for command in ("sleep 100", "cat log://follow", "wc -c zero://", "cat", "sh -c true | sleep 100"):
        machine.sendline(command)
        machine.expect("\n")
        time.sleep(0.5)             # before the program has started, ^C is a key like any other
        machine.send("\x03")
        machine.prompt(10)
        assert machine.run("echo $?") == "130\n", command
    left = {line.split()[1] for line in machine.run("ps").splitlines()[1:]} - set(SERVICES)
    assert left == {"initfsd", "initd", "ps"}


def test_interrupt_and_what_follows(machine):
    """^C gives up the rest of the line as well; what is typed behind it at once is the next line."""
    machine.sendline("sleep 100; echo no; sleep 100 && echo no || echo no")
    machine.expect("\n")
    time.sleep(0.5)
    machine.send("\x03")
    assert "no" not in machine.prompt(10)
    for line in ("half a line\x03", "\x03\x03"):
        machine.send(line + "echo all of it\r")
        machine.expect("\nall of it\r\n")
        machine.prompt()
    assert machine.run("sh -c 'sleep 0; echo one; false; echo two'") == "one\ntwo\n"


def test_background(machine):
    started = machine.run("sleep 0.3 &")
    pid = re.fullmatch(r"\[(\d+)\]\n", started).group(1)
    assert f"[{pid}] sleep: running" in machine.run("jobs")
    text = machine.run("wait") + machine.run("")
    assert f"[{pid}] sleep: exited with status 0" in text
    assert machine.run("jobs") == ""


def test_unknown_command(machine):
    assert machine.status_of("nonesuch") == ("sh: nonesuch: not found\n", 127)
    errors(machine, "initfs:///etc/services/sh", "not an ELF file")
    errors(machine, "nowhere:///bin/x", "not found")
    assert machine.run("initfs:///bin/echo by uri") == "by uri\n"


# ---- the shell's language ----

@pytest.mark.parametrize("line, output", [
    ("echo 'a  b'  c", "a  b c\n"),
    ('echo "a  $NAME b" \\$NAME', "a   b $NAME\n"),
    ("echo a\\ b ''x''", "a b x\n"),
    ("echo one; echo two;echo three", "one\ntwo\nthree\n"),
    ("true && echo yes || echo no; false && echo yes || echo no", "yes\nno\n"),
    ("false; echo $?; true; echo $?", "1\n0\n"),
    ("NAME=value; echo $NAME ${NAME}s '$NAME'", "value values $NAME\n"),
    ("echo a # b", "a\n"), ("echo a#b", "a#b\n"),
    ("sh -c 'echo inner; exit 3'; echo $?", "inner\n3\n"),
    ("echo Grüße 日本", "Grüße 日本\n"),
    ("   ", ""), ("", ""),
    ("X=1 ; sh -c 'echo $X'", "1\n"),
])
def test_language(booted, line, output):
    with booted() as machine:
        assert machine.run(line) == output


def test_syntax_errors(machine):
    for line, message in (('echo "open', "quote"), ("echo 'open", "quote"), ("&", "missing"), ("; ;", "missing"), ("a && ", "missing")):
        errors(machine, line, "sh:", message)
    assert machine.run("echo still here") == "still here\n"


def test_long_lines(machine):
    """Lines longer than a row of the terminal, and up to the editor's limit."""
    for length in (69, 70, 71, 300, 2000):
        text = "x" * length
        assert machine.run("echo " + text) == text + "\n"


def test_help(machine):
    text = machine.run("help")
    for word in ("exit", "jobs", "time", "wait"):
        assert re.search(rf"^ *{word}\b", text, re.M)


# ---- the line editor ----

def test_editing(machine):
    machine.send("ecoh one two")
    machine.send("\x01\x1b[C\x1b[C\x04\x1b[C")     # ^A, right, right, ^D (the o), right (the h)
    machine.send("o")
    machine.send("\x05 three")                     # ^E
    machine.send("\x17four")                       # ^W: without "three"
    machine.send("\x7f\x7f")                       # backspace: fo
    machine.sendline()
    machine.expect("\n")
    assert machine.prompt() == "one two fo\r\n" + PROMPT


def test_tab(machine):
    """Programs, schemes and names are completed; a second Tab shows what there is; hostile bytes of a name reach nobody's line."""
    machine.send("hexd\t-n 4 ze\t")                 # hexdump -n 4 zero://
    machine.sendline()
    machine.expect("\n")
    assert "00 00 00 00" in machine.prompt()
    machine.run("put tmp://completed word")
    machine.send("cat tm\tcomp\t")                  # tmp://, then completed
    machine.sendline()
    machine.expect("\n")
    assert machine.prompt() == "word\r\n" + PROMPT
    machine.send("he\t\t")                          # head, help, hexdump
    machine.expect(re.compile(r"he\x07\r?\n" + r"head +help +hexdump\r\n", re.S))
    machine.send("ad -n 1 initfs:///etc/serv\tsys\t")
    machine.sendline()
    machine.expect("\n")
    assert machine.prompt().endswith(PROMPT)
    machine.send("cat nosuch://a\t\t'\t$X\t\x15echo alive")
    machine.sendline()
    machine.expect("\r\nalive\r\n")


def test_kill_line(machine):
    machine.send("rubbish that goes\x15echo kept")  # ^U
    machine.sendline()
    machine.expect("\n")
    assert machine.prompt() == "kept\r\n" + PROMPT
    machine.send("rubbish\x03")                     # ^C
    machine.prompt()
    assert machine.run("echo fresh") == "fresh\n"


def test_history(machine):
    for word in ("first", "second", "third"):
        machine.run(f"echo {word}")
    # A line equal to the one before is not kept twice, so the first of these adds nothing.
    for keys, expected in (("\x1b[A", "third"), ("\x1b[A\x1b[A", "second"), ("\x10\x10", "third"),
                           ("\x1b[A\x1b[A\x1b[A\x1b[B\x0e", "third"), ("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A", "first")):
        machine.send(keys)
        machine.sendline()
        machine.expect("\n")
        assert machine.prompt() == f"{expected}\r\n" + PROMPT
    machine.send("echo draft\x1b[A\x1b[B")          # up and down again: what was typed is still there
    machine.sendline()
    machine.expect("\n")
    assert machine.prompt() == "draft\r\n" + PROMPT


def test_end_of_input(machine):
    """^D leaves the shell; initd gives the terminal a new one."""
    machine.send("\x04")
    machine.expect("exit")
    machine.prompt()
    assert re.search(r"^sh +\d+ running +1 ", machine.run("svc"), re.M)


def test_typing_ahead(machine):
    """What is typed while a program runs is read afterwards, in order."""
    machine.send("sleep 0.5\recho one\recho two\r")
    machine.expect(re.compile(r"\r\none\r\n.*\r\ntwo\r\n", re.S))
    machine.prompt()
    machine.sendline("sleep 1000")
    machine.expect("\n")
    time.sleep(0.5)
    machine.send(("#" + "x" * 98 + "\r") * 15)
    machine.send("\x03")                             # though what was typed before it has no room
    machine.expect("^C", 10)
    machine.send("echo aw''ake\r")
    machine.expect("\nawake\r\n")


def test_flow_control(machine):
    """^S and ^Q, typed while a program runs, are no input; what was held back comes, and so does the next command."""
    machine.send("sleep 0.3; echo shown; sleep 0.1; echo behind\r\x13\x13ech\x11o next\r")
    machine.expect(re.compile(r"\r\nshown\r\n.*behind\r\n.*\r\nnext\r\n", re.S))


def test_control_characters(machine):
    """Hostile input: every byte there is; the shell is alive afterwards."""
    machine.send(bytes(b for b in range(256) if b not in (3, 4, 10, 13)) * 4)
    machine.send("\x03")
    machine.send("\x1b[999999999999D\x1b[A\x1bOP\x1b[200~\x15")
    machine.sendline()
    machine.sendline("echo alive")
    machine.expect("\r\nalive\r\n")
