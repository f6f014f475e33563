"""vm: what waits for a machine waits as long as that machine had a processor; a line that nobody reads loses nothing."""
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

# pylint: disable=wrong-import-position
import vm  # noqa: E402

BUSY = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"


def start(program):
    return subprocess.Popen([sys.executable, "-c", program])


def end(*processes):
    for process in processes:
        process.kill()
        process.wait()


def test_who_sleeps_is_not_waited_for():
    sleeper = start("import time; time.sleep(100)")
    time.sleep(0.5)
    wait = vm.Wait(sleeper.pid, 0.3 / vm.PATIENCE)
    time.sleep(0.6)
    assert wait.left() == 0
    end(sleeper)


def test_who_lacks_a_processor_is_waited_for():
    """Three that share one processor: each lacks it most of the time. But not for ever."""
    crowd = [start(BUSY) for _ in range(3)]
    time.sleep(0.5)
    wait = vm.Wait(crowd[0].pid, 1 / vm.PATIENCE)
    time.sleep(1.2)
    assert 0 < wait.left() < 1
    assert wait.lacked() > 0.3
    wait.seconds = 0.01
    assert wait.left() == 0
    end(*crowd)


def test_an_unread_line_holds_everything(tmp_path):
    """A writer of single bytes who does not wait, as QEMU's serial port is, gets rid of 32 KiB while the test is busy."""
    machine = vm.Machine.__new__(vm.Machine)
    machine.pipes = type("", (), {"name": str(tmp_path)})
    machine._open_line()        # pylint: disable=protected-access
    out = os.open(tmp_path / "line.out", os.O_RDWR | os.O_NONBLOCK)
    machine._line_is_theirs()   # pylint: disable=protected-access
    assert all(os.write(out, b"x") == 1 for _ in range(32768))
    os.close(out)
    assert os.read(machine.line, 65536) == b"x" * 32768
    assert os.read(machine.line, 65536) == b""
    os.close(machine.line)
    os.close(machine.keys)


def test_closing_twice_closes_nothing_of_others(tmp_path):
    machine = vm.Machine.__new__(vm.Machine)
    machine.pipes = type("", (), {"name": str(tmp_path), "cleanup": lambda self: None})()
    machine._open_line()        # pylint: disable=protected-access
    machine.process = subprocess.Popen(["true"])
    machine.reader = threading.Thread(target=lambda: None)
    machine.reader.start()
    machine.control, far = socket.socketpair()
    far.close()
    machine.close()
    others = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]       # the lowest numbers that are free
    machine.close()
    for other in others:
        os.close(other)         # OSError if it was closed
