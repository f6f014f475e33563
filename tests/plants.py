#!/usr/bin/python3
"""
plants: builds the kernel with each bug of tests/plants.tsv and runs the test that must notice. A machine that does not
even boot, or panics, has noticed too.

    plants.py [NAME...]
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import vm  # noqa: E402


def noticed(name, command):
    """How the bug showed; None: it did not."""
    sanitized = command.startswith("SAN ")
    command = command.removeprefix("SAN ")
    make = ["make", "--no-print-directory", "SAN=1" if sanitized else "TEST=1"]
    plain, bug = ROOT / "build" / ("san" if sanitized else "test"), ROOT / "build" / "bug" / name
    subprocess.run([*make, f"build/{plain.name}/esp.img"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    # Only the kernel differs.
    shutil.rmtree(bug, ignore_errors=True)
    shutil.copytree(plain, bug)
    subprocess.run([*make, f"BUG={name}", f"build/bug/{name}/esp.img"], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        with vm.Machine(ROOT / "build" / "bug" / name / "esp.img", smp=4 if "smp." in command else 1,
                        mem=512 if sanitized else 256) as machine:
            machine.boot(60)
            text = machine.run(command, timeout=120)
    except vm.MachineError as error:
        return str(error).splitlines()[0]
    failed = re.search(r"^FAIL .*$", text, re.M)
    return failed.group() if failed else None


def main():
    lines = (ROOT / "tests" / "plants.tsv").read_text(encoding="utf-8").splitlines()
    missed = 0
    for line in lines:
        if not line or line.startswith("#"):
            continue
        name, command, _ = line.split("\t")
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        how = noticed(name, command)
        missed += how is None
        print(f"{name:16} {how or 'NOT NOTICED by ' + command}", flush=True)
    return 1 if missed else 0


os.environ.pop("MAKEFLAGS", None)
sys.exit(main())
