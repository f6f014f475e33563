#!/usr/bin/python3
"""Appends the names of a program's functions to its stripped file: mknames.py PROGRAM STRIPPED

Text after everything else, which no loader looks at: the entry's address, then a line "ADDRESS NAME" for each function by
rising address, all hexadecimal; at the very end "name" and the text's length (u32). initd reads it
(lib/supervise/names.c), to say where a service died.
"""
import shutil
import subprocess
import sys

nm = shutil.which("llvm-nm") or shutil.which("llvm-nm-14")
if len(sys.argv) != 3 or not nm:
    sys.exit(__doc__ if nm else "mknames: llvm-nm is missing")
lines = subprocess.run((nm, "--numeric-sort", "--defined-only", sys.argv[1]), check=True, stdout=subprocess.PIPE, text=True).stdout
found = {}
for fields in (line.split() for line in lines.splitlines()):
    if len(fields) == 3 and fields[1] in "tTwW":
        found.setdefault(int(fields[0], 16), fields[2])
with open(sys.argv[2], "r+b") as f:
    entry = int.from_bytes(f.read(32)[24:], "little")
    text = f"{entry:x}\n" + "".join(f"{address:x} {name}\n" for address, name in found.items())
    f.seek(0, 2)
    f.write(text.encode() + b"name" + len(text.encode()).to_bytes(4, "little"))
