"""
time:// and date: the time comes from the clock chip, goes on through the deaths of timed to the nanosecond, is set there and shown in
the zones of the world; alarms ring when the clock shows their moment, whoever died or set it meanwhile.
"""
import re

import pytest
from image import esp_with
from test_kill import account, kill, restarts, same_account
from vm import Machine

BASE = ["-rtc", "base=2031-02-03T04:05:06"]
BOOTING = "2031-02-03T04:0[5-9]:"       # however slow the machine is


@pytest.fixture
def m(booted, test_image):
    with booted(image=test_image, extra=BASE) as machine:
        yield machine


def offset(m):
    return int(re.search(r"the same offset (\d+)", m.run("alarm steady 0")).group(1))


def test_the_clock_chip(build):
    with Machine(build / "skerry.img", extra=BASE) as m:
        m.boot()
        assert re.fullmatch(BOOTING + r"\d\d\.\d{9}Z\n", m.run("cat time://"))
        assert re.fullmatch(BOOTING + r"\d\d\.\d{9}Z\n", m.run("cat time://now"))
        assert re.fullmatch(r"Mon Feb  3 04:0[5-9]:\d\d UTC 2031\n", m.run("date"))
        first, second = (float(m.run("date +%s.%N")) for _ in range(2))
        assert 1927857906 <= first < second < 1927857906 + 300
        assert re.search("timed: " + BOOTING + r"\d\dZ, by the clock chip\n", m.run("cat log://"))
        assert m.run("ls -1 time://").split() == ["now", "zone"]


@pytest.mark.parametrize("base, shown, said", [
    ("2079-12-31T23:55:00", "2079-12-31T23:5", "(without a century)"), ("2031-02-03T04:05:06", BOOTING, "(without a century)")])
def test_without_a_century(test_image, build, tmp_path, base, shown, said):
    image = esp_with(tmp_path / "esp.img", build, cmdline="timed.century=none")
    with Machine(image, extra=["-rtc", f"base={base}"]) as m:
        m.boot()
        assert re.match(shown, m.run("cat time://"))
        assert said in m.run("cat log://")


def test_without_the_chip(build, tmp_path):
    """The firmware's time does, a few seconds behind; setting the clock works, and the chip is left alone."""
    image = esp_with(tmp_path / "esp.img", build, cmdline="timed.chip=none")
    with Machine(image, extra=BASE) as m:
        m.boot()
        assert re.match(BOOTING, m.run("cat time://"))
        assert re.search("timed: " + BOOTING + r"\d\dZ, by the firmware\n", m.run("cat log://"))
        assert m.run("date -s 2040-07-01") == ""
        assert m.run("date +%F") == "2040-07-01\n"
        assert m.qmp.command("qom-get", path="/machine", property="rtc-time")["tm_year"] == 131


def test_a_clock_that_was_never_set(build):
    """What no clock of today can show is not believed, neither from the chip nor from the firmware: the time is unset until somebody sets it."""
    with Machine(build / "skerry.img", extra=["-rtc", "base=2001-02-03T04:05:06"]) as m:
        m.boot()
        assert m.run("cat time://") == "unset\n"
        text, status = m.status_of("date")
        assert status == 1 and "not set" in text
        assert m.run("date -s 2032-01-01") == ""
        assert m.run("date +%F") == "2032-01-01\n"
        assert "timed: the clock chip is not believed: it was never set\n" in m.run("cat log://")


def test_restarts(m):
    """Twenty deaths, with somebody asking all the time: the offset is what it was, to the nanosecond."""
    before = offset(m)
    begin = restarts(m, "timed")
    m.run("alarm steady 3000 >tmp://steady &")
    kill(m, "timed", 20)
    m.run("wait")
    asked = re.search(r"asked (\d+) times, the same offset (\d+)", m.run("cat tmp://steady"))
    assert asked and int(asked.group(1)) > 100 and int(asked.group(2)) == before
    assert restarts(m, "timed") == begin + 20
    assert offset(m) == before
    m.run("put killer:// timed 20 0 2000; sleep 2")
    assert offset(m) == before
    assert "is dropped" not in m.run("cat log://")


def test_setting(m):
    """Set time stays through deaths, and is in the chip: the machine that starts again, without us, shows it."""
    assert m.run("date -s '2040-07-01 12:00'") == ""
    kill(m, "timed", 2)
    assert re.fullmatch(r"Sun Jul  1 12:00:\d\d UTC 2040\n", m.run("date"))
    chip = m.qmp.command("qom-get", path="/machine", property="rtc-time")
    assert (chip["tm_year"], chip["tm_mon"], chip["tm_mday"], chip["tm_hour"], chip["tm_min"]) == (140, 6, 1, 12, 0)
    for good, shown in (("2040-07-01T12:30:00+02:00", "2040-07-01 10:30:00"), ("@2000000000", "2033-05-18 03:33:20"), ("23:10", "2033-05-18 23:10:00")):
        assert m.run(f"date -s {good}") == ""
        assert m.run("date '+%F %T'")[:18] == shown[:18]
    for bad in ("tomorrow", "2040-13-01", "2500-01-01", "1969-01-01"):
        before = offset(m)
        text, status = m.status_of(f"date -s {bad}")
        assert status == 1 and text.startswith("date: "), text
        assert offset(m) == before


def test_deaths_while_setting(m):
    """Killed in the middle of writing to the chip, timed writes again: the chip runs, and shows what was set last."""
    m.run("put killer:// timed 60 0 3000")
    for i in range(1, 21):
        assert m.run(f"date -s 20{30 + i}-03-04T05:06:07Z") == ""
        assert m.run("date +%F") == f"20{30 + i}-03-04\n"
    m.run("sleep 1")
    assert "not believed" not in m.run("cat log://")

    def chip():
        t = m.qmp.command("qom-get", path="/machine", property="rtc-time")
        return t["tm_year"], t["tm_mon"], t["tm_mday"], t["tm_hour"], t["tm_min"] * 60 + t["tm_sec"]

    first = chip()
    assert first[:4] == (150, 2, 4, 5) and 6 * 60 + 7 <= first[4] < 9 * 60
    m.run("sleep 2")
    assert chip()[4] > first[4], "it runs"


def test_zones(m):
    assert m.run("cat time://zone") == "UTC UTC0\n"
    assert m.run("date -s 2031-07-03T04:05:06Z") == ""
    for zone, shown in (("Europe/Berlin", "06:05 CEST +0200"), ("America/New_York", "00:05 EDT -0400"), ("Australia/Lord_Howe", "14:35 +1030 +1030"),
                        ("Asia/Kathmandu", "09:50 +0545 +0545"), ("AAA-3BBB,J1,J364", "08:05 BBB +0400")):
        assert m.run(f"date -z '{zone}' '+%H:%M %Z %z'") == shown + "\n"
        assert m.run(f"put time://zone '{zone}'") == ""
        kill(m, "timed", 1)
        assert m.run("date '+%H:%M %Z %z'") == shown + "\n"
        assert m.run("date -u +%H:%M") == "04:05\n"
    assert m.run("cat time://zone") == "AAA-3BBB,J1,J364\n"
    for bad in ("Nowhere/City", "CET", "a b", "x" * 64, "x" * 200):
        text, status = m.status_of(f"put time://zone '{bad}'")
        assert status == 1 and "time://zone" in text
        text, status = m.status_of(f"date -z '{bad}'")
        assert status == 1 and "no time zone" in text
    assert m.run("cat time://zone") == "AAA-3BBB,J1,J364\n"


def test_zone_of_the_command_line(build, tmp_path):
    image = esp_with(tmp_path / "esp.img", build, cmdline="tz=Asia/Tokyo")
    with Machine(image, extra=BASE) as m:
        m.boot()
        assert m.run("cat time://zone") == "Asia/Tokyo JST-9\n"
        assert re.fullmatch(r"Mon Feb  3 13:0[5-9]:\d\d JST 2031\n", m.run("date"))
    image = esp_with(tmp_path / "other.img", build, cmdline="tz=Atlantis")
    with Machine(image, extra=BASE) as m:
        m.boot()
        assert m.run("cat time://zone") == "UTC UTC0\n"
        assert "timed: tz=Atlantis is no time zone\n" in m.run("cat log://")


def test_alarms(m):
    for what, said in (("wait 300", r"rang, \d+ ms late"), ("forward", "it rang"), ("many", "alarm: 512, and 512 again"), ("wrong", "as it should be")):
        text, status = m.status_of(f"alarm {what}")
        assert status == 0 and re.search(said, text), text
    assert re.match(BOOTING, m.run("cat time://")), "the clock is where it was"


def test_alarms_survive(m):
    """timed dies while alarms wait; they ring when it is back, and once."""
    m.run("alarm wait 3000 >tmp://one &")
    m.run("alarm wait 3500 >tmp://two &")
    kill(m, "timed", 5)
    m.run("wait")
    for name in ("one", "two"):
        assert re.search(r"rang, \d+ ms late", m.run(f"cat tmp://{name}"))
    # The same with deaths at the moment itself.
    m.run("put killer:// timed 30 0 30000")
    for _ in range(10):
        text, status = m.status_of("alarm wait 50")
        assert "rang" in text, text


def test_nothing_is_left(m):
    """Alarms that nobody waits for go with their Sessions, through deaths of timed as well."""
    m.run("put killer:// timed 1 0 100; alarm wrong; sleep 1")        # what its first use leaves in killer
    before = account(m)
    assert "512 again" in m.run("alarm many")
    m.run("put killer:// timed 20 0 3000")
    m.run("alarm many; alarm wrong; sleep 1")
    assert "512 again" in m.run("alarm many")
    kill(m, "timed", 1)
    same_account(m, before)
