"""
vm: Skerry in QEMU, driven by a test: the serial line, the keyboard and screen through QMP, snapshots.

    with Machine(image, cpu="qemu64", mem=128) as m:
        m.boot()                            to the prompt
        assert "sysd" in m.run("ps")        what a command printed
        m.screen().text                     what the screen shows, read with the kernel's own font

A line on the serial port that begins with PANIC fails whatever is waited for, at once. The serial log is kept
whole (m.log), with that of the machine a fork came from.

Snapshots: m.snapshot(file) stops the machine and writes its state; Machine(..., incoming=file) with the same
configuration goes on from there in a quarter of a second, as often as wanted. That works because nothing in
Skerry writes to the boot disk.

Only Python's own library. The times to wait are generous, since the machines that run tests are slow and
shared; SKERRY_PATIENCE=3 makes them three times longer. While QEMU wants a processor and others have them all, they
stand still (class Wait). SKERRY_CPUS=4 gives four CPUs to every machine that a test says nothing else of.
"""
import glob
import json
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import tempfile
import threading
import time
import zlib

PROMPT = "skerry:/$ "
KERNEL_MIN = 0xffffffff80000000
PATIENCE = float(os.environ.get("SKERRY_PATIENCE", "1"))
CPUS = os.environ.get("SKERRY_CPUS", "1")
BOOT_S = 90
COMMAND_S = 30
LACK_MAX = 4            # times as long at most, however little of a processor there was
FIRMWARE = ["/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF.fd", "/usr/share/qemu/OVMF.fd",
            "/usr/share/edk2/ovmf/OVMF.fd", "/usr/share/edk2-ovmf/x64/OVMF.fd"]
FIRMWARE_PARTS = ["/usr/share/OVMF", "/usr/share/edk2/ovmf", "/usr/share/edk2/x64", "/usr/share/edk2-ovmf/x64"]
CONTROL = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]|\x1b[()][0-9A-Z]")
PANIC = re.compile(r"^(?:\[ *[0-9.]+\] )?PANIC.*$", re.MULTILINE)

# What each boot medium needs; the drive is called "boot".
DISKS = {
    "virtio": ["-device", "virtio-blk-pci,drive=boot,bootindex=0"],
    "nvme": ["-device", "nvme,serial=skerry,drive=boot,bootindex=0"],
    "ahci": ["-device", "ide-hd,drive=boot,bootindex=0"],
    "usb": ["-device", "qemu-xhci", "-device", "usb-storage,drive=boot,bootindex=0"],
}


class MachineError(AssertionError):
    """The machine did not do what the test waits for."""


def firmware():
    """QEMU's options for OVMF: code and variables in one file where there is one, which starts fastest."""
    for path in FIRMWARE:
        if os.path.exists(path):
            return ["-bios", path]
    for folder in FIRMWARE_PARTS:
        for suffix in ("_4M.fd", ".4m.fd", ".fd"):
            code, variables = f"{folder}/OVMF_CODE{suffix}", f"{folder}/OVMF_VARS{suffix}"
            if os.path.exists(code) and os.path.exists(variables):
                return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
                        "-drive", f"if=pflash,format=raw,unit=1,snapshot=on,file={variables}"]
    raise FileNotFoundError("no UEFI firmware (OVMF) on this machine")


def plain(text):
    """Without colours, cursor movements and carriage returns."""
    return CONTROL.sub("", text).replace("\r", "")


class Wait:
    """
    How long a test goes on waiting for a process: so many seconds, without those in which it could have run and was given
    no processor (Linux, Documentation/scheduler/sched-stats.rst: run_delay of the thread that lacked it longest).
    """

    def __init__(self, pid, seconds):
        self.pid = pid
        self.seconds = seconds * PATIENCE
        self.begun = time.monotonic()
        self.starved_before = self.starved()

    def starved(self):
        delays = [0]
        for path in glob.glob(f"/proc/{self.pid}/task/*/schedstat"):
            try:
                delays.append(int(pathlib.Path(path).read_text(encoding="ascii").split()[1]))
            except (OSError, IndexError):
                continue        # a thread that has ended, or a kernel that does not tell
        return max(delays) / 1e9

    def left(self):
        """Seconds; 0: it is over."""
        return max(0, self.begun + self.seconds + self.lacked() - time.monotonic())

    def lacked(self):
        return min(self.starved() - self.starved_before, self.seconds * LACK_MAX)

    def __str__(self):
        starved = self.lacked()
        return f"{self.seconds:.0f} s" + (f" and {starved:.0f} s without a processor" if starved >= 1 else "")


class Qmp:
    """QEMU's control channel. Commands in order, events kept until somebody asks for them."""

    def __init__(self, channel):
        self.channel = channel
        self.buffer = b""
        self.events = []
        self.next_message(COMMAND_S * PATIENCE)          # the greeting
        self.command("qmp_capabilities")

    def next_message(self, timeout):
        """None: nothing came in time. EOFError: QEMU has ended."""
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.channel], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            try:
                data = self.channel.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError("QEMU has closed its control channel")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def command(self, name, **arguments):
        message = {"execute": name}
        if arguments:
            message["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.channel.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = self.next_message(COMMAND_S * PATIENCE)
            if answer is None:
                raise MachineError(f"QEMU does not answer {name}")
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise MachineError(f"QEMU, {name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def monitor(self, line):
        return self.command("human-monitor-command", command_line=line)

    def wait_event(self, name, timeout):
        """The event's data; None: it did not come."""
        end = time.monotonic() + timeout * PATIENCE
        while True:
            for i, event in enumerate(self.events):
                if event["event"] == name:
                    return self.events.pop(i).get("data", {})
            try:
                message = self.next_message(max(0, end - time.monotonic()))
            except EOFError:
                return None
            if message is None:
                return None
            if "event" in message:
                self.events.append(message)


class Screen:
    """A picture of the screen: width, height and three bytes a pixel."""

    def __init__(self, ppm):
        magic, size, depth, self.pixels = ppm.split(b"\n", 3)
        assert magic == b"P6" and depth == b"255"
        self.width, self.height = map(int, size.split())

    def png(self):
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        row = self.width * 3
        rows = b"".join(b"\0" + self.pixels[y * row:(y + 1) * row] for y in range(self.height))
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")

    def read(self, font):
        """The text on it, cell by cell; what is no letter of the font reads as U+FFFD."""
        letters = {glyph: chr(code) for code, glyph in enumerate(font)}
        letters.update({glyph: chr(code) for code, glyph in enumerate(font) if 32 < code < 127})
        letters[bytes(16)] = " "
        bits = self.pixels[1::3].translate(bytes(1 if i > 96 else 0 for i in range(256)))
        weights = {bytes(value >> (7 - i) & 1 for i in range(8)): value for value in range(256)}
        scale = 2 if self.width >= 2560 else 1
        lines = []
        for top in range(0, self.height - 16 * scale + 1, 16 * scale):
            rows = [bits[(top + y * scale) * self.width:][:self.width:scale] for y in range(16)]
            lines.append("".join(
                letters.get(bytes(weights[row[x:x + 8]] for row in rows), "\ufffd")
                for x in range(0, len(rows[0]) - 7, 8)).rstrip())
        return "\n".join(lines)


def kernel_font(build):
    """The letters the kernel draws with, from what tools/mkfont.py made of the console font."""
    text = (pathlib.Path(build) / "obj" / "font.c").read_text(encoding="utf-8")
    glyphs = [bytes(16)] * 256
    for code, row in re.findall(r"\[0x([0-9a-f]+)\] = \{([^}]*)\}", text):
        glyphs[int(code, 16)] = bytes(int(n, 16) for n in row.split(","))
    assert glyphs[ord("A")] != bytes(16)
    return glyphs


class Machine:
    """One run of QEMU. Everything but the image has the value a plain machine has."""

    made = []           # those since the last test began; conftest.py prints their logs when one fails

    def __init__(self, image, cpu="max", mem=256, disk="virtio", smp=CPUS, machine="q35", serial=True, vga="std",
                 debug_exit=False, reboots=False, extra=(), incoming=None, log="", accel="tcg"):
        self.configuration = dict(image=image, cpu=cpu, mem=mem, disk=disk, smp=smp, machine=machine, serial=serial,
                                  vga=vga, debug_exit=debug_exit, reboots=reboots, extra=tuple(extra), accel=accel)
        self.log = log                  # all that came over the serial line, as it came
        self.mark = len(log)            # how far expect has read
        self.failed = None              # a panic's first line
        self.ended = False              # the serial line is closed
        self.changed = threading.Condition()
        self.errors = tempfile.TemporaryFile()
        self.resets = tempfile.NamedTemporaryFile()     # QEMU's word on why a CPU was reset
        self.status = None
        self.pipes = tempfile.TemporaryDirectory()
        self._open_line()
        control, control_far = socket.socketpair()
        command = ["qemu-system-x86_64", "-name", "skerry-test", "-M", machine, "-accel", accel, "-cpu", cpu, "-m", str(mem),
                   "-smp", str(smp), "-nic", "none", "-display", "none", "-vga", vga, "-no-user-config",
                   "-drive", f"file={image},format=raw,if=none,id=boot,snapshot=on", *DISKS[disk], *firmware(),
                   "-chardev", f"socket,id=control,fd={control_far.fileno()}", "-mon", "chardev=control,mode=control"]
        if serial:
            # Pipes: a socket takes no more than some 280 single bytes that nobody has read yet, and when QEMU's 16550 has met
            # that, the firmware gives up a byte after a second, and what comes behind it may never come.
            command += ["-chardev", f"pipe,id=line,path={self.pipes.name}/line", "-serial", "chardev:line"]
        else:
            command += ["-serial", "none"]
        if not reboots:
            command += ["-no-reboot"]
        if debug_exit:
            command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        command += ["-d", "cpu_reset", "-D", self.resets.name, *extra]
        if incoming:
            command += ["-incoming", f"exec:cat '{incoming}'"]
        self.command = command
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.errors, stderr=self.errors,
                                        pass_fds=(control_far.fileno(),))
        Machine.made.append(self)
        control_far.close()
        self.control = control
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            self.qmp = Qmp(control)
            self._line_is_theirs()
            if incoming:
                self._resume()
        except EOFError:
            self.close()
            raise MachineError(f"QEMU did not start: {self.complaints()}\n{' '.join(command)}") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _open_line(self):
        """Both ends, so that whoever reads sees no end of it before QEMU has come."""
        for end in ("in", "out"):
            os.mkfifo(f"{self.pipes.name}/line.{end}")
        self.keys = os.open(f"{self.pipes.name}/line.in", os.O_RDWR)
        self.line = os.open(f"{self.pipes.name}/line.out", os.O_RDONLY | os.O_NONBLOCK)
        self.held = os.open(f"{self.pipes.name}/line.out", os.O_WRONLY)
        os.set_blocking(self.line, True)

    def _line_is_theirs(self):
        """Its end is QEMU's end from here on."""
        if self.held is not None:
            os.close(self.held)
            self.held = None

    def _read(self):
        """The serial line's own thread: an unread line would hold the guest up."""
        pending = b""
        line = self.line
        while True:
            try:
                data = os.read(line, 65536)
            except OSError:
                data = b""
            with self.changed:
                if data:
                    # latin-1 keeps every byte; output() turns what a command printed into characters.
                    self.log += (pending + data).decode("latin-1")
                    pending = b""
                    self._look_for_panic()
                else:
                    self.ended = True
                self.changed.notify_all()
            if not data:
                return

    def _look_for_panic(self):
        if self.failed is None:
            begin = self.log.rfind("\n", 0, max(0, len(self.log) - 70000)) + 1
            hit = PANIC.search(plain(self.log[begin:]))
            if hit and "\n" in plain(self.log[begin:])[hit.start():]:
                self.failed = hit.group().strip()

    def _resume(self):
        end = time.monotonic() + COMMAND_S * PATIENCE
        while time.monotonic() < end:
            if self.qmp.command("query-status")["status"] not in ("inmigrate", "prelaunch"):
                self.qmp.command("cont")
                return
            time.sleep(0.01)
        raise MachineError("QEMU does not take the snapshot")

    def complaints(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()

    def triple_fault(self):
        """Under -no-reboot QEMU ends after one with the status of a regular end."""
        self.resets.seek(0)
        return b"Triple fault" in self.resets.read()

    def crashed(self):
        """QEMU ended by a signal of its own: no guest can ask for that."""
        try:
            return self.process.wait(5) < 0
        except subprocess.TimeoutExpired:
            return False

    def why_ended(self):
        crash = f"crashed, signal {-self.process.returncode}" if self.crashed() else ""
        return crash + ("after a triple fault" if self.triple_fault() else "") + self.complaints()

    def state(self):
        """Where each CPU is, and the IO-APIC's lines: what one wants to know of a machine that says nothing, and that will be gone."""
        try:
            registers, lines = self.qmp.monitor("info registers -a"), self.qmp.monitor("info pic")
        except (MachineError, OSError, ValueError, EOFError) as e:
            return f"its state cannot be had: {e}"
        return "\n".join(re.findall(r"RIP=.*", registers) + re.findall(r"pin .*(?:vec=[1-9]).*", lines))

    def close(self):
        """Ends QEMU, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.status = self.process.wait()
        self._line_is_theirs()
        self.reader.join(5)
        ours, self.line, self.keys = (self.line, self.keys), None, None
        for end in ours:
            if end is not None:         # a second close() must not end what has the number now
                os.close(end)
        self.control.close()
        self.pipes.cleanup()

    # ---- the serial line ----

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        while data:
            data = data[os.write(self.keys, data):]

    def sendline(self, text=""):
        self.send(text + "\r")

    def expect(self, what, timeout=COMMAND_S, panics=False):
        """
        Waits until `what` (a text, or a compiled pattern) comes after what the last expect found. Returns what
        came up to its end. panics: a panic is what the test waits for.
        """
        wait = Wait(self.process.pid, timeout)
        with self.changed:
            while True:
                if self.failed and not panics:
                    # The backtrace follows the first line; let it come.
                    self.changed.wait_for(lambda: self.ended or "The machine is stopped" in self.log, 5)
                    raise MachineError(f"the kernel panicked: {self.failed}")
                if isinstance(what, str):
                    at = self.log.find(what, self.mark)
                    stop = at + len(what) if at >= 0 else -1
                else:
                    hit = what.search(self.log, self.mark)
                    stop = hit.end() if hit else -1
                if stop >= 0:
                    text = self.log[self.mark:stop]
                    self.mark = stop
                    return text
                name = what if isinstance(what, str) else what.pattern
                if self.ended:
                    raise MachineError(f"the machine ended before it said {name!r}; QEMU: {self.why_ended()}")
                if not self.changed.wait(wait.left()) and not wait.left():
                    late = f"{name!r} did not come within {wait}; last: {plain(self.log[self.mark:])[-300:]!r}"
                    break
        raise MachineError(f"{late}\n{self.state()}")

    def prompt(self, timeout=COMMAND_S):
        return self.expect(PROMPT, timeout)

    def boot(self, timeout=BOOT_S):
        """From power-on to the prompt; what was said on the way."""
        return plain(self.prompt(timeout))

    def run(self, command, timeout=COMMAND_S):
        """Types a command at the prompt; what it printed, up to the next prompt."""
        self.sendline(command)
        # The end of the echo: a long command is drawn anew, prompt and all, each time it fills a row.
        self.expect("\n", timeout)
        text = plain(self.prompt(timeout))
        return text[:-len(PROMPT)].encode("latin-1").decode("utf-8", errors="replace")

    def status_of(self, command, timeout=COMMAND_S):
        """(What it printed, its exit status.)"""
        text = self.run(command, timeout)
        return text, int(self.run("echo $?"))

    # ---- the rest of the machine ----

    def key(self, *names):
        """Presses keys on the keyboard, one after the other: "a", "ret", "ctrl-c"."""
        for name in names:
            self.qmp.monitor(f"sendkey {name}")

    def screen(self):
        with tempfile.TemporaryDirectory() as folder:
            self.qmp.command("screendump", filename=f"{folder}/screen.ppm")
            return Screen(pathlib.Path(folder, "screen.ppm").read_bytes())

    def wait_screen(self, font, what, timeout=BOOT_S):
        """Looks at the screen until it shows `what` (a pattern); the whole text."""
        wait = Wait(self.process.pid, timeout)
        while True:
            text = self.screen().read(font)
            if re.search(what, text):
                return text
            if not wait.left():
                raise MachineError(f"{what!r} was not on the screen within {wait}; it shows\n{text}")
            if self.process.poll() is not None:
                raise MachineError(f"QEMU ended: {self.why_ended()}")
            time.sleep(0.3)

    def kernel_base(self):
        """
        Where this boot has put the kernel, to 64 KiB: the processor's register says where its descriptor table is.
        The kernel itself tells nobody.
        """
        table = re.search(r"IDT= *([0-9a-f]+)", self.qmp.monitor("info registers"))
        return int(table.group(1), 16) & ~0xffff

    def snapshot(self, path):
        """Stops the machine and writes its state; the machine is of no more use."""
        self.qmp.command("stop")
        self.qmp.command("migrate", uri=f"exec:cat > '{path}'")
        end = time.monotonic() + COMMAND_S * PATIENCE
        while True:
            state = self.qmp.command("query-migrate").get("status")
            if state == "completed":
                return
            if state in ("failed", "cancelled") or time.monotonic() > end:
                raise MachineError(f"the snapshot: {state}; QEMU: {self.complaints()}")
            time.sleep(0.01)

    def fork(self, path):
        """A machine that goes on from this one's snapshot."""
        return Machine(incoming=path, log=self.log, **self.configuration)

    def wait_end(self, timeout=COMMAND_S):
        """Waits until QEMU ends by itself; its exit status."""
        wait = Wait(self.process.pid, timeout)
        while self.process.poll() is None:
            if not wait.left():
                raise MachineError(f"QEMU still runs after {wait}; last: {plain(self.log)[-300:]!r}")
            time.sleep(0.05)
        self.status = self.process.returncode
        return self.status
