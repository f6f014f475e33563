"""
Terminals on the screen: what is typed on the keyboard runs in the shell of tty://1, what it says is in the cells and on the screen; there are six,
and Alt and a function key choose; outputd, fbd, inputd and kbd die in the middle of it, and nothing is lost or doubled.
"""
import re
import time

import pytest
from image import esp_with
from vm import Machine, Wait, plain

PROMPT = "skerry:/$ "
GROUND = bytes(3)
KEYS = {" ": "spc", "\n": "ret", "/": "slash", ":": "shift-semicolon", ".": "dot", "-": "minus", ";": "semicolon", ">": "shift-dot"}


@pytest.fixture(scope="module", name="m")
def machine(test_image):
    with Machine(test_image, mem=512) as m:
        m.boot()
        wait_cells(m, re.escape(PROMPT.rstrip()))
        yield m


def text_of(m, number):
    """Its prompts are not to be taken for the serial line's."""
    m.sendline(f"cat tty://{number}/cells; echo cells'-'ended")
    m.expect("\n")
    text = plain(m.expect("cells-ended"))[:-len("cells-ended")].encode("latin-1").decode("utf-8", errors="replace")
    m.prompt()
    return text


def cells(m, number=1):
    """Rows of a terminal, and where its cursor is."""
    *rows, cursor = text_of(m, number).splitlines()
    row, col = map(int, re.fullmatch(r"cursor (\d+),(\d+)", cursor).groups())
    return rows, (row, col)


def wait_cells(m, pattern, number=1):
    wait = Wait(m.process.pid, 30)
    while True:
        text = text_of(m, number)
        if re.search(pattern, text, re.M):
            return text
        assert wait.left(), text
        time.sleep(0.1)


def type_keys(m, text):
    for c in text:
        m.key(KEYS.get(c, c))
        time.sleep(0.02)


def wait_picture(m, number=1):
    """Returns when every cell that has a character is lit on the screen, and no other; the cursor's place may be either."""
    wait = Wait(m.process.pid, 30)
    while True:
        rows, cursor = cells(m, number)
        shown = m.screen()
        scale = max(1, min(shown.height // 720, shown.width // 640))
        wrong = [(r, c) for r, row in enumerate(rows) for c in range(shown.width // (8 * scale))
                 if (r, c) != cursor and lit(shown, r, c, scale) != (c < len(row) and row[c] != " ")]
        if not wrong:
            return shown
        assert wait.left(), (wrong[:20], rows)
        time.sleep(0.2)


def lit(shown, row, col, scale):
    size = 8 * scale
    for y in range(row * 2 * size, (row + 1) * 2 * size):
        at = 3 * (y * shown.width + col * size)
        if shown.pixels[at:at + 3 * size] != GROUND * size:
            return True
    return False


def test_log_then_prompt(m):
    rows, _ = cells(m)
    assert len(rows) == 50
    text = text_of(m, 1)
    assert re.search(r"^\[\d+\.\d{3}\] ", text, re.M) and PROMPT.rstrip() in text, text
    wait_picture(m)
    assert m.run("ls tty://").split() == ["1", "2", "3", "4", "5", "6", "serial"]


def test_a_command(m):
    type_keys(m, "echo from the keyboard\n")
    wait_cells(m, r"^from the keyboard$")
    wait_picture(m)


def test_other_terminals(m):
    m.run("put tty://2 on the second")
    m.key("alt-f2")
    shown = wait_picture(m, 2)
    assert cells(m, 2)[0][0] == "on the second"
    m.key("alt-f1")
    assert wait_picture(m).pixels != shown.pixels
    text, status = m.status_of("cat tty://7")
    assert status != 0, text


def test_history(m):
    before = cells(m)[0]
    type_keys(m, "log\nlog\nlog\n")
    wait_cells(m, r"^cursor 49,")
    wait_cells(m, re.escape(PROMPT.rstrip()) + r"\ncursor 49,10$")
    now = cells(m)[0]
    m.key("shift-pgup")
    wait = Wait(m.process.pid, 20)
    while cells(m)[0] == now:
        assert wait.left(), before
    m.key("shift-pgdn")
    while cells(m)[0] != now:
        assert wait.left(), before


@pytest.mark.parametrize("names", ["outputd", "fbd", "inputd", "kbd", "outputd fbd inputd kbd"])
def test_killed_while_typing(m, names):
    """Each line that is typed is run once, and each is printed once."""
    tag = names.replace(" ", "")
    type_keys(m, "\n")
    for i in range(6):
        type_keys(m, f"echo {tag}")
        assert m.run(f"svc kill {names}") == ""
        type_keys(m, f"{i}\n")
        assert m.run(f"svc kill {names}") == ""
    wait_cells(m, rf"^{tag}5$")
    rows, _ = cells(m)
    assert [row for row in rows if re.fullmatch(tag + r"\d", row)] == [f"{tag}{i}" for i in range(6)], rows
    wait_picture(m)


def test_killed_while_printing(m):
    """Writes of many lines from the serial shell's program, in the back: all of them, in order."""
    m.run("log >tmp:///long; log >>tmp:///long")
    lines = m.run("cat tmp:///long").splitlines()
    m.run("sh -c 'cat tmp:///long >tty://3; echo done >tmp:///end' &")
    for _ in range(10):
        m.run("svc kill outputd fbd")   # the end of the job may be told here
    wait = Wait(m.process.pid, 60)
    while "done" not in m.run("cat tmp:///end").splitlines():   # as well
        assert wait.left()
    rows = [row for row in cells(m, 3)[0] if row]
    assert rows[-10:] == [line[:160].rstrip() for line in lines[-10:]], rows


def test_size(build, tmp_path):
    """A screen for larger letters, with a rest that no cell fills on two sides."""
    width, height = 1928, 1456
    image = esp_with(tmp_path / "esp.img", build / "test", cmdline=f"video={width}x{height}")
    with Machine(image, mem=512, vga="none", extra=("-device", f"VGA,xres={width},yres={height},vgamem_mb=64")) as m:
        m.boot()
        wait_cells(m, re.escape(PROMPT.rstrip()))
        assert m.run("cat fb://").startswith(f"screen {width}x{height} ")
        assert len(cells(m)[0]) == 45
        shown = wait_picture(m)
        rows = [shown.pixels[y * width * 3:(y + 1) * width * 3] for y in range(height)]
        assert all(row[120 * 16 * 3:] == GROUND * 8 for row in rows) and all(row == GROUND * width for row in rows[45 * 32:])
