"""
Keyboard and mouse: what is typed and moved arrives at input:// as events and text, by several key maps; the services die at any instant
and no event comes twice or out of order; a machine without the controller goes on without.
"""
import random
import re
import time

import pytest
from fixtures import both_ways
from vm import Machine

SERVICES = ("kbd", "moused", "inputd")
KILLS = 20


@pytest.fixture
def m(booted, test_image, smp):
    with booted(image=test_image, smp=smp) as machine:
        wait_for(machine, r"moused: a mouse with a wheel and five buttons")
        yield machine


def wait_for(m, pattern):
    for _ in range(100):
        if re.search(pattern, m.run("log")):
            return
        time.sleep(0.1)
    raise AssertionError(m.run("log"))


def press(m, *keys):
    """Keys go down in order and up in the reverse order, slowly enough for a keyboard's buffer of 16 bytes."""
    steps = [(key, True) for key in keys] + [(key, False) for key in reversed(keys)]
    for key, down in steps:
        m.qmp.command("input-send-event", events=[{"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}}])
        time.sleep(0.02)


def listen(m, uri="input://events", quiet_ms=2000):
    """Starts `events`; what follows is collected by heard()."""
    m.sendline(f"events -t {quiet_ms} {uri}")
    m.expect(r"from \d+")


def heard(m):
    text = m.prompt(60)
    return [(int(seq), kind, int(code), int(value)) for seq, kind, code, value in re.findall(r"(\d+) (\w+) (\d+) (-?\d+)\r?\n", text)]


def typed(events):
    return "".join(chr(value) for _, kind, _, value in events if kind == "text")


def in_order(events):
    numbers = [seq for seq, *_ in events]
    assert numbers == sorted(set(numbers)), numbers
    return numbers


def test_keys_are_events_and_text(m):
    listen(m)
    press(m, "a")
    press(m, "shift", "b")
    press(m, "up")
    press(m, "pause")
    press(m, "ctrl_r", "c")
    press(m, "ret")
    events = heard(m)
    keys = [(code, value) for _, kind, code, value in events if kind == "key"]
    assert keys == [(30, 1), (30, 0), (42, 1), (48, 1), (48, 0), (42, 0), (103, 1), (103, 0), (119, 1), (119, 0),
                    (97, 1), (46, 1), (46, 0), (97, 0), (28, 1), (28, 0)], events
    assert typed(events) == "aB\x03\r"
    numbers = in_order(events)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "without gaps"


def test_a_german_keyboard(m):
    assert m.run("put input://keymap de; cat input://keymap") == "de\n"
    listen(m)
    press(m, "y")
    press(m, "bracket_left")
    press(m, "alt_r", "q")
    press(m, "equal")
    press(m, "e")
    press(m, "caps_lock")
    press(m, "semicolon")
    press(m, "caps_lock")
    assert typed(heard(m)) == "zü@éÖ"
    m.run("svc kill inputd")
    assert m.run("cat input://keymap") == "de\n", "what was chosen is kept"
    text, status = m.status_of("put input://keymap nothing")
    assert status != 0 and "no such" in text
    assert m.run("cat input://keymap") == "de\n"


def test_the_mouse(m):
    listen(m, quiet_ms=2500)

    def send(*events):
        m.qmp.command("input-send-event", events=list(events))
        time.sleep(0.1)

    def rel(axis, value):
        return {"type": "rel", "data": {"axis": axis, "value": value}}

    def button(name, down):
        return {"type": "btn", "data": {"button": name, "down": down}}

    send(rel("x", 5), rel("y", -7))
    for name in ("left", "right", "middle", "side", "extra"):
        send(button(name, True))
        send(button(name, False))
    send(button("wheel-up", True))
    send(button("wheel-up", False))
    send(button("wheel-down", True))
    send(button("wheel-down", False))
    events = heard(m)
    assert [(code, value) for _, kind, code, value in events if kind == "rel"] == [(0, 5), (1, -7), (8, 1), (8, -1)], events
    assert [(code, value) for _, kind, code, value in events if kind == "key"] == \
        [(0x110 + i, value) for i in range(5) for value in (1, 0)], events
    in_order(events)


def test_looking_in(m):
    assert m.run("ls input://").split() == ["devices", "events", "keymap"]
    assert re.fullmatch(r"kbd://events +present\nmouse://events +present\n", m.run("cat input://devices"))
    assert m.run("ls kbd:// mouse://").split() == ["kbd://:", "aux", "events", "mouse://:", "events"]


def test_without_a_controller(test_image):
    with Machine(test_image, machine="q35,i8042=off,smm=off,sata=off") as machine:
        machine.boot()
        wait_for(machine, r"moused \(pid \d+\) ended")
        log = machine.run("log")
        assert len(re.findall(r"kbd: no PS/2 controller: .*", log)) == 1, log
        assert "moused: there is no second PS/2 port" in log, log
        table = machine.run("svc")
        assert re.search(r"^kbd +\S+ ended +0 ", table, re.M) and re.search(r"^moused +\S+ ended +0 ", table, re.M), table
        assert re.search(r"^inputd +\d+ running +0 ", table, re.M), table
        assert machine.run("cat input://devices").count("absent") == 2


@both_ways
def test_kills_while_keys_are_typed(booted, test_image, smp):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    with booted(image=test_image, smp=smp) as m:
        wait_for(m, r"moused: a mouse with a wheel and five buttons")
        victims = [rng.choice(SERVICES) for _ in range(KILLS)]
        script = "; ".join(f"sleep 0.{rng.randrange(10, 40)}; svc kill {name}" for name in victims)
        m.run(f"sh -c '{script}' &")
        listen(m, quiet_ms=4000)
        keys = [rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(150)]
        for key in keys:
            press(m, key)
        events = heard(m)
        table = m.run("svc")
        numbers = in_order(events)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "nothing was dropped"
        for name in SERVICES:
            assert re.search(rf"^{name} +\d+ running +{victims.count(name)} ", table, re.M), table
        presses = [code for _, kind, code, value in events if kind == "key" and value == 1]
        releases = [code for _, kind, code, value in events if kind == "key" and value == 0]
        assert presses == releases, "every key was let go, and none came twice"
        # A keyboard holds what nobody fetches, so a kill loses nothing here.
        assert typed(events) == "".join(keys)
        log = m.run("log")
        assert "is dropped" not in log and "damaged" not in log and "fault:" not in log, log


def test_ctrl_alt_del(test_image):
    with Machine(test_image) as machine:
        machine.boot()
        wait_for(machine, r"kbd: PS/2 controller: a keyboard")
        press(machine, "ctrl", "alt", "delete")
        machine.expect("inputd: Ctrl-Alt-Del")
        machine.wait_end(30)
