"""
fb:// on a virtio-gpu: the mode changes, and what surfaces show is right before and after, whoever dies. The devices: a VGA that is a virtio-gpu
as well, and one that is nothing else; both fail.
"""
import re
import socket
import struct
import time

import pytest
from account import at_rest, back_to, settled
from image import esp_with
from test_fb import Picture, debugger, differs, draw, end, restarts
from vm import Machine


@pytest.fixture(scope="module", name="vga")
def virtio_vga(build, tmp_path_factory):
    """Without terminals on the screen: it is for surfaces of the tests."""
    with Machine(esp_with(tmp_path_factory.mktemp("gpu") / "esp.img", build / "test", cmdline="outputd.screen=log"), vga="virtio") as m:
        m.boot()
        yield m


@pytest.fixture(scope="module", name="card")
def only_a_card(build, tmp_path_factory):
    """No VGA: the firmware has no framebuffer."""
    folder = tmp_path_factory.mktemp("gpu")
    image = esp_with(folder / "esp.img", build / "test", cmdline="fb.mode=800x600 outputd.screen=log")
    extra = ["-vnc", f"unix:{folder}/vnc", "-device", "pcie-root-port,id=link,chassis=1,slot=1", "-device", "virtio-gpu-pci,id=gpu,bus=link,xres=1000,yres=700"]
    with Machine(image, vga="none", extra=extra) as m:
        m.boot()
        m.vnc = folder / "vnc"
        yield m


def size(m):
    screen = m.screen()
    return f"{screen.width}x{screen.height}"


def until(what, seen):
    for _ in range(200):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError(seen())


def set_mode(m, mode):
    assert m.status_of(f"echo {mode} >fb://mode") == ("", 0)


def test_one_size(vga):
    """What the firmware's framebuffer has to say before anybody wants another size of it; the log is still there."""
    m = vga
    assert m.run("cat fb:// fb://info fb://mode") == 2 * "screen 1280x800 32\n" + "1280x800\n"
    modes = m.run("cat fb://modes").splitlines()
    assert "1280x800 current" in modes and "1024x768" in modes
    assert m.run("fbdraw mode 1280 800") == "fbdraw: OK\n"
    assert m.run("fbdraw wrong") == "fbdraw: as it should be\n"
    assert "virtio-gpu" not in m.run("cat fb://"), "nothing that was asked for needs it"


def test_modes(vga):
    """Larger, smaller, refused: surfaces stay, at their places; who waits for a change hears of each."""
    m = vga
    first = (1280, 800, 0, 0, 1)
    pids = [draw(m, "1280 800 0 0 1"), draw(m, "300 200 900 550 2")]
    assert not differs(m, Picture(1280, 800).put(*first).put(300, 200, 900, 550, 2))
    m.run("fbdraw changes >tmp://changes &")
    told = "fbdraw: 1280x800\n"
    for width, height in ((1024, 768), (1920, 1080), (640, 480), (1364, 771), (1280, 800)):
        until(lambda: m.run("cat tmp://changes") == told, lambda: m.run("cat tmp://changes fb://; ps"))
        set_mode(m, f"{width}x{height}")
        told += f"fbdraw: {width}x{height}\n"
        assert size(m) == f"{width}x{height}"
        assert not differs(m, Picture(width, height).put(*first).put(300, 200, 900, 550, 2))
    until(lambda: m.run("cat tmp://changes") == told, lambda: m.run("cat tmp://changes fb://; ps"))
    assert re.fullmatch(r"screen 1280x800 32 virtio-gpu 00:01\.0\nsurface 1280x800 at 0 0\nsurface 300x200 at 900 550 front\n", m.run("cat fb://"))
    modes = m.run("cat fb://modes")
    assert re.search(r"^1280x800 current preferred$", modes, re.M) and re.search("^1024x768$", modes, re.M)
    for wrong in ("1024", "0x768", "1024x768x32", "99999x1", "8x8", "large"):
        assert m.status_of(f"echo {wrong} >fb://mode")[1] != 0
    assert m.run("fbdraw mode 16384 16384") in ("fbdraw: ERR_NO_MEMORY\n", "fbdraw: ERR_INVALID\n"), "1 GiB"
    assert m.run("fbdraw mode 8 8") == "fbdraw: ERR_INVALID\n", "the device has a least size"
    assert m.run("fbdraw wrong") == "fbdraw: as it should be\n"
    end(m, pids[1])
    assert not differs(m, Picture(1280, 800).put(*first))
    end(m, pids[0])
    m.run(f"kill {re.findall(r'^ *([0-9]+) fbdraw ', m.run('ps'), re.M)[-1]}")
    assert not differs(m, Picture(1280, 800))


def account(m):
    settled(m)              # asks with the present shell: the next one is to have done no more than at the next account
    m.run("svc kill rngd sysd tmpd outputd timed pcid fbd")
    m.run("svc kill sh")
    m.run("cat fb://")
    return at_rest(m)


def test_deaths(vga):
    """fbd dies twenty times while a client draws, then between others that change the mode: every pixel is right at the end, and nothing is left."""
    m = vga

    def scenario(seed):
        m.run(f"put killer:// fbd 20 0 60000 seed={seed}")
        m.run("fbdraw live 300 250 500 300 1500 >tmp://live &")
        for mode in ("800x600", "1440x900", "1024x768"):
            set_mode(m, mode)
        for _ in range(600):
            if "shown" in m.run("cat tmp://live") and m.run("cat killer://").split()[0] == "0":
                break
            m.run("sleep 0.1")
        else:
            raise AssertionError(m.run("cat tmp://live killer:// fb://; ps; svc; log"))
        assert m.run("cat fb://") == "screen 1024x768 32 virtio-gpu 00:01.0\nsurface 300x250 at 500 300 front\n"
        assert not differs(m, Picture(1024, 768).put(300, 250, 500, 300, 0))
        m.run("svc kill pcid; svc kill fbd")
        assert m.run("cat fb://").startswith("screen 1024x768 32 virtio-gpu 00:01.0\n")
        assert not differs(m, Picture(1024, 768).put(300, 250, 500, 300, 0))
        end(m, *re.findall(r"^ *(\d+) fbdraw ", m.run("ps"), re.M))
        assert not differs(m, Picture(1024, 768))

    set_mode(m, "1024x768")
    scenario(3)
    before, begin = account(m), restarts(m)
    scenario(4)
    assert restarts(m) >= begin + 20
    log = m.run("cat log://")
    assert "is dropped" not in log and "cannot be" not in log and "does not work" not in log, log
    back_to(m, before, account)


def test_only_a_card(card):
    """The firmware shows nothing; fbd does, at the size that the command line says, and then at the one that the card would like."""
    m = card
    assert re.fullmatch(r"screen 800x600 32 virtio-gpu 01:00\.0\n", m.run("cat fb://"))
    pid = draw(m, "700 500 60 70 3")
    assert size(m) == "800x600" and not differs(m, Picture(800, 600).put(700, 500, 60, 70, 3))
    set_mode(m, "auto")
    assert m.run("cat fb://").startswith("screen 1000x700 32 virtio-gpu 01:00.0 auto\n")
    for _ in range(3):
        assert not differs(m, Picture(1000, 700).put(700, 500, 60, 70, 3))
        assert m.run("svc kill fbd") == ""
        m.run("cat fb://")
    assert "unknown option" not in m.run("cat log://")
    end(m, pid)


def fail(m, path, bar, registers):
    """The device is reset behind its driver's back: 0 to the status register of its common configuration (virtio 1.2, section 4.1.4.3)."""
    devices = [d for bus in m.qmp.command("query-pci") for d in bus["devices"]]
    devices += [d for bridge in devices for d in bridge.get("pci_bridge", {}).get("devices", [])]
    gpu = next(d for d in devices if d["id"]["device"] == 0x1050)
    base = next(r["address"] for r in gpu["regions"] if r["bar"] == bar)
    with debugger(m, path) as ask:
        assert ask("Qqemu.PhyMemMode:1") == "OK"
        assert ask(f"M{base + registers + 20:x},1:00") == "OK"


def test_vga_fails(vga, tmp_path):
    """Back to the firmware's framebuffer and its size; the log says so once. And it can be had again."""
    m = vga
    set_mode(m, "1024x768")
    pid = draw(m, "1000 750 20 10 4")
    m.run("fbdraw changes >tmp://changes &")
    fail(m, tmp_path / "stub", 2, 0x1000)
    end(m, draw(m, "8 8 0 0 1"))                # so fbd sees it
    assert m.run("cat fb://mode") == "1280x800\n"
    assert m.run("cat fb://") == "screen 1280x800 32\nsurface 1000x750 at 20 10 front\n"
    assert not differs(m, Picture(1280, 800).put(1000, 750, 20, 10, 4))
    set_mode(m, "1024x768")
    assert not differs(m, Picture(1024, 768).put(1000, 750, 20, 10, 4))
    assert m.run("cat log://").count("back to the firmware's framebuffer") == 1
    told = "".join(f"fbdraw: {size}\n" for size in ("1024x768", "1280x800", "1024x768"))
    until(lambda: m.run("cat tmp://changes") == told, lambda: m.run("cat tmp://changes"))
    m.run(f"kill {re.findall(r'^ *([0-9]+) fbdraw ', m.run('ps'), re.M)[-1]}")
    end(m, pid)


def resize_window(path, width, height):
    """As who looks at the screen over VNC does: SetDesktopSize (RFB 3.8, with QEMU's and TigerVNC's ExtendedDesktopSize)."""
    def take(n):
        data = b""
        while len(data) < n:
            more = vnc.recv(n - len(data))
            assert more, "QEMU has ended the connection"
            data += more
        return data

    with socket.socket(socket.AF_UNIX) as vnc:
        vnc.connect(str(path))
        vnc.sendall(take(12))                           # the version
        assert 1 in take(take(1)[0])
        vnc.sendall(b"\1")                              # no password
        assert take(4) == bytes(4)
        vnc.sendall(b"\1")
        take(struct.unpack(">20xI", take(24))[0])       # the machine's name
        vnc.sendall(struct.pack(">BxHii", 2, 2, 0, -308))
        vnc.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, 1, 1))
        take(4)                                         # the first update: it knows of us
        vnc.sendall(struct.pack(">BxHHBx IHHHHI", 251, width, height, 1, 0, 0, 0, width, height, 0))
        yield


def test_window(card):
    """The window on the host is resized: whoever waits is told, the mode follows if it is to."""
    m = card
    pid = draw(m, "500 400 60 70 5")
    set_mode(m, "640x480")
    told = "fbdraw: 640x480\n"
    m.run("fbdraw changes >tmp://changes &")
    until(lambda: m.run("cat tmp://changes") == told, lambda: m.run("cat tmp://changes"))
    for _ in resize_window(m.vnc, 1200, 900):
        until(lambda: "1200x900 preferred" in m.run("cat fb://modes"), lambda: m.run("cat fb://modes"))
        assert m.run("cat fb://mode") == "640x480\n", "a size that was asked for stays"
        set_mode(m, "auto")
        told += "fbdraw: 640x480\nfbdraw: 1200x900\n"
        until(lambda: m.run("cat tmp://changes") == told, lambda: m.run("cat tmp://changes"))
        assert not differs(m, Picture(1200, 900).put(500, 400, 60, 70, 5))
    for _ in resize_window(m.vnc, 1100, 720):
        until(lambda: m.run("cat fb://mode") == "1100x720\n", lambda: m.run("cat fb://modes"))
        assert not differs(m, Picture(1100, 720).put(500, 400, 60, 70, 5))
    m.run(f"kill {re.findall(r'^ *([0-9]+) fbdraw ', m.run('ps'), re.M)[-1]}")
    end(m, pid)


def test_card_fails(card, tmp_path):
    """It leaves no screen: fbd says so once and ends in order. Started again, it finds the card as good as new."""
    m = card
    fail(m, tmp_path / "stub", 4, 0)
    m.run("fbdraw mode 640 480")                # so fbd sees it
    until(lambda: re.search(r"^fbd +- +ended ", m.run("svc"), re.M), lambda: m.run("svc; log"))
    assert m.run("cat log://").count("there is no screen") == 1
    assert m.status_of("cat fb://")[1] != 0
    m.run("svc start fbd")
    assert m.run("cat fb://").startswith("screen ")
    draw(m, "200 100 10 20 7")
    screen = m.screen()
    assert not differs(m, Picture(screen.width, screen.height).put(200, 100, 10, 20, 7))
