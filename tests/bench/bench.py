#!/usr/bin/python3
"""
bench: what make bench runs. Boots the image as it ships (without menu) under the counting plugin, and one with the programs of the
tests, to let the cases of tests/bench/bench run inside; takes wall times and sizes, prints every figure beside its bar and writes
them to OUT/bench.tsv.

    bench.py [--only inside|smp|outside] [--profile]

--profile: after that, in which functions of the kernel each case spends its instructions.

Ends with 0 when everything could be measured, whether the bars are held or not; the misses are listed at the end.
"""
import argparse
import bisect
import math
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tarfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import image  # noqa: E402
import vm  # noqa: E402

OUT = ROOT / os.environ.get("OUT", "build")
IMAGE = OUT / "bench" / "esp.img"
SHIPPED = OUT / "bench" / "shipped.img"     # with the bench image's boot.cfg
PLUGIN = OUT / "bench" / "insncount.so"
COUNTS = OUT / "bench" / "counts"
ENTRY_BYTES = 24
CPU = "max,-erms"           # a REP string counts per iteration: by quadwords on both sides of a comparison
MEM = 512
REST_MAX = 1000000      # instructions
SEVERAL = (("bench cross", 2), ("bench pairs", 8))      # cases for several CPUs, and how many
WAITING = ("idle_loop",)                                 # what a CPU runs that has nothing to do
KERNEL_BASE = 0xffffffff80000000    # efiloader/image.c, with nokaslr
WALL_RUNS = 3
PRINTED_PIECES = 160        # of 64 KiB: 10 MiB
LEAST_FROM_MIB, LEAST_TO_MIB, LEAST_STEP_MIB = 64, 28, 4
LEAST_TIMEOUT_S = 40


class Row:
    def __init__(self, line):
        self.case, self.text, self.unit, self.bar, self.peer, self.who = line.split("\t")
        self.figure = None


def rows():
    lines = (ROOT / "tests" / "bench" / "bars.tsv").read_text(encoding="utf-8").splitlines()
    return [Row(line) for line in lines if line and not line.startswith("#")]


def loader_entry():
    """The first code of the loader, as the plugin is to look for it."""
    data = (OUT / "BOOTX64.EFI").read_bytes()
    header = struct.unpack_from("<I", data, 0x3c)[0]
    sections, optional_size = struct.unpack_from("<H12xH", data, header + 6)
    entry = struct.unpack_from("<I", data, header + 24 + 16)[0]
    for i in range(sections):
        at = header + 24 + optional_size + 40 * i
        _, address, raw_size, raw = struct.unpack_from("<IIII", data, at + 8)
        if address <= entry < address + raw_size:
            return data[raw + entry - address:][:ENTRY_BYTES].hex()
    raise SystemExit("bench: no section of BOOTX64.EFI holds its entry")


def counts(kind):
    found = []
    for line in COUNTS.read_text().splitlines(True):
        words = line.split()
        if line.endswith("\n") and words and words[0] == kind:
            found.append([int(word) for word in words[1:]])
    return found


def kstat(machine):
    return {name: int(value) for name, value in re.findall(r"^(\S+) (\d+)$", machine.run("cat proc://kstat"), re.M)}


def profiles():
    """For each region, in order: {address: count}."""
    regions, now = [], {}
    for line in COUNTS.read_text().splitlines():
        words = line.split()
        if words[0] == "P":
            now[int(words[1], 16)] = int(words[2])
        elif words[0] == "R":
            regions.append(now)
            now = {}
    return regions


def functions():
    """Rising (address, name) of the kernel where "nokaslr" puts it."""
    text = subprocess.run(["llvm-nm", "-n", str(OUT / "kernel.elf")], check=True, stdout=subprocess.PIPE).stdout.decode()
    return [(KERNEL_BASE + int(line.split()[0], 16), line.split()[2]) for line in text.splitlines() if line.split()[1] in "tT"]


def by_function(cells):
    """{function: instructions} of {address: instructions}."""
    symbols = functions()
    addresses = [address for address, _ in symbols]
    sums = {}
    for address, count in cells.items():
        at = bisect.bisect_right(addresses, address) - 1
        name = symbols[at][1] if at >= 0 else hex(address)
        sums[name] = sums.get(name, 0) + count
    return sums


def print_profiles(done):
    for i, ((case, rounds), cells) in enumerate(zip(done, profiles())):
        if i and done[i - 1][0] == case:
            continue                    # one of the runs of a case will do
        sums = {name: count / rounds for name, count in by_function(cells).items()}
        print(f"\n{case}: {sum(sums.values()):.1f} in the kernel")
        for name, count in sorted(sums.items(), key=lambda item: -item[1]):
            if count >= 0.5:
                print(f"  {count:9.1f}  {name}")


def run_cases(machine, command, profile, without=(), skip=0):
    """Runs the bench program; {case: instructions of one round}, those of some functions of the kernel left out. skip: regions counted before."""
    text = machine.run(command, 300)
    print(text, file=sys.stderr) if "bench: done" not in text else None
    done = re.findall(r"^bench: (\S+) (\d+)$", text, re.M)
    regions = counts("R")[skip:]
    longest = [o for o, in counts("O")][skip:]
    figures, runs = {}, {}
    if "bench: done" not in text or len(done) != len(regions):
        print(f"bench: the program inside ended early: {len(done)} cases, {len(regions)} counts", file=sys.stderr)
        figures["incomplete"] = True
    done = [(case, parts or int(rounds)) for (case, rounds), (_, _, parts) in zip(done, regions)]
    idle = [sum(by_function(cells).get(name, 0) for name in without) for cells in profiles()] if without else [0] * len(done)
    for (case, rounds), (user, kernel, _), waited, off in zip(done, regions, idle, longest):
        runs.setdefault(case, []).append(off if case.startswith("off-") else (user + kernel - waited) / rounds)
    figures.update({case: statistics.median(each) for case, each in runs.items()})
    if profile:
        print_profiles(done)
    return figures


def plugin(profile):
    return ["-plugin", f"{PLUGIN},out={COUNTS},entry={loader_entry()}" + (",profile=on" if profile else "")]


def several_cpus(profile):
    """The cases for several CPUs, which take turns: the plugin's counters are plain additions. What CPUs do that wait is left out."""
    figures = {}
    for command, cpus in SEVERAL:
        with vm.Machine(IMAGE, cpu=CPU, mem=MEM, smp=cpus, accel="tcg,thread=single", extra=plugin(True)) as machine:
            machine.boot(300)
            figures.update(run_cases(machine, command, profile, WAITING))
    return figures


def come_to_rest(process):
    """All that starts beside the prompt has come up: what is done in a second is no more than looking after one another. However long that takes this host."""
    wait, before = vm.Wait(process.pid, 60), None
    while wait.left():
        time.sleep(1)
        rest = counts("H")
        if before and rest[-1][0] - before < REST_MAX:
            return
        before = rest[-1][0] if rest else None


def boot():
    """What the image as it ships needs to its prompt: instructions until everything has come to rest, and memory."""
    figures = {}
    with vm.Machine(SHIPPED, cpu=CPU, mem=MEM, extra=plugin(False)) as machine:
        machine.boot(300)
        come_to_rest(machine.process)
        loader, rest = counts("L"), counts("H")
        if not loader or not rest:
            raise SystemExit("bench: the plugin did not see the loader's entry, or no CPU ever halted")
        figures["firmware"] = loader[0][0] / 1e6
        at_prompt = [h[0] for h in rest]
        figures["boot"] = (at_prompt[-1] - loader[0][0]) / 1e6
        figures["memory"] = MEM - kstat(machine)["pages_free"] * 4 / 1024
    return figures


def inside(profile):
    """What is counted: the boot, and the cases of the bench program."""
    figures = boot()
    with vm.Machine(IMAGE, cpu=CPU, mem=MEM, extra=plugin(profile)) as machine:
        machine.boot(300)
        come_to_rest(machine.process)
        figures.update(run_cases(machine, "bench", profile))
        for case, piece in run_cases(machine, "bench print", profile, skip=len(counts("R"))).items():
            figures[case] = piece * PRINTED_PIECES / 1e6
    return figures


def revive():
    """
    From the death of a service to its next answer, median and 99th percentile of guest time: {case: us}. Of guest time in which an
    instruction is a nanosecond: of 50 times by this host's clock the longest tells of the host.
    """
    figures = {}
    with vm.Machine(IMAGE, mem=MEM, extra=("-icount", "shift=0,sleep=off")) as machine:
        machine.boot(120)
        text = machine.run("revive", 300)
    for name, median, p99 in re.findall(r"^revive: (\S+) (\d+) (\d+)$", text, re.M):
        figures[f"revive-{name}"] = int(p99)
        if name == "all":
            figures["revive-median"] = int(median)
    return figures


def boot_wall():
    """From the loader's first line on the serial port to the prompt, in seconds of this host."""
    times = []
    for _ in range(WALL_RUNS):
        with vm.Machine(SHIPPED, mem=MEM) as machine:
            machine.expect("BdsDxe: starting", 120)     # the loader itself says nothing
            begin = time.monotonic()
            machine.prompt(120)
            times.append(time.monotonic() - begin)
    return statistics.median(times)


def least_memory():
    least = None
    for mib in range(LEAST_FROM_MIB, LEAST_TO_MIB - 1, -LEAST_STEP_MIB):
        try:
            with vm.Machine(SHIPPED, mem=mib) as machine:
                machine.boot(LEAST_TIMEOUT_S)
                machine.run("cat proc://kstat")
        except vm.MachineError:
            break
        least = mib
    return least


def outside():
    figures = {"boot-wall": boot_wall(), "memory-least": least_memory(), **revive()}
    kernel = subprocess.run(["llvm-strip", "--strip-all", "-o", "-", str(OUT / "kernel.elf")], check=True, stdout=subprocess.PIPE).stdout
    archive = OUT / "initfs.tar.gz"
    figures["size"] = len(kernel) + archive.stat().st_size
    with tarfile.open(archive) as tar:
        figures["size-initfs"] = sum(member.size for member in tar)
    figures["kernel-lines"] = int(subprocess.run(["tools/kernel-lines"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()[1])
    return figures


def show(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 200 else f"{value:.1f}"


def number(text):
    return None if text == "-" else float(text)


def report(table):
    print(f"{'':62} {'figure':>9} {'bar':>9} {'peer':>9} {'peer/us':>8}  peer")
    missed = []
    for row in table:
        bar, peer = number(row.bar), number(row.peer)
        ratio = f"{peer / row.figure:.2f}" if peer and row.figure else "-"
        over = bar is not None and row.figure is not None and row.figure > bar
        if over:
            missed.append(row)
        print(f"{row.text[:47]:47} {row.unit:14} {show(row.figure):>9}{'!' if over else ' '}{show(bar):>9} {show(peer):>9} {ratio:>8}  {row.who}")
    print()
    for row in missed:
        print(f"bar missed: {row.text}: {show(row.figure)} {row.unit}, bar {row.bar} ({row.figure / float(row.bar):.2f} of it)")
    if not missed:
        print("every bar is held")


def write(table):
    lines = ["case\tfigure\tunit\tbar\tpeer\n"]
    lines += [f"{row.case}\t{show(row.figure)}\t{row.unit}\t{row.bar}\t{row.peer}\n" for row in table]
    (OUT / "bench.tsv").write_text("".join(lines), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=["inside", "smp", "outside"])
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    image.esp_with(SHIPPED, OUT, files={"boot.cfg": (OUT / "bench" / "boot.cfg").read_bytes()})
    figures = {}
    if options.only in (None, "inside"):
        figures.update(inside(options.profile))
    if options.only in (None, "smp"):
        figures.update(several_cpus(options.profile))
    if options.only in (None, "outside"):
        figures.update(outside())
    table = rows()
    for row in table:
        row.figure = figures.get(row.case)
        if row.figure is not None and not math.isfinite(row.figure):
            row.figure = None
    report(table)
    write(table)
    lacking = [row.case for row in table if row.figure is None]
    if lacking and not options.only:
        print(f"bench: not measured: {' '.join(lacking)}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
