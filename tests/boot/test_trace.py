"""
Looking inside (docs/tracing.md): the tree of a command's requests, through one service and two, through a forward and a death;
tracing that ends with whoever turned it on; and svc:// with what a service does and where it died.
"""
import re

import pytest
from test_kill import account, same_account


@pytest.fixture(scope="module")
def m(booted, test_image):
    with booted(image=test_image) as machine:
        machine.run("put tmp://x hello")
        yield machine


def rows(text):
    """(total, own, depth, rest) of each line of a tree."""
    found = re.findall(r"^ *(\d+|-) +(\d+|-)  ( *)(\S.*)$", text, re.M)
    return [(t, o, len(s) // 2, rest) for t, o, s, rest in found]


def line(text, pattern):
    for i, row in enumerate(found := rows(text)):
        if re.match(pattern, row[3]):
            return i, row, found
    raise AssertionError(f"{pattern} is not in\n{text}")


def test_one_service(m):
    text = m.run("trace cat tmp://x")
    assert text.startswith("hello")
    _, (total, own, depth, _), _ = line(text, r"tmpd: OPEN tmp://x 1 = ok 1 \d+$")
    assert depth == 0 and int(total) >= int(own) > 0
    line(text, r"tmpd: READ out:\d+ = ok \d+$")
    line(text, r"outputd: WRITE .*in:\d+ = ok")
    line(m.run("trace cat initfs:///etc/services/sysd"), r"initfsd: OPEN initfs:///etc/services/sysd 1 = ok")
    line(m.run("trace cat tmp://none"), r"tmpd: OPEN tmp://none 1 = ERR_NOT_FOUND$")


def test_two_services(m):
    text = m.run("trace cat relay://via/x")
    i, (total, own, depth, _), found = line(text, r"relay: OPEN relay://via/x 1 = ok")
    below = found[i + 1]
    assert depth == 0 and below[2] == 1 and re.match(r"tmpd: OPEN tmp://x 1 = ok", below[3]), text
    assert int(own) <= int(total) - int(below[0])


def test_forwarded(m):
    text = m.run("trace cat relay://fwd/x")
    assert text.startswith("hello")
    line(text, r"relay > tmpd: OPEN relay://fwd/x 1 = ok 1 \d+$")
    line(text, r"tmpd: READ")


def test_death(m):
    """The command comes to the next instance, and svc:// names the functions that led to the death of the last."""
    line(m.run("trace cat relay://crash"), r"relay! relay: OPEN relay://crash 1 = ok")
    text = m.run("cat svc://relay")
    assert re.search(r"^last-end +page fault \(14\) at 0x10", text, re.M), text
    at = re.findall(r"^at +(\S+)\+0x[0-9a-f]+$", text, re.M)
    assert at[0] == "relay_stores_wildly" and "relay_goes_wrong" in at[1:3] and "on_open" in at and "svc_serve" in at, text
    assert re.search(r"relay: +at relay_stores_wildly\+", m.run("cat log://"))
    line(m.run("trace cat relay://panic"), r"relay! relay: OPEN relay://panic 1 = ok")
    at = re.findall(r"^at +(\S+)\+0x", m.run("cat svc://relay"), re.M)
    assert "rt_panic" in at and "relay_goes_wrong" in at


def test_svc_tells_what_it_does(m):
    text = m.run("cat svc://tmpd")
    for pattern in (r"sessions +[1-9]\d*", r"queued +0", r"accepted +0", r"served +[1-9]\d*", r"accepting +1",
                    r"holds .*port:1", r"thread +\d+ accepts at port \d+"):
        assert re.search(rf"^{pattern}", text, re.M), f"{pattern}:\n{text}"


def test_off_with_its_owner(m):
    """Whoever turned it on and ends, however, turns it off; a new sysd knows that too; and nothing stays behind."""
    m.run("trace cat tmp://x")
    before = account(m)
    m.run("trace -a -t 100 &")
    m.run("sleep 0.2; svc kill sysd")
    pid = re.search(r"^ *(\d+) trace ", m.run("ps"), re.M).group(1)
    assert "somebody traces already" in m.run("trace true")
    m.run(f"kill {pid}; wait")
    assert "cannot" not in m.run("trace true") and "already" not in m.run("trace true")
    same_account(m, before)
    line(m.run("trace cat tmp://x"), "tmpd: OPEN")


def test_everything_while_traced(m):
    m.run("put proc://trace on")
    text = m.run("systest ipc-words ipc-windows ipc-handles ipc-deadlines recovery-submit recovery-cancel recovery-forward recovery-order "
                 "recovery-suspect recovery-poisoned", timeout=120)
    assert "0 failed" in text, text
    assert int(m.run("cat proc://trace | wc").split()[0]) > 100
    m.run("put proc://trace off")
    assert m.run("cat proc://trace") == ""


def test_instructions(booted, build):
    """Where an emulator counts instructions for time, the tree says so. One CPU: four in turn take minutes to start."""
    with booted(image=build / "test" / "esp.img", smp="1", extra=("-icount", "shift=0,sleep=off")) as machine:
        machine.run("put tmp://x hello")
        assert "times in instructions" in machine.run("trace cat tmp://x", timeout=60)
