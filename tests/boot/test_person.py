"""
A person at the keyboard while everything between that person and the machine dies: fifty deaths of each service in an order that nobody
chose, a program printing beside it. What was typed arrives once and in order, the screen shows what it should, and nothing is lost for good.

PERSON_SEED repeats a run.
"""
import os
import random
import re

import pytest
from account import back_to
from campaign import account, check_log, services
from test_input import press, wait_until
from test_vt import PROMPT, cells, type_keys, wait_cells, wait_picture
from vm import BOOT_S, Machine, Wait

VICTIMS = ("initd", "sysd", "pcid", "acpid", "kbd", "moused", "inputd", "fbd", "outputd", "timed")
SPREAD_US = 60000
LINES, ROUNDS = 2000, 10            # what is printed, and how often


class Keyboard:
    """
    Types as a person does who sees what comes of it: a keyboard's own buffer takes 16 bytes, and what more is pressed while nobody fetches
    any is lost without a sign, on hardware as in QEMU. Its trace tells how many bytes the buffer holds.
    """
    TRACE = ("-trace", "ps2_put_keycode", "-trace", "ps2_read_data", "-trace", "ps2_write_keyboard")
    HELD_MAX = 9        # and one key with shift more

    def __init__(self, m):
        self.m, self.at, self.put, self.taken, self.device = m, 0, 0, 0, None

    def held(self):
        self.m.resets.seek(self.at)
        text = self.m.resets.read()
        self.at += len(text) - len(text.rpartition(b"\n")[2])
        for what, device in re.findall(rb"^(ps2_\w+) (\w+).*\n", text, re.M):
            if what == b"ps2_put_keycode":
                self.device = device
                self.put += 1
            elif device == self.device:         # each byte that it is sent it acknowledges
                self.taken += 1 if what == b"ps2_read_data" else -1
        return self.put - self.taken

    def press(self, *keys):
        wait_until(self.m, lambda: self.held() <= self.HELD_MAX, 60)
        press(self.m, *keys)


def left(m):
    """How many deaths are still to come. Meanwhile a program prints on terminal 3."""
    if m.run("cat tmp:///printed") == "yes\n":
        m.run("wait; put tmp:///printed no")
        m.run("sh -c '" + "; ".join(["cat tmp:///long >tty://3"] * ROUNDS) + "; put tmp:///printed yes' &")
    return int(m.run("cat killer://", timeout=60).split()[0])


def kill(m, names, times, rng):
    m.run(f"put killer:// {','.join(names)} {times} 50 {SPREAD_US} seed={rng.randrange(1, 1 << 30)}")


def type_a_line(keyboard, rng):
    text = ""
    for letter in rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(5, 40)):
        shift = rng.random() < 0.2
        keyboard.press(*(["shift"] if shift else []), letter)
        text += letter.upper() if shift else letter
    keyboard.press("ret")
    return text + "\n"


def deaths_while_typing(m, keyboard, each, rng):
    """Returns what was typed. How often initd died only the killer knows: it is left to chance, as one of ten."""
    before = services(m)
    kill(m, VICTIMS, each * len(VICTIMS), rng)
    typed = type_a_line(keyboard, rng)
    while left(m):
        typed += type_a_line(keyboard, rng)
    for name, (_, count) in services(m).items():
        if name in VICTIMS and count < before[name][1] + each:
            kill(m, [name], before[name][1] + each - count, rng)
            while left(m):
                typed += type_a_line(keyboard, rng)
    return typed


def session(m, keyboard, each, rng):
    """At terminal 1 what is typed goes into a file; on terminal 3 a program prints all the while."""
    m.run(f"hexdump -v -n {16 * LINES} zero:// >tmp:///long")
    m.run("put tmp:///printed yes")
    type_keys(m, "cat >tmp:///typed\n")
    typed = deaths_while_typing(m, keyboard, each, rng)
    press(m, "ctrl", "d")
    wait_until(m, lambda: m.run("cat tmp:///typed", timeout=60) == typed)
    wait_until(m, lambda: m.run("cat tmp:///printed") == "yes\n", 60)
    m.run("wait")


def rows_printed(m):
    return [row for row in cells(m, 3)[0] if row]


def look_at_both(m):
    wait_picture(m)
    press(m, "alt", "f3")
    wait_picture(m, 3)
    press(m, "alt", "f1")
    wait_picture(m)


@pytest.mark.parametrize("smp", ["4"])
def test_fifty_deaths_of_each_while_typing(booted, test_image, smp):
    seed = int(os.environ.get("PERSON_SEED", random.randrange(1 << 32)))
    print(f"PERSON_SEED={seed}")
    rng = random.Random(seed)
    with booted(image=test_image, smp=smp, extra=Keyboard.TRACE) as m:
        keyboard = Keyboard(m)
        wait_cells(m, re.escape(PROMPT.rstrip()))
        session(m, keyboard, 3, rng)
        look_at_both(m)
        before = account(m)
        session(m, keyboard, 50, rng)
        last = m.run(f"hexdump -v -s {16 * (LINES - 40)} -n 640 zero://").splitlines()
        assert rows_printed(m)[-40:] == last[-40:]
        type_keys(m, "echo still here\n")
        wait_cells(m, r"^still here$")
        look_at_both(m)
        check_log(m)
        back_to(m, before, account)


def test_screen_and_keyboard_alone(build):
    """Without a serial line a person gets everywhere all the same: here to the end."""
    with Machine(build / "skerry.img", serial=False) as m:
        wait = Wait(m.process.pid, BOOT_S)
        while not m.qmp.wait_event("SHUTDOWN", 2):
            assert wait.left(), m.why_ended()
            type_keys(m, "poweroff\n")
