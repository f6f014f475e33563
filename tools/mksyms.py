#!/usr/bin/python3
"""Makes the kernel's symbol table from its first link: mksyms.py kernel.pass1.elf > symbols.S

The second link carries the table at the end of read-only data, behind all code, so the addresses of
the first hold for the second too. kernel/symbols.c reads it and describes the format.

    mksyms.py --check PASS1 PASS2    fails if a function is not where the table says
    mksyms.py --dump ELF             shows what would go into the table
"""
import posixpath
import re
import shutil
import subprocess
import sys

MAGIC = 0x736d7973


def run(tool, *args):
    path = shutil.which(tool) or shutil.which(tool + "-14")
    if not path:
        sys.exit("mksyms: %s is missing" % tool)
    return subprocess.run((path,) + args, check=True, stdout=subprocess.PIPE, text=True).stdout


def read_functions(elf):
    """[(address, size, name)] by rising address, one for each address, and the link address of __text_start."""
    found, text_start, text_end = {}, None, None
    for line in run("llvm-nm", "--numeric-sort", "--print-size", elf).splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        address, size = int(fields[0], 16), int(fields[1], 16) if len(fields) == 4 else 0
        kind, name = fields[-2], fields[-1]
        if name == "__text_start":
            text_start = address
        elif name == "__text_end":
            text_end = address
        elif kind in "tTwW":
            found.setdefault(address, []).append((size, kind in "TW", name))
    if text_start is None or text_end is None:
        sys.exit("mksyms: %s lacks __text_start or __text_end" % elf)
    starts = sorted(a for a in found if text_start <= a < text_end)
    functions = []
    for address, following in zip(starts, starts[1:] + [text_end]):
        size, _, name = max(found[address])     # a label of assembly code may share its address with a function
        functions.append((address, size or following - address, name))
    return functions, text_start


def read_lines(elf):
    """[(address, file, line)] by rising address; file None: unknown from here on."""
    rows, sequence, folders, files = {}, [], {}, {}
    entry = None
    for line in run("llvm-dwarfdump", "--debug-line", elf).splitlines():
        if line.startswith("0x"):
            fields = line.split()
            address, number, index = int(fields[0], 16), int(fields[1]), int(fields[3])
            if fields[-1] == "end_sequence":
                for a, f, n in sequence:
                    rows[a] = (f, n)
                rows.setdefault(address, (None, 0))
                sequence = []
            elif number:                        # line 0: the compiler's own, told as part of what precedes
                sequence.append((address, files.get(index), number))
        elif line.startswith("debug_line["):
            folders, files, sequence = {}, {}, []
        elif match := re.match(r'include_directories\[ *(\d+)\] = "(.*)"', line):
            folders[int(match[1])] = match[2]
        elif match := re.match(r"file_names\[ *(\d+)\]:", line):
            entry = [int(match[1]), ""]
        elif entry and (match := re.match(r' +name: "(.*)"', line)):
            entry[1] = match[1]
        elif entry and (match := re.match(r" +dir_index: (\d+)", line)):
            folder = folders.get(int(match[1]), "")
            if not folder.startswith("/") and folders.get(0):
                folder = posixpath.join(folders[0], folder)
            files[entry[0]] = posixpath.normpath(posixpath.join(folder, entry[1]))
            entry = None
    return [(a, f, n) for a, (f, n) in sorted(rows.items())]


def uleb(v):
    out = bytearray()
    while True:
        byte, v = v & 0x7f, v >> 7
        out.append(byte | (0x80 if v else 0))
        if not v:
            return bytes(out)


def sleb(v):
    out = bytearray()
    while True:
        byte, v = v & 0x7f, v >> 7
        done = (v == 0 and not byte & 0x40) or (v == -1 and byte & 0x40)
        out.append(byte | (0 if done else 0x80))
        if done:
            return bytes(out)


def make_table(elf):
    functions, text_start = read_functions(elf)
    lines = read_lines(elf)
    names = sorted({f for _, f, _ in lines if f})
    numbers = {name: i + 1 for i, name in enumerate(names)}

    head = b"".join(name.encode() + b"\0" for name in names) + b"\0"
    at = 0
    for address, size, name in functions:
        head += uleb(address - at + 1) + uleb(size) + name.encode() + b"\0"
        at = address
    head += uleb(0)

    rows, at, file, number = bytearray(), 0, 0, 0
    for address, name, line in lines:
        new_file = numbers.get(name, 0)
        if (new_file, line) == (file, number):
            continue
        rows += uleb((address - at) << 1 | (new_file != file))
        if new_file != file:
            rows += uleb(new_file)
        rows += sleb(line - number)
        at, file, number = address, new_file, line

    lines_at = 16 + len(head)
    header = b"".join(v.to_bytes(4, "little") for v in (MAGIC, lines_at + len(rows), lines_at, text_start))
    return header + head + bytes(rows)


def emit(table):
    print("/* made from the kernel's first link by tools/mksyms.py */")
    print('\t.section .symbols, "a", @progbits')
    print("\t.globl kernel_symbols\n\t.hidden kernel_symbols\n\t.p2align 3\nkernel_symbols:")
    for i in range(0, len(table), 32):
        print("\t.byte " + ",".join(str(b) for b in table[i:i + 32]))
    print('\t.size kernel_symbols, . - kernel_symbols\n\t.section .note.GNU-stack, "", @progbits')


def check(first, second):
    if read_functions(first) != read_functions(second):
        sys.exit("mksyms: the second link moved code; its symbol table would lie")


def dump(elf):
    for address, size, name in read_functions(elf)[0]:
        print("%08x %6x %s" % (address, size, name))
    for address, name, line in read_lines(elf):
        print("%08x %s:%d" % (address, name, line))
    print("%d bytes" % len(make_table(elf)))


args = sys.argv[1:]
if len(args) == 3 and args[0] == "--check":
    check(*args[1:])
elif len(args) == 2 and args[0] == "--dump":
    dump(args[1])
elif len(args) == 1 and not args[0].startswith("-"):
    emit(make_table(args[0]))
else:
    sys.exit(__doc__)
