"""
The kernel's command line and the loader's menu. Words for the kernel are put into the boot.cfg of a copy of the image.
"""
import re

import pytest
from image import esp_with
from vm import KERNEL_MIN, Machine


def test_no_kaslr(build, tmp_path):
    """nokaslr: the kernel is where it is linked, each time."""
    image = esp_with(tmp_path / "esp.img", build, cmdline="nokaslr")
    places = set()
    for cpu in ("max", "qemu64"):
        with Machine(image, cpu=cpu) as m:
            assert "command line: nokaslr" in m.boot()
            places.add(m.kernel_base())
    assert len(places) == 1
    assert KERNEL_MIN <= places.pop() < KERNEL_MIN + (4 << 20)


def test_debug(build, tmp_path):
    image = esp_with(tmp_path / "esp.img", build, cmdline="debug")
    with Machine(image) as m:
        assert len(re.findall(r"memory: [0-9a-f]+-[0-9a-f]+ \w+", m.boot())) > 5


@pytest.mark.parametrize("words, expected", [
    ("nohpet", r"clock: TSC .* by PIT"), ("clock=pit", r"clock: TSC .* by PIT"), ("nox2apic", r"apic: xAPIC")])
def test_option(build, tmp_path, words, expected):
    image = esp_with(tmp_path / "esp.img", build, cmdline=words)
    with Machine(image) as m:
        log = m.boot()
        assert re.search(expected, log)
        assert "unknown option" not in log


def test_video(build, tmp_path):
    """video=WxH chooses the mode; one the card does not have is no obstacle."""
    for words, expected in (("video=1024x768", "1024x768"), ("video=1x1", None)):
        image = esp_with(tmp_path / "esp.img", build, cmdline=words)
        with Machine(image) as m:
            log = m.boot()
            size = re.search(r"screen: (\d+x\d+)", log).group(1)
            assert expected in (None, size)
            screen = m.screen()
            assert size == f"{screen.width}x{screen.height}"


def test_menu(build, tmp_path):
    """Two entries: a menu; the arrow key chooses; the choice is what starts."""
    config = ("timeout = none\n[first]\ncmdline = debug\n[second]\ncmdline = second.entry quiet=0\n").encode()
    image = esp_with(tmp_path / "esp.img", build, files={"boot.cfg": config})
    with Machine(image) as m:
        m.expect("Enter starts", 60)
        m.send("\x1b[B")
        m.send("\r")
        assert "command line: second.entry" in m.boot()


def test_menu_timeout_and_edit(build, tmp_path):
    """The first entry starts by itself; its command line can be edited for one boot."""
    config = ("timeout = 2\n[first]\ncmdline = first.entry quiet=0\n[second]\n").encode()
    image = esp_with(tmp_path / "esp.img", build, files={"boot.cfg": config})
    with Machine(image) as m:
        assert "command line: first.entry" in m.boot()
    with Machine(image) as m:
        m.expect("Enter starts", 60)
        m.send("e")
        m.expect("Command line for this boot")
        m.send(" typed.words\r")
        m.send("\r")
        assert "command line: first.entry quiet=0 typed.words" in m.boot()
