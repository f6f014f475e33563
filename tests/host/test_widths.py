"""lib/utf8: how many columns a character takes is what the Unicode Character Database says of it, for every one that is assigned."""
import pathlib
import re
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]


def table(name):
    (body,) = re.findall(rf"^static const struct range {name}\[\] = {{\n(.*?)^}};", (ROOT / "lib/utf8/utf8.c").read_text(), re.M | re.S)
    ranges = [(int(a, 16), int(b, 16)) for a, b in re.findall(r"{ (0x\w+), (0x\w+) }", body)]
    assert all(a <= b for a, b in ranges) and all(before[1] < after[0] for before, after in zip(ranges, ranges[1:])), f"{name} is searched by halves"
    return {code for a, b in ranges for code in range(a, b + 1)}


def columns_wanted(code):
    character = chr(code)
    # Hangul's vowels and finals are shown in the place of the consonant before them.
    if unicodedata.category(character) in ("Mn", "Me", "Cf") or unicodedata.name(character, "").startswith(("HANGUL JUNGSEONG", "HANGUL JONGSEONG")):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def test_columns():
    combining, wide = table("combining"), table("wide")
    wrong = {}
    for code in range(0x300, 0x110000):
        if unicodedata.category(chr(code)) in ("Cn", "Cs"):
            continue
        columns = 0 if code in combining else 2 if code in wide else 1
        if columns != columns_wanted(code):
            wrong[f"U+{code:04X}"] = columns
    assert not wrong
