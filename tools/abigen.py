#!/usr/bin/env python3
"""abigen: makes everything that must agree on both sides of an interface from one table each.

    tools/abigen.py --out build/gen [--root .]    the files below, written only when they change
    tools/abigen.py --write-docs [--root .]       docs/syscalls.md and docs/protocols/NAME.md
    tools/abigen.py --check-docs [--root .]       fails when those pages are stale

    abi/errors.txt      include/gen/errors.h
    abi/syscalls.txt    include/gen/syscall_numbers.h   numbers, also for assembly
                        include/gen/syscalls.h          what programs call
                        include/gen/syscall_handlers.h  what the kernel implements
                        rt/stubs.c, kernel/dispatch.c   the two halves of the crossing
    abi/proto/NAME.txt  include/gen/NAME.h              ops, request and reply structs, handler table
                        rt/NAME_dispatch.c              refuses malformed messages before any handler runs

The grammar of each table stands in its first lines. A malformed table stops the build with
file:line and what was wrong.
"""
import argparse
import os
import re
import sys

SYSCALL_BASE = 0x4E000000   # above every number of Linux: the two can share one entry

# C types of the scalar words of a table.
SCALARS = {
    "u32": "uint32_t",
    "u64": "uint64_t",
    "i64": "int64_t",
    "handle": "handle_t",
    "cmd": "cmd_id_t",
}
ELEMENTS = {"u8": "void", "u32": "uint32_t", "u64": "uint64_t"}

# Calls that do not come back, and calls whose result nobody needs to look at.
NO_RETURN = {"process_exit", "thread_exit"}
UNCHECKED = {"nop", "handle_close", "handle_tag", "thread_yield", "thread_sleep", "log_write", "irq_ack", "clock_now"}
# Names that C or the run-time uses for something else.
C_NAMES = {"nop": "syscall_nop"}

IPC_WORDS = 6
IPC_HANDLES = 4
WINDOW_MAX = 1 << 20
PATH_MAX = 4096
WORD_MAX = {"u32": 2**32 - 1, "u64": 2**64 - 1, "i64": 2**64 - 1}
OPS_MAX = 64                # SVC_OPS_MAX of rt/svc.h: the dispatcher is a table


class TableError(Exception):
    """Something in a table is wrong; the text begins with file:line."""


class Line:
    def __init__(self, path, number, text):
        self.path, self.number, self.text = path, number, text

    def fail(self, why):
        raise TableError(f"{self.path}:{self.number}: {why}")


def lines_of(root, path):
    """The lines of a table without comments and blanks."""
    with open(os.path.join(root, path), encoding="utf-8") as f:
        for number, text in enumerate(f, 1):
            text = text.rstrip()
            if text.strip() and not text.lstrip().startswith("#"):
                yield Line(path, number, text)


# ---- errors.txt ------------------------------------------------------------------------------

class Error:
    def __init__(self, number, name, text):
        self.number, self.name, self.text = number, name, text


def parse_errors(root, path="abi/errors.txt"):
    errors = []
    for line in lines_of(root, path):
        m = re.fullmatch(r"(-\d+)\s+([A-Z][A-Z0-9_]*)\s+(\S.*)", line.text)
        if not m:
            line.fail("expected: -NUMBER NAME meaning")
        e = Error(int(m[1]), m[2], m[3])
        for other in errors:
            if other.number == e.number:
                line.fail(f"{e.number} is already {other.name}; numbers are never reused")
            if other.name == e.name:
                line.fail(f"{e.name} is already {other.number}")
        if errors and e.number >= errors[-1].number:
            line.fail(f"{e.number} comes after {errors[-1].number}; keep the list in falling order")
        errors.append(e)
    return errors


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def errors_h(errors):
    out = [made_from("abi/errors.txt"), "#pragma once", "", "enum error {"]
    width = max(len(e.name) for e in errors)
    for e in errors:
        out.append(f"\tERR_{e.name:<{width}} = {e.number},{'':<{4 - len(str(e.number))}} /* {e.text} */")
    out += ["};", "", "/* X(name, number, text) for each. */", "#define ERROR_LIST(X) \\"]
    out += [f"\tX({e.name}, {e.number}, {c_string(e.text)}) \\" for e in errors]
    out[-1] = out[-1][:-2]
    return "\n".join(out) + "\n"


# ---- syscalls.txt ----------------------------------------------------------------------------

class Arg:
    """kind: 'scalar', 'array' (length names its length argument) or 'record'; way: 'in' or 'out'."""
    def __init__(self, name, kind, type, way=None, length=None):
        self.name, self.kind, self.type, self.way, self.length = name, kind, type, way, length


class Call:
    def __init__(self, line, name, raw, args=(), results=()):
        self.line, self.name, self.raw = line, name, raw
        self.args, self.results, self.doc = list(args), list(results), []

    @property
    def c_name(self):
        return C_NAMES.get(self.name, self.name)


def parse_arg(line, text):
    m = re.fullmatch(r"([a-z_][a-z0-9_]*)\s*:\s*(?:(in|out)\s+)?([a-z][a-z0-9_]*)(?:\[([a-z_][a-z0-9_]*)\])?", text.strip())
    if not m:
        line.fail(f"cannot read argument '{text.strip()}'")
    name, way, type, length = m.groups()
    if way is None:
        if length:
            line.fail(f"array '{name}' needs 'in' or 'out'")
        if type not in SCALARS:
            line.fail(f"'{name}': unknown type '{type}' (one of {' '.join(SCALARS)}, or in/out)")
        return Arg(name, "scalar", type)
    if length:
        return Arg(name, "array", type, way, length)
    if type in SCALARS or type in ELEMENTS:
        line.fail(f"'{name}': a single {type} goes by value")
    return Arg(name, "record", type, way)


def parse_list(line, text):
    return [parse_arg(line, a) for a in text.split(",")] if text.strip() else []


def check_call(line, call):
    seen = set()
    for a in call.args:
        if a.name in seen:
            line.fail(f"two arguments are called '{a.name}'")
        seen.add(a.name)
    if len(call.args) > 6:
        line.fail("more than six arguments")
    if len(call.results) > 3:
        line.fail("more than three results")
    for a in call.args:
        if a.kind == "array":
            length = next((b for b in call.args if b.name == a.length), None)
            if length is None or length.kind != "scalar" or length.type not in ("u32", "u64"):
                line.fail(f"'{a.name}': '{a.length}' must be an argument of type u32 or u64")
    for r in call.results:
        if r.kind != "scalar" or r.type == "cmd":
            line.fail(f"result '{r.name}' must be u32, u64, i64 or handle")
        if r.name in seen:      # vmem_map takes a va and gives one
            r.name += "_out"
        seen.add(r.name)


def check_error_words(line, text, errors):
    names = {e.name for e in errors}
    for part in text.split("errors:")[1:]:
        for word in re.findall(r"\b[A-Z][A-Z_]{2,}\b", part):
            if word not in names:
                line.fail(f"'{word}' is not in errors.txt")


def parse_syscalls(root, errors, path="abi/syscalls.txt"):
    calls = []
    for line in lines_of(root, path):
        if line.text[0] in " \t":
            if not calls:
                line.fail("documentation before the first call")
            check_error_words(line, line.text, errors)
            calls[-1].doc.append(line.text.strip())
            continue
        m = re.fullmatch(r"raw\s+([a-z][a-z0-9_]*)", line.text)
        if m:
            call = Call(line, m[1], True)
        else:
            m = re.fullmatch(r"call\s+([a-z][a-z0-9_]*)\s*\((.*)\)\s*->\s*\((.*)\)", line.text)
            if not m:
                line.fail("expected: call NAME (args) -> (results), or raw NAME")
            call = Call(line, m[1], False, parse_list(line, m[2]), parse_list(line, m[3]))
            check_call(line, call)
        if any(c.name == call.name for c in calls):
            line.fail(f"'{call.name}' is already in the table")
        calls.append(call)
    if not calls:
        raise TableError(f"{path}:1: no call at all")
    return calls


def syscall_numbers_h(calls):
    out = [made_from("abi/syscalls.txt"), "#pragma once", "",
           "/* Plain macros, so that assembly can include this too. */",
           f"#define SYSCALL_BASE {SYSCALL_BASE:#x}", f"#define SYSCALL_COUNT {len(calls)}", ""]
    width = max(len(c.name) for c in calls)
    out += [f"#define SYS_{c.name:<{width}} {SYSCALL_BASE + i:#x}" for i, c in enumerate(calls)]
    return "\n".join(out) + "\n"


def user_param(a):
    if a.kind == "scalar":
        return f"{SCALARS[a.type]} {a.name}"
    element = ELEMENTS.get(a.type, f"struct {a.type}")
    return f"{'const ' if a.way == 'in' else ''}{element} *{a.name}"


def prototype(call):
    params = [user_param(a) for a in call.args] + [f"{SCALARS[r.type]} *{r.name}" for r in call.results]
    result = "noreturn void" if call.name in NO_RETURN else "status_t"
    return f"{result} {call.c_name}({', '.join(params) or 'void'})"


def comment(doc):
    """The documentation of a call as a comment: one line if it fits, else a block."""
    if len(doc) == 1 and len(doc[0]) < 110:
        return [f"/* {doc[0]} */"]
    return ["/*"] + [f" * {d}" for d in doc] + [" */"]


def syscalls_h(calls):
    out = [made_from("abi/syscalls.txt"), "#pragma once", "#include <abi/objects.h>", "#include <abi/types.h>", "#include <abi/upcall.h>", "",
           "/* Results leave through the last pointers (never NULL) and are untouched on error. */"]
    for c in calls:
        if c.raw:
            continue
        out.append("")
        if c.doc:
            out += comment(c.doc)
        must = "" if c.name in NO_RETURN | UNCHECKED else "must_use "
        out.append(f"{must}{prototype(c)};")
    return "\n".join(out) + "\n"


ARG_REGS = ["rdi", "rsi", "rdx", "r10", "r8", "r9"]
RESULT_REGS = ["rsi", "rdx", "r10"]


def stub(call):
    """A user stub: arguments in rdi rsi rdx r10 r8 r9, results in rsi rdx r10."""
    body = []
    used = max(len(call.args), 0)
    regs = {}
    for a, reg in zip(call.args, ARG_REGS):
        value = a.name if a.kind == "scalar" else f"(uint64_t){a.name}"
        regs[reg] = value
    for reg in RESULT_REGS[:len(call.results)]:
        regs.setdefault(reg, None)
    for reg in ARG_REGS:
        if reg in regs:
            init = f" = {regs[reg]}" if regs[reg] is not None else ""
            body.append(f'\tregister uint64_t {reg} __asm__("{reg}"){init};')
    body.append(f"\tstatus_t st = SYS_{call.name};")
    outs = ['"+a"(st)'] + [f'"{"+r" if regs[r] is not None else "=r"}"({r})' for r in ARG_REGS if r in regs]
    lost = [r for r in ARG_REGS if r not in regs] + ["rcx", "r11", "memory"]
    clobbers = ", ".join(f'"{r}"' for r in lost)
    body.append(f'\t__asm__ volatile("syscall" : {", ".join(outs)} : : {clobbers});')
    if call.name in NO_RETURN:
        body.append("\t__builtin_unreachable();")
        return [prototype(call), "{"] + body + ["}"]
    results = [f"*{r.name} = ({SCALARS[r.type]}){reg};" for r, reg in zip(call.results, RESULT_REGS)]
    if len(results) == 1:
        body += ["\tif (st >= 0)", f"\t\t{results[0]}"]
    elif results:
        body += ["\tif (st >= 0) {"] + [f"\t\t{r}" for r in results] + ["\t}"]
    body.append("\treturn st;")
    return [prototype(call), "{"] + body + ["}"]


def stubs_c(calls):
    out = [made_from("abi/syscalls.txt", """\
 *
 * The user half of every ordinary system call. In: rax = number, rdi rsi rdx r10 r8 r9. Out: rax =
 * status, and if it is not negative rsi rdx r10 = results. rcx and r11 go with SYSCALL, the argument
 * registers come back changed, rbx rbp r12-r15 as they were.
"""), "#include <gen/syscall_numbers.h>", "#include <gen/syscalls.h>"]
    for c in calls:
        if not c.raw:
            out += [""] + stub(c)
    return "\n".join(out) + "\n"


# ---- the kernel's side -----------------------------------------------------------------------

SIX = "uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5"


def handler_param(a):
    if a.kind == "scalar":
        return f"{SCALARS[a.type]} {a.name}"
    if a.kind == "array":
        return f"user_{a.way}_t {a.name}"
    return f"{'const ' if a.way == 'in' else ''}struct {a.type} *{a.name}"


def handler(call):
    params = [handler_param(a) for a in call.args] + [f"{SCALARS[r.type]} *{r.name}" for r in call.results]
    return f"status_t sys_{call.name}({', '.join(params) or 'void'})"


def syscall_handlers_h(calls):
    out = [made_from("abi/syscalls.txt", """\
 *
 * What the kernel implements. Single records have been copied in when a handler runs, and are
 * copied out after it (zeroed before); arrays arrive as a user address and a length, both unchecked.
 * Results count only when the status is not negative.
"""), "#pragma once", "#include <abi/objects.h>", "#include <abi/types.h>", "#include <abi/upcall.h>", "#include <gen/syscall_numbers.h>", "",
           "/* Addresses from user mode; only usercopy follows them. */",
           "typedef struct { uint64_t va; } user_in_t;",
           "typedef struct { uint64_t va; } user_out_t;", "",
           "/* Every entry of the table: the arguments as they were in rdi rsi rdx r10 r8 r9. */",
           f"typedef status_t (*syscall_fn)({SIX});",
           "extern const syscall_fn syscall_table[SYSCALL_COUNT];",
           "#ifdef TEST_BUILD",
           "extern const char *const syscall_names[SYSCALL_COUNT];",
           "#endif", "", "/* Registers as in abi/ipc.h; written by hand. */"]
    out += [f"status_t raw_{c.name}({SIX});" for c in calls if c.raw] + [""]
    out += [f"{handler(c)};" for c in calls if not c.raw]
    return "\n".join(out) + "\n"


def glue(call):
    """Six registers in, typed handler, results out. Unused registers are named away."""
    params = ", ".join(f"uint64_t a{i}" + ("" if i < len(call.args) else " unused") for i in range(6))
    pre, post, actual = [], [], []
    for i, a in enumerate(call.args):
        if a.kind == "scalar":
            actual.append(f"a{i}" if a.type in ("u64", "cmd") else f"({SCALARS[a.type]})a{i}")
        elif a.kind == "array":
            actual.append(f"(user_{a.way}_t){{ a{i} }}")
        elif a.way == "in":
            pre += [f"\tstruct {a.type} {a.name};",
                    f"\tstatus_t copied = copy_in(&{a.name}, (user_in_t){{ a{i} }}, sizeof({a.name}));",
                    "\tif (unlikely(copied < 0))", "\t\treturn copied;"]
            actual.append(f"&{a.name}")
        else:
            pre += [f"\tstruct {a.type} {a.name};",
                    f"\t__builtin_memset(&{a.name}, 0, sizeof({a.name}));    /* padding too */"]
            post += ["\tif (st >= 0) {",
                     f"\t\tstatus_t copied = copy_out((user_out_t){{ a{i} }}, &{a.name}, sizeof({a.name}));",
                     "\t\tif (unlikely(copied < 0))", "\t\t\treturn copied;", "\t}"]
            actual.append(f"&{a.name}")
    for i, r in enumerate(call.results):
        pre.append(f"\t{SCALARS[r.type]} {r.name} = 0;")
        actual.append(f"&{r.name}")
    if call.results:
        post.append("\tif (st >= 0) {")
        post += [f"\t\tsyscall_result({i}, (uint64_t){r.name});" for i, r in enumerate(call.results)]
        post.append("\t}")
    # Locals may shadow nothing: a result or record never carries a register's name.
    called = f"sys_{call.name}({', '.join(actual)})"
    head = [f"static status_t glue_{call.name}({params})", "{"]
    if not post:
        return head + pre + [f"\treturn {called};", "}"]
    return head + pre + [f"\tstatus_t st = {called};"] + post + ["\treturn st;", "}"]


def dispatch_c(calls):
    out = [made_from("abi/syscalls.txt", """\
 *
 * The kernel half of every system call: entry.S finds the function by number and calls it with the
 * six argument registers.
"""), "#include <gen/syscall_handlers.h>", "#include <kernel/syscall.h>", "#include <kernel/usercopy.h>"]
    # A handler without arguments and results can stand in the table itself: the registers are ignored.
    plain = [c for c in calls if not c.raw and not c.args and not c.results]
    for c in calls:
        if not c.raw and c not in plain:
            out += [""] + glue(c)
    out += ["", "const syscall_fn syscall_table[SYSCALL_COUNT] = {"]
    out += [f"\t[SYS_{c.name} - SYSCALL_BASE] = {'raw_' if c.raw else '(syscall_fn)sys_' if c in plain else 'glue_'}{c.name}," for c in calls]
    out += ["};", "", "#ifdef TEST_BUILD", "const char *const syscall_names[SYSCALL_COUNT] = {"]
    out += [f'\t[SYS_{c.name} - SYSCALL_BASE] = "{c.name}",' for c in calls]
    out += ["};", "#endif"]
    return "\n".join(out) + "\n"


def syscalls_md(calls):
    out = ["<!-- made from abi/syscalls.txt by tools/abigen.py; do not edit -->", "# System calls", "",
           f"{len(calls)} calls. Numbers are `{SYSCALL_BASE:#x}` + position in `abi/syscalls.txt`.",
           "Ordinary calls take their number in rax and arguments in rdi rsi rdx r10 r8 r9; the status comes back in rax",
           "and, when it is not negative, results in rsi rdx r10. *raw* calls use registers as in `abi/ipc.h`.",
           "Meanings of the errors: `abi/errors.txt`.", ""]
    for i, c in enumerate(calls):
        out += [f"## {c.name}", ""]
        if c.raw:
            out += [f"{SYSCALL_BASE + i:#x}, raw", ""]
        else:
            out += [f"{SYSCALL_BASE + i:#x}", "", "```c", prototype(c) + ";", "```", ""]
        text = " ".join(c.doc)
        words, _, errs = text.partition("errors:")
        if words.strip():
            out += [words.strip(), ""]
        if errs.strip():
            out += [f"Errors: {errs.strip()}", ""]
    return "\n".join(out).rstrip() + "\n"


# ---- proto/*.txt -----------------------------------------------------------------------------

class Word:
    def __init__(self, index, name, type, low=None, high=None, mask=None):
        self.index, self.name, self.type, self.low, self.high, self.mask = index, name, type, low, high, mask


class Op:
    def __init__(self, line, name, number):
        self.line, self.name, self.number = line, name, number
        self.path = self.input = self.output = self.handles = None
        self.path_optional = self.path_pair = False
        self.words, self.results, self.reply, self.rights, self.doc = [], [], None, [], []

    @property
    def lower(self):
        return self.name.lower()


class Proto:
    def __init__(self, name, path):
        self.name, self.path, self.ops = name, path, []


def size_word(line, text):
    m = re.fullmatch(r"(\d+)([KM]?)", text)
    if not m:
        line.fail(f"'{text}' is not a size")
    return int(m[1]) << {"": 0, "K": 10, "M": 20}[m[2]]


def parse_range(line, text, limit, what):
    low, sep, high = text.partition("..")
    if not sep:
        line.fail(f"{what}: expected MIN..MAX")
    low, high = size_word(line, low), size_word(line, high)
    if low > high:
        line.fail(f"{what}: {low} is above {high}")
    if high > limit:
        line.fail(f"{what}: at most {limit}")
    return low, high


def parse_word(line, fields, reply):
    if len(fields) < 4:
        line.fail(f"expected: {fields[0]} N name type")
    index, name, type, rest = fields[1], fields[2], fields[3], fields[4:]
    if not index.isdigit() or int(index) >= IPC_WORDS:
        line.fail(f"word number '{index}' is not below {IPC_WORDS}")
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        line.fail(f"bad name '{name}'")
    if type not in ("u32", "u64", "i64"):
        line.fail(f"'{name}': type must be u32, u64 or i64")
    word = Word(int(index), name, type)
    if rest and reply:
        line.fail("reply words have no conditions")
    if len(rest) == 2 and rest[0] == "mask":
        try:
            word.mask = int(rest[1], 0)
        except ValueError:
            line.fail(f"'{rest[1]}' is not a mask")
    elif len(rest) == 1 and type != "i64":
        word.low, word.high = parse_range(line, rest[0], 2**64 - 1, name)
    elif rest:
        line.fail(f"cannot read '{' '.join(rest)}'")
    return word


def once(line, op, field):
    if getattr(op, field) is not None:
        line.fail(f"'{field}' given twice")


def parse_field(line, op):
    text = line.text.strip()
    if text.startswith(":"):
        op.doc.append(text[1:].strip())
        return
    fields = text.split()
    key = fields[0]
    if key == "path":
        once(line, op, "path")
        if len(fields) < 2:
            line.fail("path: expected MIN..MAX")
        op.path = parse_range(line, fields[1], PATH_MAX, "path")
        for word in fields[2:]:
            if word == "optional":
                op.path_optional = True
            elif word == "pair":
                op.path_pair = True
            else:
                line.fail(f"path: unknown word '{word}'")
    elif key in ("in", "out") and len(fields) == 2:
        field = {"in": "input", "out": "output"}[key]
        once(line, op, field)
        setattr(op, field, parse_range(line, fields[1], WINDOW_MAX, key))
    elif key == "handles" and len(fields) == 2:
        once(line, op, "handles")
        op.handles = parse_range(line, fields[1], IPC_HANDLES, "handles")
    elif key in ("w", "r"):
        word = parse_word(line, fields, key == "r")
        words = op.words if key == "w" else op.results
        if any(w.index == word.index or w.name == word.name for w in words):
            line.fail(f"{key} {word.index} {word.name}: given twice")
        words.append(word)
    elif key == "reply" and len(fields) == 2 and fields[1] in ("session", "handle"):
        once(line, op, "reply")
        op.reply = fields[1]
    elif key == "right" and len(fields) in (2, 5) and fields[1] in ("read", "write"):
        condition = None
        if len(fields) == 5:
            word = next((w for w in op.words if w.name == fields[3]), None)
            if fields[2] != "if" or word is None:
                line.fail("expected: right read|write [if WORD MASK], after that word")
            try:
                condition = (word.name, int(fields[4], 0))
            except ValueError:
                line.fail(f"'{fields[4]}' is not a mask")
        op.rights.append((fields[1], condition))
    else:
        line.fail(f"cannot read '{text}'")


def parse_proto(root, path):
    proto = Proto(os.path.splitext(os.path.basename(path))[0], path)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", proto.name):
        raise TableError(f"{path}:1: the file's name must do as a C name")
    for line in lines_of(root, path):
        if line.text[0] in " \t":
            if not proto.ops:
                line.fail("a field before the first op")
            parse_field(line, proto.ops[-1])
            continue
        m = re.fullmatch(r"op\s+([A-Z][A-Z0-9_]*)\s+(\d+)", line.text)
        if not m:
            line.fail("expected: op NAME NUMBER")
        op = Op(line, m[1], int(m[2]))
        if not 1 <= op.number < OPS_MAX:
            line.fail(f"op numbers are 1..{OPS_MAX - 1}")
        for other in proto.ops:
            if other.name == op.name or other.number == op.number:
                line.fail(f"{op.name} {op.number}: already {other.name} {other.number}")
        proto.ops.append(op)
    for op in proto.ops:
        if op.path is not None and op.input is not None:
            op.line.fail(f"{op.name}: the path travels in the in window; both cannot be had")
        if op.path_pair and op.path_optional:
            op.line.fail(f"{op.name}: a pair cannot be optional")
    return proto


def struct_of(name, words, reply):
    """Word i lies at offset 8 * i: the service loop hands the words of a message over as this struct."""
    if not words:
        return [f"struct {name} {{", "\tuint8_t none;                   /* carries no word */", "};"]
    body = []
    for i in range(max(w.index for w in words) + 1):
        w = next((w for w in words if w.index == i), None)
        if w is None:
            body.append(f"\tuint64_t zero{i};")
            continue
        body.append(f"\t{SCALARS[w.type]} {w.name}{'' if w.type.endswith('64') else ' aligned(8)'};")
        if reply and not w.type.endswith("64"):
            body.append(f"\tuint32_t {w.name}_zero;         /* the upper half of its word */")
    size = 8 * (max(w.index for w in words) + 1)
    return [f"struct {name} {{"] + body + ["};", f'_Static_assert(sizeof(struct {name}) == {size}, "a word each");']


def cast_in(word, expression):
    return expression if word.type == "u64" else f"({SCALARS[word.type]}){expression}"


def proto_h(proto):
    p = proto.name
    out = [made_from(proto.path), "#pragma once", "#include <abi/types.h>", "#include <rt/ipc.h>", "#include <rt/svc.h>", "",
           f"enum {p}_op {{"]
    out += [f"\t{p.upper()}_{op.name} = {op.number}," for op in proto.ops] + ["};"]
    for op in proto.ops:
        out.append("")
        if op.doc:
            out += comment(op.doc)
        out += struct_of(f"{p}_{op.lower}_req", op.words, False) + struct_of(f"{p}_{op.lower}_rep", op.results, True)
    out += ["", "/* The handlers of a service; a missing one answers ERR_NOT_SUPPORTED. */", f"struct {p}_ops {{"]
    out += [f"\tstatus_t (*{op.lower})(void *self, struct svc_cmd *c, const struct {p}_{op.lower}_req *q, "
            f"struct {p}_{op.lower}_rep *p);" for op in proto.ops]
    out += ["};", "", f"extern const struct svc_proto {p}_proto;", "",
            '/* "OPEN" and the like; NULL: no such operation. */', f"static inline const char *{p}_op_name(uint32_t op)", "{", "\tswitch (op) {"]
    out += [f'\tcase {p.upper()}_{op.name}: return "{op.name}";' for op in proto.ops]
    out += ["\tdefault: return NULL;", "\t}", "}", "",
            "/*",
            " * ask: a client's request into a message (windows, path and handles are the caller's to add).",
            " * answer: the reply out of it. reply: what a service that answered SVC_LATER packs for svc_reply.",
            " */"]
    for op in proto.ops:
        base = f"{p}_{op.lower}"
        out += [f"static inline void {base}_ask(struct msg *m, const struct {base}_req *q{'' if op.words else ' unused'})", "{",
                f"\tm->op = {p.upper()}_{op.name};"]
        out += [f"\tm->w[{w.index}] = {'q->' if w.type != 'i64' else '(uint64_t)q->'}{w.name};" for w in op.words] + ["}"]
        if op.results:
            out += [f"static inline void {base}_answer(const struct msg *m, struct {base}_rep *p)", "{"]
            out += [f"\tp->{w.name} = {cast_in(w, f'm->w[{w.index}]')};" for w in op.results] + ["}"]
            out += [f"static inline void {base}_reply(struct reply *r, const struct {base}_rep *p)", "{"]
            out += [f"\tr->w[{w.index}] = {'p->' if w.type != 'i64' else '(uint64_t)p->'}{w.name};" for w in op.results] + ["}"]
    return "\n".join(out) + "\n"


def outside(expression, low, high):
    """The condition that an unsigned expression is outside low..high."""
    if low == high:
        return f"{expression} != {high}"
    if low == 0:
        return f"{expression} > {high}"
    return f"{expression} < {low} || {expression} > {high}"


def op_checks(op):
    """C conditions, each of which makes the message malformed. What must be zero goes into one of them."""
    zero, bad = [], []

    def limit(expression, allowed):
        if allowed is None or allowed == (0, 0):
            zero.append(expression)
        else:
            bad.append(outside(expression, *allowed))

    if op.path is None:
        zero.append("(c->flags & IPC_PATH)")
        limit("c->in_len", op.input)
    elif op.path_optional:
        # no longer than PATH_MAX: the kernel sees to it
        lengths = "" if op.path == (0, PATH_MAX) else f" || {outside('c->in_len', *op.path)}"
        if lengths:
            bad.append(f"c->flags & IPC_PATH ? !c->path_plain{lengths} : c->in_len != 0")
        else:
            zero.append("(c->flags & IPC_PATH ? !c->path_plain : c->in_len)")
    else:
        bad.append("!(c->flags & IPC_PATH) || !c->path")
        if op.path != (0, PATH_MAX):
            bad.append(outside("c->in_len", *op.path))
        bad.append("!path_pair(c)" if op.path_pair else "!c->path_plain")
    limit("c->out_len", op.output)
    limit("c->n_handles", op.handles)
    for i in range(IPC_WORDS):
        w = next((w for w in op.words if w.index == i), None)
        if w is None:
            zero.append(f"w[{i}]")
        elif w.mask is not None:
            zero.append(f"(w[{i}] & ~{w.mask:#x}ull)")
        elif w.high is not None:
            bad.append(outside(f"w[{i}]", w.low, w.high))
        elif w.type == "u32":
            zero.append(f"w[{i}] >> 32")
    if zero:
        bad.append(" | ".join(zero))
    return bad


def op_dispatch(proto, op):
    p = proto.name
    out = [f"static status_t on_{op.lower}(void *self, struct svc_cmd *c, const uint64_t w[IPC_WORDS], uint64_t r[IPC_WORDS], const void *table)", "{",
           f"\tconst struct {p}_ops *ops = table;"]
    out += [f"\tif (!ops->{op.lower})", "\t\treturn ERR_NOT_SUPPORTED;"]
    for bad in op_checks(op):
        out += [f"\tif ({bad})", "\t\treturn ERR_INVALID;"]
    for right, condition in op.rights:
        test = f"!(c->rights & RIGHT_{right.upper()})"
        if condition:
            word = next(x for x in op.words if x.name == condition[0])
            test = f"(w[{word.index}] & {condition[1]:#x}) && {test}"
        out += [f"\tif ({test})", "\t\treturn ERR_DENIED;"]
    return out + [f"\treturn ops->{op.lower}(self, c, (const void *)w, (void *)r);", "}"]


def proto_dispatch_c(proto):
    p = proto.name
    pair = any(op.path_pair for op in proto.ops)
    out = [made_from(proto.path, f"""\
 *
 * Between the service loop and the handlers of `{p}`: an unknown operation is answered
 * ERR_NOT_SUPPORTED, a message that no stub could have sent ERR_INVALID, and one the Session's rights
 * do not cover ERR_DENIED, all before a handler sees anything.
"""), "#include <abi/rights.h>", f"#include <gen/{p}.h>", "#include <rt/svc.h>"] + (["#include <string.h>"] if pair else [])
    if pair:
        out += ["", "/* Exactly two paths, neither empty, with one zero byte between. */",
                "static bool path_pair(const struct svc_cmd *c)", "{",
                "\tsize_t first = strnlen(c->path, c->path_len);",
                "\tif (first == 0 || first + 1 >= c->path_len)", "\t\treturn false;",
                "\tsize_t rest = c->path_len - first - 1;",
                "\treturn strnlen(c->path + first + 1, rest) == rest;", "}"]
    for op in proto.ops:
        out += [""] + op_dispatch(proto, op)
    last = max(op.number for op in proto.ops)
    by_number = {op.number: f"on_{op.lower}" for op in proto.ops}
    out += ["", "static status_t unknown(void *self unused, struct svc_cmd *c unused, const uint64_t w[IPC_WORDS] unused,",
            "\tuint64_t r[IPC_WORDS] unused, const void *table unused)", "{", "\treturn ERR_NOT_SUPPORTED;", "}", "",
            "static svc_handler *const on[] = {"]
    out += [f"\t{by_number.get(i, 'unknown')}," for i in range(last + 1)]
    out += ["};", "", f'const struct svc_proto {p}_proto = {{ .name = "{p}", .n = {last + 1}, .on = on }};']
    return "\n".join(out) + "\n"


def span(pair):
    return f"{pair[0]}..{pair[1]}" if pair[0] != pair[1] else f"{pair[0]}"


def proto_md(proto):
    out = [f"<!-- made from {proto.path} by tools/abigen.py; do not edit -->", f"# Protocol `{proto.name}`", "",
           f"{len(proto.ops)} operations. Windows, words and handles not listed must be absent or zero; anything else is",
           "answered ERR_INVALID before a handler runs, an operation the service lacks ERR_NOT_SUPPORTED.", ""]
    for op in proto.ops:
        out += [f"## {op.name} ({op.number})", ""]
        if op.doc:
            out += [" ".join(op.doc), ""]
        rows = []
        if op.path is not None:
            extra = ", two paths with a zero byte between" if op.path_pair else ", may be absent" if op.path_optional else ""
            rows.append(("path", f"{span(op.path)} bytes{extra}"))
        if op.input:
            rows.append(("in window", f"{span(op.input)} bytes"))
        if op.output:
            rows.append(("out window", f"{span(op.output)} bytes"))
        if op.handles:
            rows.append(("handles", span(op.handles)))
        for w in op.words:
            limit = f", bits of {w.mask:#x}" if w.mask is not None else f", {w.low}..{w.high}" if w.high is not None else ""
            rows.append((f"w[{w.index}]", f"`{w.name}` {w.type}{limit}"))
        for right, condition in op.rights:
            rows.append(("needs", f"RIGHT_{right.upper()}" + (f" if `{condition[0]}` & {condition[1]:#x}" if condition else "")))
        for w in op.results:
            rows.append((f"reply w[{w.index}]", f"`{w.name}` {w.type}"))
        if op.reply:
            rows.append(("reply handle[0]", {"session": "a Session", "handle": "an object"}[op.reply]))
        if rows:
            out += ["| part | content |", "| --- | --- |"] + [f"| {a} | {b} |" for a, b in rows] + [""]
    return "\n".join(out).rstrip() + "\n"


# ---- for the tests ---------------------------------------------------------------------------

def shape_arg(a):
    return f"{a.name}:{a.type}" + (f"[{a.length}]" if a.kind == "array" else "")


def op_shape(op):
    """One operation as an initializer: what a caller may send, in numbers."""
    low, high = op.path or op.input or (0, 0)
    words = ", ".join(f"[{w.index}] = {{ {w.low or 0:#x}, {w.mask if w.mask is not None else w.high if w.high is not None else WORD_MAX[w.type]:#x}, "
                      f"{int(w.mask is not None)} }}" for w in op.words)
    return (f'\t{{ "{op.name}", {op.number}, {int(op.path is not None)}, {int(op.path_pair)}, {low}, {high}, '
            f"{(op.output or (0, 0))[0]}, {(op.output or (0, 0))[1]}, {(op.handles or (0, 0))[1]}, {{ {words} }} }},")


def shapes_h(calls, protos):
    out = [made_from("abi/syscalls.txt and abi/proto"), "#pragma once", "#include <abi/ipc.h>", "#include <gen/syscall_numbers.h>", "",
           "/* The tables themselves, for tests that call whatever is in them (tests/system/randcall, tests/system/msgfuzz). */",
           "struct call_shape { const char *name, *args, *results; bool raw; };    /* NAME:TYPE or NAME:TYPE[LENGTH], a space between */",
           "struct word_shape { uint64_t low, high; bool mask; };                  /* mask: the bits of `high` may be set */",
           "struct op_shape {",
           "\tconst char *name;",
           "\tuint32_t op;",
           "\tbool path, pair;                /* the in window is a path; two, with a zero byte between */",
           "\tuint32_t in_min, in_max, out_min, out_max, handles;",
           "\tstruct word_shape w[IPC_WORDS]; /* all zero: the word must be 0 */",
           "};", "", "static const struct call_shape call_shapes[SYSCALL_COUNT] = {"]
    out += [f'\t[SYS_{c.name} - SYSCALL_BASE] = {{ "{c.name}", "{" ".join(shape_arg(a) for a in c.args)}", '
            f'"{" ".join(shape_arg(r) for r in c.results)}", {int(c.raw)} }},' for c in calls] + ["};"]
    for proto in protos:
        out += ["", f"static const struct op_shape {proto.name}_shapes[] = {{"] + [op_shape(op) for op in proto.ops] + ["};"]
    return "\n".join(out) + "\n"


# ---- all of it -------------------------------------------------------------------------------

def made_from(source, more=""):
    if not more:
        return f"/* made from {source} by tools/abigen.py; do not edit */"
    return f"/*\n * made from {source} by tools/abigen.py; do not edit.\n{more} */"


def generate(root):
    """{path: text} of everything; docs/... paths are the pages kept in the tree."""
    errors = parse_errors(root)
    calls = parse_syscalls(root, errors)
    folder = os.path.join(root, "abi/proto")
    names = sorted(n for n in os.listdir(folder) if n.endswith(".txt"))
    files = {
        "include/gen/errors.h": errors_h(errors),
        "include/gen/syscall_numbers.h": syscall_numbers_h(calls),
        "include/gen/syscalls.h": syscalls_h(calls),
        "include/gen/syscall_handlers.h": syscall_handlers_h(calls),
        "rt/stubs.c": stubs_c(calls),
        "kernel/dispatch.c": dispatch_c(calls),
        "docs/syscalls.md": syscalls_md(calls),
    }
    protos = [parse_proto(root, f"abi/proto/{name}") for name in names]
    files["include/gen/shapes.h"] = shapes_h(calls, protos)
    for proto in protos:
        files[f"include/gen/{proto.name}.h"] = proto_h(proto)
        files[f"rt/{proto.name}_dispatch.c"] = proto_dispatch_c(proto)
        files[f"docs/protocols/{proto.name}.md"] = proto_md(proto)
    return files


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None


def write_if_changed(path, text):
    if read(path) == text:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=".")
    parser.add_argument("--out")
    parser.add_argument("--write-docs", action="store_true")
    parser.add_argument("--check-docs", action="store_true")
    args = parser.parse_args(argv)
    try:
        files = generate(args.root)
    except TableError as e:
        print(e, file=sys.stderr)
        return 1
    except OSError as e:
        print(f"{e.filename}: {e.strerror}", file=sys.stderr)
        return 1
    docs = {p: t for p, t in files.items() if p.startswith("docs/")}
    if args.out:
        for path, text in files.items():
            write_if_changed(os.path.join(args.out, path), text)
    if args.write_docs:
        for path, text in docs.items():
            write_if_changed(os.path.join(args.root, path), text)
    if args.check_docs:
        stale = [p for p, t in docs.items() if read(os.path.join(args.root, p)) != t]
        for path in stale:
            print(f"{path}: stale; tools/abigen.py --write-docs makes it anew", file=sys.stderr)
        return 1 if stale else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
