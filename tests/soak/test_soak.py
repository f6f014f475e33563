"""
Hours of kills under load: a random service dies at a random moment, again and again, while programs use all of them;
after each round the kernel's account is what it was. SOAK_MINUTES says how long (60), SOAK_SEED repeats a run.
"""
import os
import random
import re
import time

from account import at_rest, differences
from campaign import all_run

NAMES = ("rngd", "sysd", "tmpd", "outputd", "timed", "pcid", "fbd", "kbd", "moused", "inputd", "acpid", "sh1", "sh")
CLIENTS = ("hexdump -n 64 rng://", "wc -l log://", "ps", "sha256sum initfs:///bin/sh", "svc", "ls -l initfs:///bin",
           "hexdump -n 100 zero://", "sleep 0.05", "cat proc://1/handles", "put null:// text", "cat time://", "date", "cat fb://", "cat input://devices", "put input://keymap us", "cat acpi://", "wc -c acpi://irq", "put tmp:///soak some text", "ls -l tmp:///", "stat tty://serial", "put tty://2 text", "wc -l tty://1/cells")


def fresh(m):
    all_run(m)
    m.run("svc kill rngd sysd tmpd outputd timed pcid fbd kbd moused inputd acpid sh1")
    m.run("svc kill sh")
    m.run("cat acpi:// >null://")
    return at_rest(m)


def one_round(m, dice):
    """Twenty lines of a few programs each, with a killer behind their backs."""
    names = [dice.choice(NAMES[:-1]) for _ in range(dice.randrange(5, 30))]
    script = "; ".join(f"sleep {dice.uniform(0, 0.05):.3f}; svc kill {name}" for name in names)
    m.run(f"sh -c '{script}' &")
    for _ in range(20):
        text = m.run("; ".join(dice.choices(CLIENTS, k=dice.randrange(1, 5))), timeout=120)
        for word in ("the other side", "malformed", "not found", "fault:"):
            assert word not in text, text
    m.run("wait", timeout=120)
    if dice.random() < 0.3:
        m.run("svc kill sh")


def test_kills_under_load(machine):
    minutes = float(os.environ.get("SOAK_MINUTES", "60"))
    seed = int(os.environ.get("SOAK_SEED", time.time_ns() % 1000000))
    print(f"SOAK_SEED={seed}")          # shown when it fails
    dice = random.Random(seed)
    one_round(machine, dice)
    before = fresh(machine)
    end = time.monotonic() + minutes * 60
    rounds = 0
    while rounds == 0 or time.monotonic() < end:
        one_round(machine, dice)
        wrong = differences(before, fresh(machine))
        assert not wrong, f"round {rounds} lost something: {wrong}"
        rounds += 1
    assert not re.search(r"ended: (?!killed|exited with status 0)", machine.run("cat log://"))
    print(f"{rounds} rounds")
