"""
The screen: the picture in the README is made here, by  make screenshot  (or SKERRY_SCREENSHOT=file).
"""
import os
import pathlib
import re

from image import esp_with
from vm import Machine


def test_screenshot(build, font, tmp_path):
    """The boot log is readable: light letters on a dark ground, nothing cut off, no rest of the firmware's picture."""
    with Machine(esp_with(tmp_path / "esp.img", build, cmdline="outputd.screen=log"), mem=512) as m:
        m.boot()
        text = m.wait_screen(font, "rngd: seeded")
        screen = m.screen()
    lines = text.splitlines()
    assert lines[0].startswith("[0.000] Skerry ")
    assert all(re.match(r"\[ *\d+\.\d{3}\] ", line) for line in lines if line), text
    assert "\ufffd" not in text, "every cell is a letter"
    pixels = [screen.pixels[i:i + 3] for i in range(0, len(screen.pixels), 3)]
    colours = sorted(set(pixels), key=pixels.count, reverse=True)
    assert len(colours) == 2
    paper, ink = (sum(colour) for colour in colours)
    assert ink > paper + 300, "the contrast of letters and ground"
    target = pathlib.Path(os.environ.get("SKERRY_SCREENSHOT", tmp_path / "screenshot.png"))
    target.write_bytes(screen.png())
    assert target.stat().st_size > 1000
