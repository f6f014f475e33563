"""
The sanitized kernel (make SAN=1, kernel/debug/) comes to its prompt and does every system call on four CPUs without a report. The rest is
in tests/sanitized (make test-sanitized); that each kind of report is made at all, in tests/plants.tsv (make plants).
"""
from sanitized import MEMORY, has_shadow, systest


def test_every_system_call(booted, build):
    with booted(image=build / "san" / "esp.img", smp=4, mem=MEMORY) as m:
        assert has_shadow(m)
        assert systest(m) >= 60
