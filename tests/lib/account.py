"""
account: the kernel's exact account (proc://kstat) as a test sees it. "Nothing leaked" is equality with the
figures from before, but for the fields that move by themselves; abi/objects.h marks those with (*).
"""
import time

MOVING = {"table_bytes", "pages_slab", "pages_free", "time_ns", "idle_ns", "switches", "interrupts", "page_faults",
          "calls_short", "calls_long", "returns_short", "returns_long"}


def settled(m):
    """The services that start beside the prompt have come up: acpid, which has the most to do, answers."""
    if not getattr(m, "is_settled", False):
        m.run("cat acpi:// >null://", 60)
        m.is_settled = True


def kstat(m):
    settled(m)
    return {name: int(value) for name, value in (line.split() for line in m.run("cat proc://kstat").splitlines())}


def fill_screen(m):
    """From now on terminal 1 has all the history, and all the pixels, that it will ever have: a shell that starts there anew takes no more."""
    if not getattr(m, "is_filled", False):
        m.run("hexdump -v -n 16000 zero:// >tty://1", 60)
        m.is_filled = True


def exact(figures):
    return {name: value for name, value in figures.items() if name not in MOVING}


def at_rest(m):
    """The account once two looks in a row agree: what ended has been cleared away."""
    before = None
    for _ in range(20):
        now = exact(kstat(m))
        if now == before:
            return now
        before = now
        time.sleep(0.1)
    raise AssertionError(f"the account does not come to rest: {now}")


def differences(before, after):
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def back_to(m, before, account):
    """account(m) is `before` again. Equality may take a moment: what was killed is cleared away in the background."""
    for _ in range(10):
        wrong = differences(before, account(m))
        if not wrong:
            return
        time.sleep(0.3)
    raise AssertionError(f"before and after differ: {wrong}")
