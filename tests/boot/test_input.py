"""
Keyboard and mouse: what is typed and moved arrives at input:// as events and text, by several key maps; the services die at any instant
and no event comes twice, is lost or comes out of order; a machine without the controller goes on without.
"""
import random
import re
import time

import pytest
from image import esp_with
from test_kill import restarts
from vm import Machine, Wait

SERVICES = ("kbd", "moused", "inputd")
KILLS = 20
LAST_KEY, LAST_BUTTON = 87, 0x114       # F11 and the fifth button end what is collected
MOUSE_READY = r"moused: a mouse with a wheel and five buttons"
TRACE = ("-trace", "ps2_set_ledstate", "-trace", "ps2_write_keyboard", "-trace", "ps2_write_mouse")


@pytest.fixture(scope="module", name="shared")
def shared_machine(booted, test_image):
    with booted(image=test_image, smp="4", extra=TRACE) as machine:
        wait_for(machine, MOUSE_READY)
        yield machine


@pytest.fixture
def m(shared):
    """The same machine for all, with the key map and the lights of a fresh one."""
    shared.run("put input://keymap us")
    yield shared


def wait_until(m, what, seconds=20):
    wait = Wait(m.process.pid, seconds)
    while not (result := what()):
        assert wait.left(), m.run("log")
        time.sleep(0.05)
    return result


def wait_for(m, pattern):
    return wait_until(m, lambda: re.search(pattern, m.run("log")))


def send(m, *events):
    m.qmp.command("input-send-event", events=list(events))


def press(m, *keys, keep=False):
    """Keys go down in order and up in the reverse order, slowly enough for a keyboard's buffer of 16 bytes."""
    steps = [(key, True) for key in keys] + [(key, False) for key in reversed(keys) if not keep]
    for key, down in steps:
        send(m, {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}})
        time.sleep(0.01)


def let_go(m, key):
    send(m, {"type": "key", "data": {"down": False, "key": {"type": "qcode", "data": key}}})
    time.sleep(0.01)


def type_keys(m, keys):
    """Each a key, or several with a space between, pressed together."""
    for key in keys:
        press(m, *key.split())


def listen(m, last=LAST_KEY):
    """Starts `events`, behind the shell's back; heard() collects what follows."""
    m.run(f"events -k {last} input://events >tmp:///heard &")
    wait_until(m, lambda: re.search(r"from \d+\n", m.run("cat tmp:///heard")))


def so_far(m):
    text = m.run("cat tmp:///heard")
    return [(int(seq), kind, int(code), int(value)) for seq, kind, code, value in re.findall(r"^(\d+) (\w+) (\d+) (-?\d+)\n", text, re.M)]


def heard(m, last="f11"):
    """Events since listen(), in order and without gaps, but for those of the key that ends it."""
    if last:
        press(m, last)
    events = wait_until(m, lambda: (e := so_far(m)) and any((code, value) in ((LAST_KEY, 0), (LAST_BUTTON, 0)) for _, _, code, value in e) and e)
    numbers = [seq for seq, *_ in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), events
    return [event for event in events if event[2] not in (LAST_KEY, LAST_BUTTON)]


def keys_of(events):
    return [(code, value) for _, kind, code, value in events if kind == "key"]


def typed(events):
    return "".join(chr(value) for _, kind, _, value in events if kind == "text")


def text_of(m, *keys):
    listen(m)
    type_keys(m, keys)
    return typed(heard(m))


def traced(m, what):
    """What QEMU's devices were told: the numbers of its trace."""
    m.resets.seek(0)
    return [int(value, 0) for value in re.findall(rf"{what} .*?(\w+)$", m.resets.read().decode(errors="replace"), re.M)]


def test_keys_are_events_and_text(m):
    listen(m)
    type_keys(m, ["a", "shift b", "up", "pause", "ctrl_r c", "ret", "alt f2"])
    events = heard(m)
    assert keys_of(events) == [(30, 1), (30, 0), (42, 1), (48, 1), (48, 0), (42, 0), (103, 1), (103, 0), (119, 1), (119, 0),
                               (97, 1), (46, 1), (46, 0), (97, 0), (28, 1), (28, 0), (56, 1), (60, 1), (60, 0), (56, 0)], events
    assert typed(events) == "aB\x03\r"
    # A press, what it means, and the end of the report.
    assert [kind for _, kind, _, _ in events[:5]] == ["key", "text", "syn", "key", "syn"]


def test_a_key_that_is_held(m):
    """What the keyboard repeats is a repetition, with its text; how soon and how fast it does is told to it."""
    listen(m)
    for _ in range(3):
        press(m, "x", keep=True)
    let_go(m, "x")
    events = heard(m)
    assert keys_of(events) == [(45, 1), (45, 2), (45, 2), (45, 0)] and typed(events) == "xxx"
    assert m.status_of("events -r 0x4b kbd://events") == ("", 0)
    assert traced(m, "ps2_write_keyboard")[-2:] == [0xf3, 0x4b]
    text, status = m.status_of("events -r 0x80 kbd://events")
    assert status != 0 and "malformed" in text


def test_key_maps(m):
    assert text_of(m, "y", "bracket_left", "grave_accent", "alt_r q") == "y[`q"
    for name, keys, text in [
            ("de", ["y", "bracket_left", "alt_r q", "equal", "e", "minus", "alt_r e"], "zü@éß€"),
            ("fr", ["q", "2", "shift 2", "alt_r 0", "bracket_left", "e", "shift bracket_left", "i"], "aé2@êï"),
            ("fi", ["bracket_left", "semicolon", "apostrophe", "alt_r 2", "bracket_right", "bracket_right", "alt_r bracket_right", "n"], "åöä@¨ñ"),
            # CapsLock is for letters: the characters that AltGr gives are none.
            ("de", ["caps_lock", "alt_r q", "alt_r e", "u", "caps_lock"], "@€U"), ("fr", ["caps_lock", "2", "3", "caps_lock"], "É\""),
            ("dvorak", ["s", "d", "shift semicolon", "z"], "oeS;")]:
        assert m.run(f"put input://keymap {name}; cat input://keymap") == f"{name}\n"
        assert text_of(m, *keys) == text, name
    m.run("svc kill inputd")
    assert m.run("cat input://keymap") == "dvorak\n", "what was chosen is kept"
    for name in ("nothing", "../../bin/sh"):
        assert m.status_of(f"put input://keymap {name}")[1] != 0
    assert m.run("cat input://keymap") == "dvorak\n"


def test_compose(m):
    assert text_of(m, "compose", "apostrophe", "e", "compose", "o", "a", "compose", "a", "o", "compose", "x", "z", "b") == "éååb"
    # Half of a combination outlives whoever was told of it.
    listen(m)
    type_keys(m, ["compose", "equal"])
    wait_until(m, lambda: keys_of(so_far(m))[-1:] == [(13, 0)])
    m.run("svc kill kbd moused inputd")
    press(m, "e")
    assert typed(heard(m)) == "€"
    # It is given up with ^C, which arrives.
    assert text_of(m, "compose", "ctrl c", "e") == "\x03e"


def test_locks_and_lights(m):
    """Caps lock and num lock change what keys mean and shine on the keyboard, through the deaths of all."""
    listen(m)
    type_keys(m, ["caps_lock", "a", "1", "shift b", "kp_1", "num_lock", "kp_1", "shift kp_1"])
    events = heard(m)
    assert typed(events) == "A1b1"
    assert [(code, value) for _, kind, code, value in events if kind == "led"] == [(1, 1), (0, 1)], "who reads the stream is told"
    wait_until(m, lambda: traced(m, "ps2_set_ledstate")[-1:] == [6])
    m.run("svc kill kbd; svc kill inputd")
    listen(m)
    type_keys(m, ["c", "kp_2"])
    m.run("head -c 0 input://events")
    events = heard(m)
    assert typed(events) == "C2"
    assert [(code, value) for _, kind, code, value in events if kind == "led"] == [(0, 1), (1, 1)], "and who opens it later"
    type_keys(m, ["caps_lock", "num_lock"])
    wait_until(m, lambda: traced(m, "ps2_set_ledstate")[-1:] == [0])


def test_the_mouse(m):
    listen(m, LAST_BUTTON)

    def rel(axis, value):
        return {"type": "rel", "data": {"axis": axis, "value": value}}

    def click(*names):
        for name in names:
            for down in (True, False):
                send(m, {"type": "btn", "data": {"button": name, "down": down}})
                time.sleep(0.05)

    send(m, rel("x", 5), rel("y", -7))
    time.sleep(0.05)
    click("left", "right", "middle", "wheel-up", "wheel-down", "side", "extra")
    events = heard(m, last=None)
    assert [(code, value) for _, kind, code, value in events if kind == "rel"] == [(0, 5), (1, -7), (8, 1), (8, -1)], events
    assert keys_of(events) == [(0x110 + i, value) for i in range(4) for value in (1, 0)], events


def test_looking_in(m):
    assert m.run("ls input://").split() == ["devices", "events", "keymap"]
    assert re.fullmatch(r"kbd://events +present\nmouse://events +present\n", m.run("cat input://devices"))
    assert m.run("ls kbd:// mouse://").split() == ["kbd://:", "aux", "events", "mouse://:", "events"]


def test_what_is_down_when_its_driver_dies(m):
    """Killed, it goes on with what is down; after a fault it resets the hardware, and lets go of what was down."""
    listen(m)
    press(m, "shift", "a", keep=True)
    m.run("svc kill kbd")
    let_go(m, "a")
    press(m, "b")
    events = heard(m)
    assert keys_of(events) == [(42, 1), (30, 1), (30, 0), (48, 1), (48, 0)] and typed(events) == "AB", events
    let_go(m, "shift")
    resets = traced(m, "ps2_write_keyboard").count(0xff)
    listen(m)
    press(m, "shift", "a", keep=True)
    wait_until(m, lambda: keys_of(so_far(m))[-1:] == [(30, 1)])
    m.run("put killer:// kbd 1 0 10 fault")
    wait_until(m, lambda: keys_of(so_far(m))[-1:] == [(42, 0)])
    let_go(m, "a")
    let_go(m, "shift")
    type_keys(m, ["a", "shift b"])
    events = heard(m)
    assert keys_of(events) == [(42, 1), (30, 1), (30, 0), (42, 0), (30, 1), (30, 0), (42, 1), (48, 1), (48, 0), (42, 0)], events
    assert typed(events) == "AaB"
    assert traced(m, "ps2_write_keyboard").count(0xff) == resets + 1


def test_a_mouse_that_is_set_up_again(m):
    """moused crashes, and it and kbd are killed in the middle of the conversation: in the end it is a mouse again."""
    def told():
        return traced(m, "ps2_write_mouse")

    for _ in range(3):
        resets = told().count(0xff)
        m.run("put killer:// moused 1 0 10 fault")
        wait_until(m, lambda: told().count(0xff) > resets)
        m.run("put killer:// kbd,moused 10 0 2000 seed=5")
        wait_until(m, lambda: m.run("cat killer://").split()[0] == "0")
        wait_until(m, lambda: told()[-1] == 0xf4)
    test_the_mouse(m)


def test_a_mouse_that_moves_while_its_controller_is_set_up(m):
    """What it has to say then is no answer of the controller's: there still is a second port."""
    def resets():
        return re.findall(r"PS/2 controller: a keyboard, .*; (.*)", m.run("log"))

    for _ in range(4):
        before = len(resets())
        m.sendline("put killer:// kbd 1 0 10 fault; sleep 0.3; echo done")
        for _ in range(40):
            send(m, {"type": "rel", "data": {"axis": "y", "value": 40}})
            time.sleep(0.01)
        m.expect("\ndone")
        wait_until(m, lambda before=before: len(resets()) > before)
        assert resets()[-1] == "a second port"
    test_the_mouse(m)


@pytest.mark.parametrize("smp", ["1", "4"])
def test_kills_while_keys_are_typed(booted, test_image, smp):
    """Twenty deaths among a hundred keys: what a keyboard holds that nobody fetched is not lost, what was told is not told again."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    with booted(image=test_image, smp=smp, extra=TRACE) as m:
        wait_for(m, MOUSE_READY)
        before = {name: restarts(m, name) for name in SERVICES}
        listen(m)
        m.run(f"put killer:// kbd,moused,inputd {KILLS} 50 60000 seed={rng.randrange(1, 1 << 30)}")
        keys, wanted, capitals = [], "", False
        while len(keys) < 100 or m.run("cat killer://").split()[0] != "0":
            for key in rng.choices("abcdefghijklmnopqrstuvwxyz", k=25) + ["caps_lock"]:
                press(m, key)
                keys.append(key)
                capitals ^= key == "caps_lock"
                wanted += "" if key == "caps_lock" else key.upper() if capitals else key
        events = heard(m)
        presses = [code for code, value in keys_of(events) if value == 1]
        releases = [code for code, value in keys_of(events) if value == 0]
        assert presses == releases, "every key was let go, and none came twice"
        assert typed(events) == wanted
        wait_until(m, lambda: traced(m, "ps2_set_ledstate")[-1:] == [4 * capitals])
        assert sum(restarts(m, name) - before[name] for name in SERVICES) >= KILLS
        log = m.run("log")
        assert not re.search(r"is dropped|damaged|fault:", log), log


def test_without_a_controller(test_image, build, tmp_path):
    """kbd and moused end quietly; what is on the command line is the key map all the same."""
    image = esp_with(tmp_path / "esp.img", build / "test", cmdline="keymap=de")
    with Machine(image, machine="q35,i8042=off,smm=off,sata=off") as m:
        m.boot()
        wait_for(m, r"moused: there is no second PS/2 port")
        log = m.run("log")
        assert len(re.findall(r"kbd: no PS/2 controller: .*", log)) == 1, log
        table = wait_until(m, lambda: re.search(r"^moused +\S+ ended +0 ", t := m.run("svc"), re.M) and t)
        assert re.search(r"^kbd +\S+ ended +0 ", table, re.M), table
        assert re.search(r"^inputd +\d+ running +0 ", table, re.M), table
        assert m.run("cat input://devices").count("absent") == 2
        assert m.run("cat input://keymap") == "de\n"


def test_ctrl_alt_del(m):
    """As `reboot` does: by way of initd, for inputd has no hands to do it with. The last test of this machine."""
    press(m, "ctrl", "alt", "delete", keep=True)
    assert m.qmp.wait_event("SHUTDOWN", 30) == {"guest": True, "reason": "guest-reset"}
    m.wait_end()
    assert not m.triple_fault()
