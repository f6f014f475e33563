"""
Everything that systest tries on eight CPUs, more than this machine is likely to have: `make test` does that on one, two and four.
"""
import re


def test_every_system_call(booted, test_image):
    with booted(image=test_image, smp="8") as m:
        for _ in range(10):
            text = m.run("systest", timeout=600)
            assert re.search(r"^system: \d+ passed, 0 failed$", text, re.M), "\n".join(re.findall(r"^FAIL .*$", text, re.M))
