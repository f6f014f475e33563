"""
virtio-input: keyboards and tablets arrive at input:// as PS/2's do, and are the only ones where there is no such controller; several at once, each
with its own keys; they come and go; their drivers and inputd die at any instant.
"""
import random
import re
import time

import pytest
from account import at_rest, back_to
from test_input import heard, keys_of, let_go, listen, press, send, so_far, type_keys, typed, wait_until
from test_kill import restarts
from test_last_resort import pid_of
from test_vt import type_keys as type_text, wait_cells
from vm import Machine

# A keyboard that gets what is typed for the second screen, one for all else, a tablet without interrupts, and a slot.
DEVICES = ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
           "-device", "secondary-vga,id=second,romfile=,addr=8", "-device", "virtio-keyboard-pci,addr=9,display=second",
           "-device", "virtio-keyboard-pci,addr=a", "-device", "virtio-tablet-pci,addr=b,vectors=0",
           "-device", "pcie-root-port,id=hot,chassis=7,slot=7,addr=7", "-trace", "virtqueue_pop")
SECOND, FIRST, TABLET = "vinputd.00:09.0", "vinputd.00:0a.0", "vinputd.00:0b.0"
KILLS = 15
MACHINE = "q35,i8042=off,smm=off,sata=off"


@pytest.fixture(scope="module", name="m")
def machine_with_devices(test_image):
    with Machine(test_image, smp="2", machine=MACHINE, extra=DEVICES) as m:
        m.boot()
        wait_until(m, lambda: len(sources(m)) == 3)
        yield m


def sources(m):
    return re.findall(r"^(vinputd\S+) +present (.*)\n", m.run("cat input://devices"), re.M)


def press_on(m, display, key, down):
    m.qmp.command("input-send-event", device=display, events=[{"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": key}}}])


def unplug(m):
    """Presses the slot's button, and waits until the card is out."""
    m.qmp.command("device_del", id="card")
    deleted = m.qmp.wait_event("DEVICE_DELETED", 20)
    while deleted is not None and deleted.get("device") != "card":
        deleted = m.qmp.wait_event("DEVICE_DELETED", 20)
    assert deleted, m.run("log")


def until_pressed(m, code, value=1):
    wait_until(m, lambda: (code, value) in keys_of(so_far(m)))


def test_they_are_there(m):
    assert sorted(sources(m)) == [(SECOND, "QEMU Virtio Keyboard"), (FIRST, "QEMU Virtio Keyboard"), (TABLET, "QEMU Virtio Tablet")]
    assert re.search(r"^vinputd +- template ", m.run("svc"), re.M)
    assert m.status_of("events inputdev://")[1] != 0, "only drivers have to do with it"
    log = m.run("log")
    assert "must go downwards" not in log and re.findall(r"(\S+): an interrupt cannot be had", log) == [TABLET], log


def test_a_terminal(m):
    """The shell on the screen has no other keyboard here."""
    wait_cells(m, r"^skerry:/\$")
    type_text(m, "echo virtual\n")
    wait_cells(m, r"^virtual$")


def test_typing(m):
    listen(m)
    type_keys(m, ["shift s", "k", "e", "r", "r", "y", "up", "ctrl_r c"])
    events = heard(m)
    assert typed(events) == "Skerry\x03", events
    assert keys_of(events)[:4] == [(42, 1), (31, 1), (31, 0), (42, 0)] and (103, 1) in keys_of(events)


def test_two_keyboards(m):
    """Shift of one is for the other's letters; the same key on both is two; the lights of both are told."""
    told = len(status_messages(m))
    listen(m)
    press_on(m, "second", "shift", True)
    until_pressed(m, 42)
    press(m, "a")
    press(m, "shift", "b", keep=True)
    until_pressed(m, 48)
    press_on(m, "second", "shift", False)
    time.sleep(0.3)
    assert (42, 0) not in keys_of(so_far(m)), "the other still holds it"
    let_go(m, "b")
    let_go(m, "shift")
    for lights in (2, 4):
        press(m, "caps_lock")
        wait_until(m, lambda lights=lights: len(status_messages(m)) == told + lights)
        press(m, "c")
    events = heard(m)
    assert typed(events).startswith("AB") and typed(events)[-2:] == "Cc", events
    assert keys_of(events).count((42, 1)) == 2 and keys_of(events).count((42, 0)) == 1


def test_the_same_shift_on_two(m):
    """What one lets go the other still holds."""
    listen(m)
    press_on(m, "second", "shift", True)
    until_pressed(m, 42)
    press(m, "shift", keep=True)
    press_on(m, "second", "shift", False)
    time.sleep(0.3)
    press(m, "d")
    let_go(m, "shift")
    press(m, "d")
    assert typed(heard(m)) == "Dd"


def status_messages(m):
    """What the devices took out of their queues of lights: nothing else of this machine only reads."""
    m.resets.seek(0)
    return re.findall(rb"virtqueue_pop .* in_num 0 out_num 1$", m.resets.read(), re.M)


def test_the_tablet(m):
    listen(m, last=0x114)
    for x, y in ((0, 0), (16384, 8192), (32767, 32767)):
        send(m, *({"type": "abs", "data": {"axis": axis, "value": value}} for axis, value in (("x", x), ("y", y))))
    for button in ("left", "wheel-up", "extra"):
        for down in (True, False):
            send(m, {"type": "btn", "data": {"button": button, "down": down}})
    events = heard(m, last=None)
    at = {}
    positions = [dict(at) for _, kind, code, value in events if kind == "abs" and not at.update({code: value})]
    assert positions[-1] == {0: 32767, 1: 32767} and {0: 16384, 1: 8192} in positions, events
    assert keys_of(events) == [(0x110, 1), (0x110, 0)] and [(code, value) for _, kind, code, value in events if kind == "rel"] == [(8, 1)], events


def test_one_comes_and_goes(m):
    """Put in it is typed on; taken out with a key down, that is let go, and its driver is no more; and again."""
    before, logged = sorted(sources(m)), len(m.run("log"))
    for _ in range(2):
        m.qmp.command("device_add", driver="virtio-keyboard-pci", bus="hot", id="card")
        wait_until(m, lambda: len(sources(m)) == 4)
        (name, _), = set(sources(m)) - set(before)
        listen(m)
        press(m, "shift", "x", keep=True)
        until_pressed(m, 45)
        # Its keys are its own: what is down on another stays so.
        press_on(m, "second", "alt", True)
        until_pressed(m, 56)
        unplug(m)
        until_pressed(m, 42, 0)
        wait_until(m, lambda: sorted(sources(m)) == before and name not in m.run("svc"))
        press_on(m, "second", "alt", False)
        until_pressed(m, 56, 0)
        press(m, "y")
        events = heard(m)
        assert keys_of(events) == [(42, 1), (45, 1), (56, 1), (42, 0), (45, 0), (56, 0), (21, 1), (21, 0)] and typed(events) == "Xy", events
    log = m.run("log")[logged:]
    assert not re.search(r"vinputd.*(fault|status [^0]|killed)", log), log


def test_initd_dies_as_one_comes(m):
    """At one step after the other: the driver opens inputdev:// whoever has bound it, and nobody need start it again."""
    for step in range(1, 100, 2):
        first = pid_of(m, "initd")
        m.run(f"echo die {step} >svc://")
        m.qmp.command("device_add", driver="virtio-tablet-pci", bus="hot", id="card")
        wait_until(m, lambda: len(sources(m)) == 4)
        died = pid_of(m, "initd") != first
        m.run("echo die 0 >svc://")
        unplug(m)
        wait_until(m, lambda: len(sources(m)) == 3 and m.run("svc").count("vinputd.") == 3)
        if not died:
            break
    assert step > 10, "it did end in the middle"


@pytest.mark.parametrize("death", [f"svc kill {FIRST}", f"put killer:// {FIRST} 1 0 10 fault"])
def test_what_is_down_when_its_driver_dies(m, death):
    """It is let go, for that it was let go meanwhile nobody would have heard; what other keyboards hold is not."""
    listen(m)
    press(m, "a", keep=True)
    until_pressed(m, 30)
    press_on(m, "second", "shift", True)
    until_pressed(m, 42)
    m.run(death)
    until_pressed(m, 30, 0)
    wait_until(m, lambda: typing(m, "b"))
    press_on(m, "second", "shift", False)
    events = heard(m)
    assert keys_of(events)[:3] == [(30, 1), (42, 1), (30, 0)] and set(typed(events)[1:]) == {"B"}, events
    assert not any(kind == "syn" and code == 3 for _, kind, code, _ in events), "of inputd's own events none was lost"
    # inputd finds all of them again, and what is down.
    listen(m)
    press(m, "shift", keep=True)
    until_pressed(m, 42)
    m.run("svc kill inputd")
    assert len(sources(m)) == 3
    press(m, "q")
    events = heard(m)
    assert typed(events) == "Q" and keys_of(events)[0] == (42, 1) and (42, 0) not in keys_of(events), events
    let_go(m, "shift")


def test_nothing_is_left(m):
    """Deaths of a driver, and devices that came and went, leave nothing of a queue or a Session behind."""
    def plug_and_unplug():
        m.qmp.command("device_add", driver="virtio-tablet-pci", bus="hot", id="card")
        wait_until(m, lambda: len(sources(m)) == 4)
        m.run(f"svc kill {SECOND} {FIRST}")
        unplug(m)
        wait_until(m, lambda: len(sources(m)) == 3 and m.run("svc").count("vinputd.") == 3)
    plug_and_unplug()
    before = at_rest(m)
    for _ in range(2):
        plug_and_unplug()
    back_to(m, before, at_rest)


def typing(m, key):
    """Whether the keyboard is being listened to again."""
    press(m, key)
    return key in typed(so_far(m)).lower()


def test_inputd_forgets(m):
    """Its state dropped after three faults, the drivers tell it again of their devices; what was typed before is not typed again."""
    m.run("put killer:// inputd 3 0 10 fault")
    wait_until(m, lambda: m.run("cat killer://").split()[0] == "0")
    wait_until(m, lambda: len(sources(m)) == 3)
    listen(m)
    wait_until(m, lambda: typing(m, "z"))
    assert set(typed(heard(m))) == {"z"}


def test_kills_while_keys_are_typed(m):
    """The numbers of events go on without gaps or doubles; a key may be lost with the driver, but none comes twice, or stays down."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    before = {name: restarts(m, name) for name in (FIRST, "inputd", "pcid")}
    logged = len(m.run("log"))
    listen(m)
    m.run(f"put killer:// {FIRST},inputd,pcid {KILLS} 50 100000 seed={rng.randrange(1, 1 << 30)}")
    pressed = ""
    while len(pressed) < 60 or m.run("cat killer://").split()[0] != "0":
        for key in rng.choices("abcdefghijklmnopqrstuvwxyz", k=10):
            press(m, key)
            pressed += key
    wait_until(m, lambda: typing(m, "1"))
    type_keys(m, "234")
    events = heard(m)
    whole = re.fullmatch("([a-z]*)1+234", typed(events))
    assert whole, typed(events)
    text = whole.group(1)
    letters = iter(pressed)
    assert all(letter in letters for letter in text), f"{text!r} is not what is left of {pressed!r}"
    assert text, "nothing of it came"
    keys = keys_of(events)
    assert [code for code, value in keys if value == 1] == [code for code, value in keys if value == 0], events
    assert sum(restarts(m, name) - count for name, count in before.items()) >= KILLS
    log = m.run("log")
    assert not re.search(r"is dropped|damaged|fault:", log[logged:]), log


def test_beside_ps2(test_image):
    """The newest keyboard is the one that is typed on; PS/2's are there all the same."""
    with Machine(test_image, extra=("-device", "virtio-keyboard-pci,id=card,addr=9")) as m:
        m.boot()
        wait_until(m, lambda: len(sources(m)) == 1)
        assert m.run("cat input://devices").count("present") == 3
        listen(m)
        type_keys(m, ["shift v"])
        assert typed(heard(m)) == "V"
        m.run(f"svc stop {SECOND}")
        wait_until(m, lambda: not sources(m))
        listen(m)
        type_keys(m, ["shift p"])
        assert typed(heard(m)) == "P"
        m.run(f"svc start {SECOND}")
        wait_until(m, lambda: len(sources(m)) == 1)
        listen(m)
        type_keys(m, ["shift w"])
        assert typed(heard(m)) == "W"
