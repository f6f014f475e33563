"""
fb://: pixels on the screen exactly as surfaces have them, whoever dies: tests/system/fbdraw draws a pattern that is known here, too.
"""
import contextlib
import re
import socket

import pytest
from account import at_rest, back_to, settled
from image import esp_with
from vm import Machine


@pytest.fixture(scope="module", name="m")
def machine(build, tmp_path_factory):
    """Without terminals on the screen: it is for surfaces of the tests."""
    with Machine(esp_with(tmp_path_factory.mktemp("fb") / "esp.img", build / "test", cmdline="outputd.screen=log")) as m:
        m.boot()
        yield m


class Picture:
    """What should be on the screen: black, with surfaces put on it in turn."""

    def __init__(self, width, height):
        self.width = width
        self.rows = [bytearray(3 * width) for _ in range(height)]

    def put(self, width, height, at_x, at_y, seed):
        for y in range(max(0, -at_y), min(height, len(self.rows) - at_y)):
            first, last = max(0, -at_x), min(width, self.width - at_x)
            row = bytearray(3 * (last - first))
            row[0::3] = bytes((x * 7 + seed * 50) & 255 for x in range(first, last))
            row[1::3] = bytes([(y * 5 + seed * 80) & 255]) * (last - first)
            row[2::3] = bytes((x ^ y ^ seed) & 255 for x in range(first, last))
            self.rows[at_y + y][3 * (at_x + first):3 * (at_x + last)] = row
        return self

    def blend(self, x, y, colour, alpha):
        at = self.rows[y][3 * x:3 * x + 3]
        self.rows[y][3 * x:3 * x + 3] = bytes((a * alpha + b * (255 - alpha) + 127) // 255 for a, b in zip(colour, at))

    def pixels(self):
        return b"".join(self.rows)


def differs(m, picture):
    """None, or the first pixel that does and how many do."""
    screen, wanted = m.screen(), picture.pixels()
    if screen.pixels == wanted:
        return None
    wrong = [i // 3 for i in range(0, len(wanted), 3) if screen.pixels[i:i + 3] != wanted[i:i + 3]]
    x, y = wrong[0] % screen.width, wrong[0] // screen.width
    at = 3 * wrong[0]
    return f"{len(wrong)} pixels differ, the first at {x}, {y}: {screen.pixels[at:at + 3].hex()}, not {wanted[at:at + 3].hex()}"


def restarts(m):
    return int(re.search(r"^fbd +\d+ running +(\d+) ", m.run("svc"), re.M).group(1))


def account(m):
    """With fresh instances: what the second use of the same touches for the first time is no loss."""
    settled(m)              # asks with the present shell: the next one is to have done no more than at the next account
    m.run("svc kill rngd sysd tmpd outputd timed pcid fbd")
    m.run("svc kill sh")
    return at_rest(m)


def draw(m, arguments, said="shown"):
    """Starts fbdraw in the background; its pid, once it has said so. In a file: on the terminal it may come before the prompt or after it."""
    m.run(f"fbdraw {arguments} >tmp://drawn &")
    for _ in range(600):
        if f"fbdraw: {said}\n" in m.run("cat tmp://drawn"):
            break
        m.run("sleep 0.02")
    else:
        raise AssertionError(m.run("ps; log"))
    m.run("rm tmp://drawn")
    return re.findall(r"^ *(\d+) fbdraw ", m.run("ps"), re.M)[-1]


def end(m, *pids):
    """Returns when fbd has heard of it."""
    surfaces = m.run("cat fb://").count("surface")
    m.run(f"kill {' '.join(pids)}")
    left(m, surfaces - len(pids))


def left(m, surfaces):
    for _ in range(200):
        if m.run("cat fb://").count("surface") == surfaces:
            return
    raise AssertionError(m.run("ps; cat fb://"))


def test_log_until_shown(m, font):
    """The kernel's log stays on the screen until a surface is shown there; from then on it is only in log://."""
    assert m.run("cat fb://") == "screen 1280x800 32\n"
    # While pcid asks the display for the sizes of its BARs, nothing that is drawn arrives.
    for _ in range(200):
        if "pcid: " in m.run("cat log://"):
            break
    assert m.run("svc kill" + " fbd" * 3) == ""
    text = m.wait_screen(font, r"(initd: fbd .* ended: killed(.|\n)*){3}")
    assert text.startswith("[0.000] Skerry ")
    pid = draw(m, "1280 800 0 0 1")
    assert m.run("svc kill rngd") == ""
    assert "initd: rngd " in m.run("cat log://")
    assert not differs(m, Picture(1280, 800).put(1280, 800, 0, 0, 1))
    end(m, pid)
    assert not differs(m, Picture(1280, 800)), "under the last surface all is black"


def test_surfaces(m):
    """Three of them, one in front of the other, some beyond the edges; who dies uncovers what is under it. fbd dies twenty times, and nothing shows it."""
    def picture(*which):
        p = Picture(1280, 800)
        for what in which:
            p.put(*what)
        return p

    places = [(1280, 800, 0, 0, 1), (400, 300, 200, 100, 2), (333, 211, -30, -17, 3), (300, 200, 1100, 700, 4)]
    pids = [draw(m, " ".join(map(str, place))) for place in places]
    wanted = picture(*places)
    assert not differs(m, wanted)
    begin = restarts(m)
    for _ in range(20):
        assert m.run("svc kill fbd") == ""
        m.run("cat fb://")              # answered: it has drawn all again
        assert not differs(m, wanted)
    assert restarts(m) == begin + 20
    assert m.run("cat fb://") == ("screen 1280x800 32\nsurface 1280x800 at 0 0\nsurface 400x300 at 200 100\n"
                                  "surface 333x211 at -30 -17\nsurface 300x200 at 1100 700 front\n")
    end(m, pids[1])
    assert not differs(m, picture(places[0], places[2], places[3]))
    end(m, pids[0], pids[3])
    assert not differs(m, picture(places[2]))
    end(m, pids[2])
    assert m.run("cat fb://") == "screen 1280x800 32\n"
    assert "is dropped" not in m.run("cat log://") and "cannot be" not in m.run("cat log://")


def test_cursor_and_blank(m):
    """The cursor of the surface in front, blended, where its hot spot says; blanked, all is black."""
    base = Picture(1280, 800).put(640, 480, 10, 20, 6)
    wanted = Picture(1280, 800).put(640, 480, 10, 20, 6)
    for y in range(16):
        for x in range(16):
            wanted.blend(100 - 3 + x, 60 - 2 + y, (255, 255, 0), 255 if x < 8 else 128)
    m.sendline("fbdraw cursor 640 480 10 20 6")
    m.expect("fbdraw: cursor\r\n")
    assert not differs(m, wanted)
    m.sendline()
    m.expect("fbdraw: blank\r\n")
    assert not differs(m, Picture(1280, 800))
    m.sendline()
    m.expect("fbdraw: shown\r\n")
    assert not differs(m, base)
    m.send("\x03")
    m.prompt()
    left(m, 0)
    assert not differs(m, Picture(1280, 800))


def test_wrong(m):
    """What is refused; surfaces have an end; one that changes its size again and again."""
    def scenario():
        assert m.run("fbdraw wrong") == "fbdraw: as it should be\n"
        assert m.run("fbdraw many") == "fbdraw: 16, and 16 again\n"
        pid = draw(m, "sizes 123 45")
        assert not differs(m, Picture(1280, 800).put(123, 45, 0, 0, 5))
        end(m, pid)

    scenario()
    before = account(m)
    scenario()
    back_to(m, before, account)


def test_deaths_while_drawing(m):
    """Killed at random moments, while clients draw, come, go and change: at last every pixel is right and nothing is left behind."""
    def scenario(seed):
        m.run(f"put killer:// fbd 40 0 4000 seed={seed}")
        m.run("fbdraw live 200 150 700 300 1500 >tmp://live &")
        pid = draw(m, "sizes 90 60")
        end(m, pid)
        assert m.run("fbdraw many") == "fbdraw: 15, and 15 again\n"
        assert m.run("fbdraw wrong") == "fbdraw: as it should be\n"
        for _ in range(600):
            if "shown" in m.run("cat tmp://live") and m.run("cat killer://").split()[0] == "0":
                break
            m.run("sleep 0.1")
        else:
            raise AssertionError(m.run("cat tmp://live killer:// fb://; ps; svc"))
        m.run("cat fb://")
        assert not differs(m, Picture(1280, 800).put(200, 150, 700, 300, 0))
        end(m, *re.findall(r"^ *(\d+) fbdraw ", m.run("ps"), re.M))
        assert m.run("cat fb://") == "screen 1280x800 32\n"
        assert not differs(m, Picture(1280, 800))

    scenario(5)
    before, begin = account(m), restarts(m)
    scenario(6)
    assert restarts(m) >= begin + 40
    assert "is dropped" not in m.run("cat log://") and "cannot be" not in m.run("cat log://")
    back_to(m, before, account)


@contextlib.contextmanager
def debugger(m, path):
    """QEMU's debugging stub: a function that sends it a packet and gives the answer. The machine stands still meanwhile."""
    def ask(text):
        stub.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())
        answer = b""
        while not re.search(rb"\+\$[^#]*#..", answer):      # without the plus it only says that it has stopped
            answer += stub.recv(65536)
        stub.sendall(b"+")
        return re.search(rb"\+\$([^#]*)#", answer).group(1).decode()

    m.qmp.monitor(f"gdbserver unix:{path},server=on,wait=off")
    with socket.socket(socket.AF_UNIX) as stub:
        stub.connect(str(path))
        yield ask
        ask("D")


def spoil_interrupts(m, path):
    """The handlers of all interrupts begin with what is no instruction (UD2)."""
    idt = int(re.search(r"IDT=\s+([0-9a-f]+)", m.qmp.monitor("info registers")).group(1), 16)
    with debugger(m, path) as ask:
        for vector in range(32, 256):
            gate = bytes.fromhex(ask(f"m{idt + 16 * vector:x},10"))
            handler = int.from_bytes(gate[0:2] + gate[6:12], "little")
            if handler:
                assert ask(f"M{handler:x},2:0f0b") == "OK"


def test_panic_is_shown(m, font, tmp_path):
    """Whoever had the screen: a panic takes it. The last test of this machine."""
    draw(m, "1280 800 0 0 9")
    spoil_interrupts(m, tmp_path / "stub")
    m.sendline()                        # the serial line's, if no other comes first
    m.expect("The machine is stopped", 30, panics=True)
    text = m.wait_screen(font, "The machine is stopped")
    assert "PANIC" in text.splitlines()[0] and "\ufffd" not in text, text
