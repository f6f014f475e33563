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
        scale = scale_of(shown.width, shown.height)
        wrong = [(r, c) for r, row in enumerate(rows) for c in range(shown.width // (8 * scale))
                 if (r, c) != cursor and lit(shown, r, c, scale) != (c < len(row) and row[c] != " ")]
        if not wrong:
            return shown
        assert wait.left(), (wrong[:20], rows)
        time.sleep(0.2)


def scale_of(width, height):
    return max(1, min(height // 720, width // 640))


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
    assert re.search(r"^\[\d+\.\d{3}\] pcid: \d+ functions", text, re.M), "what came up after outputd stands there as well"
    wait_picture(m)
    assert m.run("ls tty://").split() == ["1", "2", "3", "4", "5", "6", "pty", "serial"]


def test_the_keypad(m):
    """Digits while NumLock is on, whoever died since; keys with Shift, and without it."""
    type_keys(m, "echo ")
    m.key("num_lock")
    for key in ("kp_7", "kp_8", "kp_add", "kp_decimal", "kp_3"):
        m.key(key)
    m.run("svc kill outputd inputd kbd")
    m.key("kp_9")
    m.key("shift-kp_4")                 # to the left
    m.key("0")
    m.key("num_lock")
    m.key("kp_7", "right", "right", "right", "right", "right", "x")    # Home
    m.key("kp_enter")
    wait_cells(m, r"^x78\+\.309$")


def test_the_right_alt_key(m):
    """An Alt key where the map has no AltGr: it goes back a word."""
    type_keys(m, "echo one two")
    m.key("alt_r-b", "x", "ret")
    wait_cells(m, r"^one xtwo$")


def test_a_line_without_an_end(m):
    """The prompt begins a row of its own, and what is typed there leaves the text alone."""
    m.run("put tmp:///text half a line")
    type_keys(m, "head -c 9 tmp:///text\n")
    wait_cells(m, r"^half a li\n" + re.escape(PROMPT.rstrip()) + "$")
    type_keys(m, "echo b")
    m.key("left", "a", "ret")
    wait_cells(m, r"^half a li\n.*echo ab\nab$")


def test_what_a_dead_program_left(m):
    """The shell's screen comes back, with what was on it, and so do its colours and modes."""
    type_keys(m, "sleep 100\n")
    wait_cells(m, r"sleep 100$")
    time.sleep(0.5)
    m.run(r"screenful -w tty://1 '\e[?1049h\e[5;9r\e[?6h\e[4h\e[?1h\e[?25l\e[31;7m\e(0full\e]0;half a title'")
    wait_cells(m, r"[^ ]")
    assert "sleep" not in text_of(m, 1)
    m.key("ctrl-c")
    wait_cells(m, re.escape(PROMPT) + r"sleep 100\n(.*\n)*" + re.escape(PROMPT.rstrip()) + "$")
    type_keys(m, "echo back\n")
    wait_cells(m, r"^back$")
    m.key("up", "ret")
    wait_cells(m, r"^back\n.*echo back\nback$")
    wait_picture(m)
    m.run(r"screenful -w tty://1 '\e(0\e[?5h'")
    type_keys(m, "reset\necho again\n")
    wait_cells(m, r"^again$")


def test_a_command(m):
    type_keys(m, "echo from the keyboard\n")
    wait_cells(m, r"^from the keyboard$")
    wait_picture(m)


def test_other_terminals(m):
    m.run("put tty://2 on the second")
    assert re.search(r"^sh2 +- unused ", m.run("svc"), re.M), "nobody has looked at it"
    m.key("alt-f2")
    wait_cells(m, re.escape(PROMPT.rstrip()), 2)
    shown = wait_picture(m, 2)
    assert cells(m, 2)[0][0] == "on the second"
    type_keys(m, "echo here\n")
    wait_cells(m, r"^here$", 2)
    m.key("alt_r-f3")                   # either Alt key
    wait_cells(m, re.escape(PROMPT.rstrip()), 3)
    m.run("svc kill outputd sh3")
    type_keys(m, "exit\n")
    wait_cells(m, r"exit\n(.*\n)*" + re.escape(PROMPT.rstrip()) + "$", 3)
    m.key("alt-f1")
    assert wait_picture(m).pixels != shown.pixels
    text, status = m.status_of("cat tty://7")
    assert status != 0, text


# What is sent to a terminal of 50 rows and 160 columns, its rows then (up to the last that shows something), and its cursor.
SEQUENCES = [
    (r"one\r\ntwo\e[1;3HX", ["onX", "two"], (0, 3)),
    (r"keep\e[?1049h\e[Hother", ["other"], None),                                     # alternate screen
    (r"keep\e[?1049h\e[Hother\e[?1049l", ["keep"], (0, 4)),
    (r"a\r\nb\r\nc\r\nd\e[2;3r\e[3;1H\nx", ["a", "c", "x", "d"], (2, 1)),           # scroll region
    (r"a\r\nb\r\nc\e[2;3r\e[2;1H\eM", ["a", "", "b"], (1, 0)),                      # reverse index in it
    (r"a\r\nb\r\nc\e[2;1H\e[L", ["a", "", "b", "c"], (1, 0)),                        # insert and delete lines, characters
    (r"a\r\nb\r\nc\e[2;1H\e[M", ["a", "c"], (1, 0)),
    (r"abcdef\e[1;3H\e[2P\e[1@", ["ab ef"], (0, 2)),
    (r"abcdef\e[1;3H\e[K\e[3;1Hx\e[1J", ["", ""], (2, 1)),                           # erase
    (r"\xe6\x97\xa5x\e[1;2Hy", [" yx"], (0, 2)),                                     # half a wide character is none
    (r"\xe6\x97\xa5\xe6\x9c\xac|", ["\u65e5\u672c|"], (0, 5)),
    (r"e\xcc\x81\xe2\x82\xac", ["e\u0301\u20ac"], (0, 2)),                           # a combining character
    (r"\e[1;159Habc", [" " * 158 + "ab", "c"], (1, 1)),                              # the margin: wraps late, or not at all
    (r"\e[?7l\e[1;159Habc", [" " * 158 + "ac"], (0, 159)),
    (r"\e(0lqk\e(B", ["\u250c\u2500\u2510"], (0, 3)),                                 # line drawing
    (r"a\x09b\e[3g\r\x09c", ["a       b" + " " * 150 + "c"], None),                       # tab stops
    (r"x\e[3b\e7\e[5;5H\e8y", ["xxxxy"], (0, 5)),                                    # repeat, save and restore
    (r"\e[31;1mred\e]0;title\x07\e[48;2;1;2;3m!\e[m", ["red!"], (0, 4)),             # colours and a title are no text
    (r"\e[99999999999999999999A\e[?9999h\ePx\e\\ok", ["ok"], (0, 2)),               # nonsense
]


@pytest.mark.parametrize("text, rows, cursor", SEQUENCES)
def test_sequences(m, text, rows, cursor):
    m.run(f"screenful -w tty://5 '\\ec{text}'")    # no shell there
    now, at = cells(m, 5)
    while now and not now[-1]:
        now.pop()
    while rows and not rows[-1]:
        rows = rows[:-1]
    assert now == rows and cursor in (None, at)


@pytest.mark.parametrize("text, answer", [
    (r"\e[18t", r"\e[8;50;160t"), (r"\e[3;4H\e[6n", r"\e[3;4R"), (r"\e[5n", r"\e[0n"), (r"\e[?2004h\e[?2004$p", r"\e[?2004;1$y"),
    (r"\e[?2004l\e[?2004$p", r"\e[?2004;2$y"),
])
def test_questions(m, text, answer):
    assert m.run(f"screenful -a tty://5 '\\ec{text}'") == answer + "\n"


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


def test_modes(test_image):
    """The screen gets another size: the terminals are laid out for it, with what was on them, whoever dies then."""
    with Machine(test_image, mem=512, vga="virtio") as m:
        m.boot()
        wait_cells(m, re.escape(PROMPT.rstrip()))
        for width, height in ((1024, 768), (800, 600), (3840, 2160), (1280, 800)):
            m.run(f"put fb://mode {width}x{height}")
            wait = Wait(m.process.pid, 30)
            while len(cells(m)[0]) != height // (16 * scale_of(width, height)):
                assert wait.left(), cells(m)
            type_keys(m, f"echo at {width}\n")
            wait_cells(m, rf"^at {width}$")
            wait_picture(m)
            m.run("svc kill outputd fbd")
            shown = wait_picture(m)
            assert (shown.width, shown.height) == (width, height)
        assert [row for row in cells(m)[0] if row.startswith("at ")] == ["at 1024", "at 800", "at 3840", "at 1280"]


def test_a_long_line_in_another_mode(test_image):
    """A line that is typed wraps where the screen ends now, also when that changes under it; behind a program of the whole screen nothing is lost."""
    with Machine(test_image, mem=512, vga="virtio") as m:
        m.boot()
        wait_cells(m, re.escape(PROMPT.rstrip()))
        type_keys(m, "echo " + "a" * 40)
        m.run("put fb://mode 800x600")
        wait = Wait(m.process.pid, 30)
        while len(cells(m)[0]) != 600 // 16:
            assert wait.left(), cells(m)
        type_keys(m, "b" * 60)
        m.key("left", "left", "x")
        wait_cells(m, "^" + re.escape(PROMPT) + "echo a{40}b{45}\nb{13}xbb$")
        assert text_of(m, 1).count("echo a") == 1
        type_keys(m, "\n")
        wait_cells(m, "^a{40}b{58}xb\nb\n")
        m.run(r"screenful -w tty://1 '\e[?1049h\e[Hwhole screen'")
        m.run("put fb://mode 1024x768")
        m.run("put fb://mode 640x480")
        while len(cells(m)[0]) != 480 // 16:
            assert wait.left(), cells(m)
        m.run(r"screenful -w tty://1 '\e[?1049l'")
        rows, cursor = cells(m)
        assert rows[cursor[0]] == PROMPT.rstrip() and cursor[1] == len(PROMPT), (rows, cursor)


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
