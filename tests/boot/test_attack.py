"""
Programs that take all they can get (tests/system/bomb), from the prompt and in a small Budget: they are given the right
error, everybody else goes on as if nothing were, no service dies, and when they are gone the kernel's account is what it was.
"""
import re

import pytest
from account import at_rest, differences
from vm import plain

# Mode, and the errors that are right at the end: of memory, or of a count.
MEMORY, COUNT = {"ERR_NO_MEMORY"}, {"ERR_LIMIT"}
ATTACKS = [
    ("memory", MEMORY), ("heap", MEMORY), ("tables", MEMORY), ("mappings", MEMORY | COUNT), ("spawn", MEMORY | COUNT),
    ("fork", MEMORY | COUNT), ("threads", MEMORY | COUNT), ("spin", {"OK"}), ("handles", COUNT), ("objects", MEMORY | COUNT),
    ("shelves", MEMORY | COUNT), ("namespaces", MEMORY), ("timers", MEMORY), ("calls", MEMORY | COUNT),
    ("submits", MEMORY | COUNT), ("sockets", MEMORY), ("connects", MEMORY | COUNT), ("log", COUNT),
    ("hardware", {"ERR_WRONG_TYPE"}),
]
FLOODS = ["tmp://file", "initfs:///bin/sh", "proc://kstat", "rng://", "tty://pty"]
LOOK = "echo alive; ls initfs:///bin/ls; cat tmp://file; cat proc://kstat | head -n 1; hexdump -n 2 rng://"
SEEN = re.compile(r"alive\ninitfs:///bin/ls\nhello\nobjects\.process \d+\n00000000  .*\n00000002\n")


@pytest.fixture(scope="module")
def ready(test_image, tmp_path_factory):
    """ready(mem): a machine at its prompt on which everything that LOOK needs has been used once."""
    import vm
    states = {}

    def make(mem):
        if mem not in states:
            first = vm.Machine(test_image, mem=mem, machine="q35,sata=off")
            path = tmp_path_factory.mktemp("attack") / "state"
            with first:
                first.boot()
                first.run("put tmp://file hello; cat tty://pty")
                for _ in range(2):
                    first.run(LOOK + "; svc")
                at_rest(first)
                first.snapshot(path)
            states[mem] = lambda: first.fork(path)
        return states[mem]()

    return make


def services(m):
    """Which runs under which number, and how often it was started again."""
    return re.findall(r"^(\S+) +(\d+) running +(\d+) ", m.run("svc"), re.M)


def start(m, command):
    """In the background; its number, and what it said when it had all it could get."""
    m.sendline(f"bomb {command} &")
    pid = re.search(r"\[(\d+)\]", m.expect(re.compile(r"\n\[\d+\]\r?\n"))).group(1)
    said = re.search(r"bomb: \S+: (\d+), then (\w+)\r?\n", m.expect(re.compile(r"bomb: \S+: \d+, then \w+\r?\n")))
    # Its line and the prompt come in any order: go on from a word that is neither.
    m.sendline("echo ready")
    m.expect(re.compile(r"\nready\r?\n"))
    m.prompt()
    return pid, int(said.group(1)), said.group(2)


def back_to(m, before):
    for _ in range(10):
        wrong = differences(before, at_rest(m))
        if not wrong:
            return
    raise AssertionError(f"before and after differ: {wrong}")


def attack(m, command, errors):
    before, running = at_rest(m), services(m)
    pid, count, error = start(m, command)
    assert error in errors, f"{count}, then {error}"
    for _ in range(3):
        text = m.run(LOOK)
        assert SEEN.search(text), text
    assert services(m) == running and len(running) >= 7
    m.run(f"kill {pid}")
    m.run("wait")
    back_to(m, before)


@pytest.mark.parametrize("mode, errors", ATTACKS, ids=[mode for mode, _ in ATTACKS])
def test_from_the_prompt(ready, mode, errors):
    with ready(128) as m:
        attack(m, mode, errors)


@pytest.mark.parametrize("mode, errors", ATTACKS, ids=[mode for mode, _ in ATTACKS])
def test_in_a_small_budget(ready, mode, errors):
    """In 8 MiB of its own: the others do not even see less memory."""
    with ready(128) as m:
        attack(m, f"-b {mode}", errors)


def test_memory_of_a_small_machine(ready):
    with ready(64) as m:
        attack(m, "memory", MEMORY)


@pytest.mark.parametrize("uri", FLOODS)
def test_opens_without_end(ready, uri):
    with ready(128) as m:
        attack(m, f"opens {uri}", MEMORY | COUNT)


@pytest.mark.parametrize("uri", FLOODS)
def test_opens_and_closes(ready, uri):
    with ready(128) as m:
        attack(m, f"open-close {uri}", {"OK"})


@pytest.mark.parametrize("uri", ["zero://", "rng://", "initfs:///bin/sh"])
def test_one_service_asked_for_much(ready, uri):
    """Hundreds of reads of a MiB under way at any time."""
    with ready(128) as m:
        attack(m, f"reads {uri}", {"OK", "ERR_AGAIN", "ERR_LIMIT"})


@pytest.mark.parametrize("option", ["", "-b "])
def test_ptys(ready, option):
    with ready(128) as m:
        pid, _, _ = start(m, "ptys")    # outputd's heap keeps what that takes
        m.run(f"kill {pid}")
        m.run("wait")
        attack(m, f"{option}ptys", COUNT)


def test_touch(ready):
    """Who touches memory without asking first ends; nobody else notices."""
    with ready(128) as m:
        before, running = at_rest(m), services(m)
        assert "page fault" in m.run("bomb touch")
        assert SEEN.search(m.run(LOOK)) and services(m) == running
        back_to(m, before)


def test_several_at_once(ready):
    """Two that share all memory: programs may find none, but the shell is there and can end them."""
    with ready(128) as m:
        before, running = at_rest(m), services(m)
        pids = [start(m, "memory")[0], start(m, "heap")[0]]
        m.run("set A=1")
        assert "A=1" in m.run("set")
        m.run("kill " + " ".join(pids))
        m.run("wait; unset A")
        assert SEEN.search(m.run(LOOK)) and services(m) == running
        back_to(m, before)


def test_a_service_comes_back(ready):
    """What dies while a program holds all memory is started again at once."""
    with ready(64) as m:
        pid = start(m, "memory")[0]
        for name in ("rngd", "sysd", "outputd", "tmpd", "timed", "pcid", "fbd", "kbd", "moused", "inputd", "acpid"):
            m.run(f"svc kill {name}")
            assert SEEN.search(m.run(LOOK)), plain(m.log[-2000:])
        assert [count for name, _, count in services(m) if name in ("rngd", "sysd", "outputd", "tmpd", "timed", "pcid", "fbd", "kbd", "moused", "inputd", "acpid")] == ["1"] * 11
        m.run(f"kill {pid}")
