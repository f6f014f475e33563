"""
Messages to every service, from a seed (tests/system/msgfuzz): none of them dies, leaves anything behind or keeps anybody waiting,
and the test says so when one does.
"""
import re

from campaign import check_log, services

SEED = 20260301
SCHEMES = {"initfs", "svc", "log", "proc", "null", "zero", "rng", "tty", "tmp", "tally", "count", "grant", "lazy", "kbd", "mouse", "input"}
# What each of them has been sent at least, and has done.
SENT, DONE = 2000, 50


def fuzz(m, arguments, timeout=600):
    text = m.run(f"msgfuzz {arguments}", timeout=timeout)
    return text, re.findall(r"^FAIL msgfuzz: (.*)$", text, re.M)


def check_good(m, seed, count, sent=SENT, done=DONE):
    m.run("cat tally://; cat lazy://info")          # these two start when they are first used
    before = services(m)
    text, failed = fuzz(m, f"{seed} {count}")
    assert not failed, text
    assert f"seed {seed}," in text
    assert int(re.search(r"^msgfuzz: (\d+) messages by", text, re.M).group(1)) >= count
    assert re.search(r"^msgfuzz: all \d+ processes live, every scheme answers as before, account equal$", text, re.M), text
    schemes = {name: (int(s), int(d)) for name, s, d in re.findall(r"^msgfuzz: (\w+) +(\d+) sent, +(\d+) done$", text, re.M)}
    assert set(schemes) >= SCHEMES
    assert all(s >= sent and d >= done for s, d in schemes.values()), schemes
    assert services(m) == before
    check_log(m)


def test_messages(booted, test_image):
    with booted(image=test_image) as m:
        check_good(m, SEED, 300000)


def test_messages_on_a_bare_small_machine(booted, test_image):
    with booted(image=test_image, cpu="qemu64", mem=64) as m:
        check_good(m, SEED + 1, 60000, sent=200, done=5)


def test_a_death_is_noticed(booted, test_image):
    """relay:// dies of nearly every path."""
    with booted(image=test_image) as m:
        text, failed = fuzz(m, "-w relay 1 10000")
        assert any(re.match(r"relay \(\d+\) has died", f) for f in failed), text


def test_a_wait_for_ever_is_noticed(booted, test_image):
    """
    A child that waits in count:// for what never comes; its seed alone shows it again, unless the count stands otherwise then. Not
    each seed has such a child: a wait for a count that others reach is answered.
    """
    with booted(image=test_image) as m:
        for seed in range(1, 7):
            text, failed = fuzz(m, f"-w wait {seed} 400000")
            found = [re.search(r"seed (\w+): no answer to message \d+ \(operation 15 of count://\)", f) for f in failed]
            if not found:
                continue
            assert found[0], text
            if "no answer to message" in fuzz(m, f"-w wait -1 {found[0].group(1)} 100000")[0]:
                return
        raise AssertionError(text)
