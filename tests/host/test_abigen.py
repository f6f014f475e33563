"""abigen: tables are read as their grammar says; every mistake is named with file and line; the pages in docs/ are fresh."""
import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("abigen", ROOT / "tools/abigen.py")
abigen = importlib.util.module_from_spec(spec)
spec.loader.exec_module(abigen)

ERRORS = "-1 NO_MEMORY empty\n-2 INVALID malformed\n"
CALLS = "call nop () -> ()\n\tNothing.\nraw call\ncall read (h: handle, buf: out u8[len], len: u64) -> (done: u64)\n\tReads. errors: INVALID\n"
PROTO = "op GET 1\n\tw 0 flags u32 mask 0x3\n\tr 0 size u64\n\t: Gets.\n"


def tree(folder, errors=ERRORS, calls=CALLS, proto=PROTO):
    (folder / "abi/proto").mkdir(parents=True)
    (folder / "abi/errors.txt").write_text(errors)
    (folder / "abi/syscalls.txt").write_text(calls)
    (folder / "abi/proto/thing.txt").write_text(proto)
    return str(folder)


def test_a_small_tree(tmp_path):
    files = abigen.generate(tree(tmp_path))
    for path, text in files.items():
        assert text.split("\n")[0].find("made from") >= 0 or text.split("\n")[1].find("made from") >= 0, path
    assert "ERR_INVALID   = -2," in files["include/gen/errors.h"]
    assert re.search(r"#define SYS_read\s+0x4e000002", files["include/gen/syscall_numbers.h"])
    assert "must_use status_t read(handle_t h, void *buf, uint64_t len, uint64_t *done);" in files["include/gen/syscalls.h"]
    assert "status_t syscall_nop(void);" in files["include/gen/syscalls.h"]
    assert "status_t sys_read(handle_t h, user_out_t buf, uint64_t len, uint64_t *done);" in files["include/gen/syscall_handlers.h"]
    assert "[SYS_call - SYSCALL_BASE] = raw_call," in files["kernel/dispatch.c"]
    assert "THING_GET = 1," in files["include/gen/thing.h"]
    assert '{ "read", "h:handle buf:u8[len] len:u64", "done:u64", 0 },' in files["include/gen/shapes.h"]
    assert '{ "GET", 1, 0, 0, 0, 0, 0, 0, 0, { [0] = { 0x0, 0x3, 1 } } },' in files["include/gen/shapes.h"]
    checks = next(line for line in files["rt/thing_dispatch.c"].split("\n") if "c->n_handles" in line)
    for part in ["(c->flags & IPC_PATH)", "c->in_len", "c->out_len", "(w[0] & ~0x3ull)", "w[1]", "w[5]"]:
        assert part in checks


def test_records_are_copied_by_the_glue(tmp_path):
    calls = "call give (h: handle, args: in exec_args) -> ()\ncall take (info: out kstat) -> (n: u32)\n"
    glue = abigen.generate(tree(tmp_path, calls=calls))["kernel/dispatch.c"]
    assert "copy_in(&args, (user_in_t){ a1 }, sizeof(args))" in glue
    assert "copy_out((user_out_t){ a0 }, &info, sizeof(info))" in glue
    assert "__builtin_memset(&info, 0, sizeof(info))" in glue


@pytest.mark.parametrize("change, where, what", [
    ({"errors": "-1 NO_MEMORY empty\n-1 OTHER x\n"}, "abi/errors.txt:2", "already NO_MEMORY"),
    ({"errors": "-1 A_NAME x\n\n-2 A_NAME y\n"}, "abi/errors.txt:3", "already -1"),
    ({"errors": "-2 B_NAME x\n-1 A_NAME y\n"}, "abi/errors.txt:2", "falling order"),
    ({"errors": "1 POSITIVE x\n"}, "abi/errors.txt:1", "expected"),
    ({"calls": "call nop () ->\n"}, "abi/syscalls.txt:1", "expected"),
    ({"calls": "# only this\n\tdoc first\n"}, "abi/syscalls.txt:2", "before the first call"),
    ({"calls": "call x (a: u16) -> ()\n"}, "abi/syscalls.txt:1", "unknown type 'u16'"),
    ({"calls": "call x (a: u8[n], n: u64) -> ()\n"}, "abi/syscalls.txt:1", "needs 'in' or 'out'"),
    ({"calls": "call x (a: in u8[n]) -> ()\n"}, "abi/syscalls.txt:1", "'n' must be an argument"),
    ({"calls": "call x (a: in u8[n], n: handle) -> ()\n"}, "abi/syscalls.txt:1", "'n' must be an argument"),
    ({"calls": "call x (a: in u64) -> ()\n"}, "abi/syscalls.txt:1", "goes by value"),
    ({"calls": "call x (a: u32, a: u32) -> ()\n"}, "abi/syscalls.txt:1", "two arguments"),
    ({"calls": "call x (a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32) -> ()\n"}, "abi/syscalls.txt:1", "more than six"),
    ({"calls": "call x () -> (a: u32, b: u32, c: u32, d: u32)\n"}, "abi/syscalls.txt:1", "more than three"),
    ({"calls": "call x () -> (a: out kstat)\n"}, "abi/syscalls.txt:1", "result 'a'"),
    ({"calls": "raw x\ncall x () -> ()\n"}, "abi/syscalls.txt:2", "already in the table"),
    ({"calls": "call x () -> ()\n\terrors: NO_SUCH\n"}, "abi/syscalls.txt:2", "'NO_SUCH' is not in errors.txt"),
    ({"proto": "op get 1\n"}, "abi/proto/thing.txt:1", "expected: op"),
    ({"proto": "op GET 0\n"}, "abi/proto/thing.txt:1", "1..63"),
    ({"proto": "op GET 1\nop PUT 1\n"}, "abi/proto/thing.txt:2", "already GET"),
    ({"proto": "\tw 0 a u32\n"}, "abi/proto/thing.txt:1", "before the first op"),
    ({"proto": "op GET 1\n\tw 6 a u32\n"}, "abi/proto/thing.txt:2", "not below 6"),
    ({"proto": "op GET 1\n\tw 0 a u8\n"}, "abi/proto/thing.txt:2", "u32, u64 or i64"),
    ({"proto": "op GET 1\n\tw 0 a u32\n\tw 0 b u32\n"}, "abi/proto/thing.txt:3", "given twice"),
    ({"proto": "op GET 1\n\tw 0 a u32 9..1\n"}, "abi/proto/thing.txt:2", "9 is above 1"),
    ({"proto": "op GET 1\n\tin 0..2M\n"}, "abi/proto/thing.txt:2", "at most"),
    ({"proto": "op GET 1\n\thandles 0..5\n"}, "abi/proto/thing.txt:2", "at most 4"),
    ({"proto": "op GET 1\n\tpath 0..10 sometimes\n"}, "abi/proto/thing.txt:2", "unknown word"),
    ({"proto": "op GET 1\n\tpath 0..10\n\tin 0..10\n"}, "abi/proto/thing.txt:1", "both cannot be had"),
    ({"proto": "op GET 1\n\tright read if flags 1\n"}, "abi/proto/thing.txt:2", "after that word"),
    ({"proto": "op GET 1\n\twhatever\n"}, "abi/proto/thing.txt:2", "cannot read"),
    ({"proto": "op GET 1\n\treply session\n\treply handle\n"}, "abi/proto/thing.txt:3", "given twice"),
])
def test_mistakes_are_named(tmp_path, change, where, what):
    with pytest.raises(abigen.TableError) as caught:
        abigen.generate(tree(tmp_path, **change))
    assert str(caught.value).startswith(where + ":")
    assert what in str(caught.value)


def test_only_changed_files_are_written(tmp_path):
    root, out = tree(tmp_path / "in"), tmp_path / "out"
    assert abigen.main(["--root", root, "--out", str(out)]) == 0
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    (tmp_path / "in/abi/errors.txt").write_text(ERRORS + "-3 LATER not yet\n")
    assert abigen.main(["--root", root, "--out", str(out)]) == 0
    changed = [p.name for p in before if p.stat().st_mtime_ns != before[p]]
    assert changed == ["errors.h"]


def test_stale_docs_are_found(tmp_path, capsys):
    root = tree(tmp_path)
    assert abigen.main(["--root", root, "--check-docs"]) == 1
    assert "docs/syscalls.md: stale" in capsys.readouterr().err
    assert abigen.main(["--root", root, "--write-docs"]) == 0
    assert abigen.main(["--root", root, "--check-docs"]) == 0
    (tmp_path / "docs/syscalls.md").write_text("old\n")
    assert abigen.main(["--root", root, "--check-docs"]) == 1


def test_a_malformed_table_stops_the_build(tmp_path, capsys):
    assert abigen.main(["--root", tree(tmp_path, errors="nonsense\n"), "--out", str(tmp_path / "out")]) == 1
    assert "abi/errors.txt:1:" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_docs_of_this_tree_are_fresh():
    done = subprocess.run([sys.executable, ROOT / "tools/abigen.py", "--root", ROOT, "--check-docs"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
