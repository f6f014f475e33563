"""
Programs of another system: one built for Linux, static with musl, prints here what it prints there. Upcalls, interrupts and
suspended threads one by one are systest's (upcall-*, suspended-*).
"""
import re
import subprocess

import pytest

URI = "initfs:///bin/hello.linux"


def on_linux(program, *arguments):
    done = subprocess.run([URI, *arguments], executable=program, env={"HOME": "/"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode()


@pytest.mark.parametrize("machine", [{}, {"cpu": "qemu64"}, {"smp": 4}], ids=["max", "qemu64", "4-cpus"])
def test_a_linux_program_runs_unchanged(booted, build, test_image, machine):
    status, want = on_linux(build / "test/foreign/hello.linux", "one", "two words")
    assert status == 7 and "1.643935" in want
    with booted(image=test_image, **machine) as m:
        for _ in range(3):
            got = m.run(f'linuxrun {URI} one "two words"')
            assert sorted(got.strip().splitlines()) == sorted(want.strip().splitlines())
            assert m.run("echo $?").strip() == "7"


def test_its_crash_is_its_own(booted, test_image):
    with booted(image=test_image) as m:
        got = m.run(f"linuxrun {URI} crash")
        assert re.search(r"exception 14 at 0x[0-9a-f]{6}, address 0x10$", got, re.M), got
        assert m.run("echo $?").strip() == "139"
        assert "Hello" in m.run(f"linuxrun {URI}")
