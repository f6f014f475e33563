"""
sanitized: what the machine tests with the sanitized kernel (make SAN=1) share. Any report is a line that begins with PANIC, which fails
whatever is waited for (vm.py).
"""
import re

MEMORY = 512            # an eighth is shadow


def systest(machine, names="", timeout=400):
    """
    Every test passes. This kernel is slow, and some tests measure time: one that fails must pass when it is alone.
    """
    text = machine.run(f"systest {names}".strip(), timeout=timeout)
    summary = re.search(r"^system: (\d+) passed, (\d+) failed$", text, re.M)
    assert summary, text[-500:]
    failed = re.findall(r"^FAIL ([^:\s]+).*$", text, re.M)
    assert len(failed) <= 3, text
    for name in failed:
        again = machine.run(f"systest {name}", timeout=timeout)
        assert re.search(r"^system: 1 passed, 0 failed$", again, re.M), again
    return int(summary.group(1)) + len(failed)


def has_shadow(machine):
    """That it is the sanitized kernel, and looks."""
    return re.search(r"kasan: [1-9]\d* pages of shadow", machine.log) is not None
