"""
Expected: pipelines and redirections do what a Unix shell's do; ^C ends all of a pipeline, a reader that leaves ends
its writer without a word, and nothing of it is left in the kernel's account.
"""
import hashlib
import re
import time

import pytest
from account import exact, kstat
from test_prompt import errors


@pytest.mark.parametrize("line, output", [
    ("echo hello | cat", "hello\n"),
    ("echo a b c | wc -w", "      3 \n"),
    ("echo one | cat | cat | cat | cat | cat", "one\n"),
    ("cat zero:// | head -c 100000 | wc -c", " 100000 \n"),
    ("cat initfs:///bin/sh | cat | wc -l | wc -l", "      1 \n"),
    ("false | true; echo $?; true | false; echo $?", "0\n1\n"),
    ("true | false || echo no; false | true && echo yes", "no\nyes\n"),
    ("echo '|' \"<\" \\>", "| < >\n"),
    ("help | head -n 1", "The shell's own commands:\n"),
    ("echo dropped | help | wc -w | wc -l", "      1 \n"),
    ("echo x | set A=1; echo $A", "1\n"),
    ("echo | | cat", "sh: a command is missing before ; & && || or |\n"),
    ("echo a |", "sh: a command is missing at the end\n"),
    ("echo a >", "sh: a name is missing after < > or >>\n"),
    ("nonesuch | cat", "sh: nonesuch: not found\n"),
    ("echo x | nonesuch; echo $?", "sh: nonesuch: not found\n127\n"),
    ("cat < initfs:///etc/services/rngd | head -n 1 | wc -l", "      1 \n"),
    ("wc -l < initfs:///etc/services/none", "sh: initfs:///etc/services/none: no such path, scheme, entry or object\n"),
    ("sh -c 'echo inner | cat'", "inner\n"),
    ("echo 'echo from a pipe' | sh", "from a pipe\n"),
    ("echo hi | hexdump", "00000000  68 69 0a                                          |hi.|\n00000003\n"),
    ("echo quiet | cat > null://; echo $?", "0\n"),
])
def test_pipelines(booted, line, output):
    with booted() as machine:
        assert machine.run(line) == output


def test_content(machine):
    """Every byte of a file through two pipes, in order."""
    straight = machine.run("sha256sum initfs:///bin/sh").split()[0]
    assert machine.run("cat initfs:///bin/sh | cat | sha256sum").split()[0] == straight
    zeros = hashlib.sha256(bytes(3_000_000)).hexdigest()
    assert machine.run("cat zero:// | head -c 3000000 | cat | sha256sum", 60).split()[0] == zeros


def test_interrupt(machine):
    """^C ends all programs of the pipeline, the shell goes on; so does a reader that never reads."""
    before = names(machine)
    for line in ("sleep 100 | sleep 100 | sleep 100", "cat zero:// | cat | sleep 100", "cat zero:// | cat | wc -c"):
        machine.sendline(line)
        machine.expect("\n")
        time.sleep(0.7)
        machine.send("\x03")
        machine.prompt(10)
        assert machine.run("echo $?") == "130\n", line
        assert names(machine) == before


def names(machine):
    return sorted(line.split()[1] for line in machine.run("ps").splitlines()[1:])


def test_background(machine):
    pid = re.fullmatch(r"\[(\d+)\]\n", machine.run("sleep 0.3 | cat | wc -c &")).group(1)
    text = machine.run("wait") + machine.run("")
    assert "      0 \n" in text
    assert f"[{pid}] wc: exited with status 0" in text
    assert machine.run("jobs") == ""


def test_killed_in_the_middle(machine):
    """A stage that is killed ends those after it and stops those before."""
    machine.run("cat zero:// | sleep 1000 | wc -c &")
    pids = [line.split()[0] for line in machine.run("ps").splitlines() if re.search(r"\bsleep\b", line)]
    text = machine.run(f"kill {pids[0]}; wait") + machine.run("")
    assert "      0 \n" in text and "sleep: killed" in text and "cat: exited with status 1" in text


def test_nothing_is_left(machine):
    def work():
        machine.run("cat zero:// | head -c 300000 | cat | wc -c")
        machine.run("help | head -n 1")
        machine.run("echo a | nonesuch | cat < nowhere://")
    work()
    kstat(machine)
    work()
    first = kstat(machine)
    work()
    second = kstat(machine)
    assert exact(first) == exact(second)
    assert second["objects.socket"] == 0 and second["pages_sockets"] == 0


def test_files(machine):
    """> >> and <, where there is a file system that can be written."""
    if "tmp " not in machine.run("cat proc://5/namespace").replace("\n", " ") + " ":
        pytest.skip("no tmp:// in this image")
    machine.run("echo one > tmp:///f; echo two >> tmp:///f; echo three >> tmp:///f")
    assert machine.run("cat tmp:///f") == "one\ntwo\nthree\n"
    assert machine.run("cat < tmp:///f | wc -l") == "      3 \n"
    assert machine.run("echo again > tmp:///f; cat tmp:///f") == "again\n"
    assert machine.run("> tmp:///f; wc -c < tmp:///f") == "      0 \n"
    assert machine.run("help > tmp:///help; head -n 1 < tmp:///help") == "The shell's own commands:\n"
    assert machine.run("cat initfs:///bin/sh | cat > tmp:///sh; sha256sum < tmp:///sh").split()[0] == \
        machine.run("sha256sum initfs:///bin/sh").split()[0]
    errors(machine, "cat tmp:///none", "no such")
