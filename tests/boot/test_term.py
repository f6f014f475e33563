"""
A terminal of the screen, inside the machine: the library that outputd draws with shows what was sent, with the font of the initfs. What
each sequence means is tested on the host (lib/term/corpus).
"""
import re

import pytest


@pytest.fixture
def m(booted, test_image):
    with booted(image=test_image) as machine:
        yield machine


def screen(m, text):
    got = m.run(f"screenful '{text}'")
    *rows, drawn = got.splitlines()
    lit, row, col, kept = map(int, re.fullmatch(r"drawn: (\d+) lit, cursor (\d+),(\d+), (\d+) bytes kept", drawn).groups())
    return [r.removeprefix("|") for r in rows], lit, (row, col), kept


def test_a_screenful(m):
    rows, blank, cursor, kept = screen(m, "")
    assert rows == [] and cursor == (0, 0) and blank == 8 * 16, "nothing but the cursor"
    assert kept < 1 << 20
    rows, lit, cursor, _ = screen(m, r"\e[2;3Hin the \e[1mmachine\e[m\e[4;1H\e(0lqk\e(B \xe6\xbc\xa2\xe5\xad\x97 \xce\xb1\xd0\x96")
    assert rows == ["", "  in the machine", "", "┌─┐ 漢字 αЖ"]
    assert cursor == (3, 11) and 300 < lit < 3000
    lines = r"\r\n".join(str(i) for i in range(60))
    rows, _, cursor, _ = screen(m, lines)
    assert rows == [str(i) for i in range(36, 60)] and cursor == (23, 2)
    # Hostile: what libvterm's parser would write behind its arrays for, and more.
    rows, _, _, _ = screen(m, r"a\e[" + "1;" * 60 + r"mb\ePq$qx\e\\\e]0;" + "t" * 200 + r"\x07c\e[99999999999999;1Hd\e[5b\xff")
    assert rows[0] == "abc" and rows[23] == "dddddd�"
