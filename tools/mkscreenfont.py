#!/usr/bin/python3
"""Makes the font of the screen's terminals: mkscreenfont.py CONSOLEFONTS UNIFONT.hex > font

CONSOLEFONTS is the folder of the package console-setup-linux: letters and punctuation are taken from its Terminus fonts of 8 x 16. Symbols are
not: there one glyph stands for many. What is lacking of the ranges below comes from GNU Unifont (package unifont), whose lines are CODE:BITMAP, 16 rows of 8 or 16 pixels. A glyph of 16 pixels for
a character of one column is squeezed. The format is described in lib/font/font.h.
"""
import glob
import gzip
import re
import struct
import sys

HEIGHT = 16
# Without line drawing and blocks, U+2500..259F: lib/font/box.c draws them, so that they meet.
NARROW = [
    (0x0020, 0x007e), (0x00a0, 0x036f), (0x0370, 0x052f), (0x0531, 0x058a), (0x05d0, 0x05ea), (0x1e00, 0x1fff), (0x2010, 0x2027), (0x2030, 0x205e),
    (0x2070, 0x209c), (0x20a0, 0x20bf), (0x2100, 0x23ff), (0x2400, 0x2426), (0x2460, 0x2473), (0x25a0, 0x27bf), (0x27e6, 0x27ef), (0x2800, 0x28ff),
    (0xfb00, 0xfb04), (0xfffd, 0xfffd),
]
TERMINUS = [(0x0020, 0x007e), (0x00a0, 0x02ff), (0x0370, 0x052f), (0x05d0, 0x05ea), (0x1e00, 0x1eff), (0x2010, 0x2026), (0x20ac, 0x20ac)]
# Japanese punctuation and kana, full width forms, and the kanji of JIS X 0208's first level: those of daily use.
WIDE = [(0x3000, 0x303e), (0x3041, 0x3096), (0x309b, 0x30ff), (0xff01, 0xff60), (0xffe0, 0xffe6)]
KANJI_ROWS = range(16, 48)
REPLACEMENT = 0xfffd


def psf1(path):
    data = gzip.open(path).read()
    if data[:2] != b"\x36\x04" or data[3] != HEIGHT or not data[2] & 6:
        sys.exit(f"mkscreenfont: {path} is no PSF1 font of 8 x 16 with a Unicode table")
    n = 512 if data[2] & 1 else 256
    table = struct.unpack_from("<%dH" % ((len(data) - 4 - n * HEIGHT) // 2), data, 4 + n * HEIGHT)
    glyph, sequence = 0, False
    for unit in table:
        if unit == 0xffff:
            glyph, sequence = glyph + 1, False
        elif unit == 0xfffe:
            sequence = True             # combining sequences follow: not for us
        elif not sequence:
            yield unit, data[4 + glyph * HEIGHT:4 + (glyph + 1) * HEIGHT]


def unifont(path):
    glyphs = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            code, bitmap = line.strip().split(":")
            glyphs[int(code, 16)] = bytes.fromhex(bitmap)
    return glyphs


def squeezed(glyph):
    """16 pixels a row to 8: each is lit if one of its two was."""
    rows = []
    for i in range(0, len(glyph), 2):
        row = glyph[i] << 8 | glyph[i + 1]
        rows.append(sum(1 << bit for bit in range(8) if row >> (2 * bit) & 3))
    return bytes(rows)


def kanji():
    for row in KANJI_ROWS:
        for cell in range(1, 95):
            try:
                yield ord(bytes([row + 0xa0, cell + 0xa0]).decode("euc_jp"))
            except UnicodeDecodeError:
                pass


def pages(glyphs, flag, first_index):
    """Pages of 64 characters, and the bitmaps behind each other."""
    table, bits = [], []
    for code in sorted(glyphs):
        first = code & ~63
        if not table or table[-1][0] != first:
            table.append([first, (first_index + len(bits)) | flag, 0])
        table[-1][2] |= 1 << (code & 63)
        bits.append(glyphs[code])
    return table, bits


def main(folder, hexfile):
    other = unifont(hexfile)
    narrow, wide = {}, {}
    files = sorted(glob.glob(f"{folder}/*-Terminus16.psf.gz"))
    if not files:
        sys.exit(f"mkscreenfont: no Terminus16 in {folder}")
    for path in files:
        for code, glyph in psf1(path):
            if any(first <= code <= last for first, last in TERMINUS):
                narrow.setdefault(code, glyph)
    for first, last in NARROW:
        for code in range(first, last + 1):
            if code in other:
                narrow.setdefault(code, squeezed(other[code]) if len(other[code]) == 2 * HEIGHT else other[code])
    for code in [c for first, last in WIDE for c in range(first, last + 1)] + list(kanji()):
        if len(other.get(code, b"")) == 2 * HEIGHT:
            wide[code] = other[code]
    replacement = narrow.pop(REPLACEMENT)       # its page has wide ones
    if len(replacement) != HEIGHT or not all(re.fullmatch(b"(?s).{16}", g) for g in narrow.values()):
        sys.exit("mkscreenfont: glyphs of the wrong size")
    table, bits = pages(narrow, 0, 1)
    more, wide_bits = pages(wide, 0x80000000, 0)
    table = sorted(table + more)
    if len({page[0] for page in table}) != len(table):
        sys.exit("mkscreenfont: narrow and wide characters in one page")
    out = sys.stdout.buffer
    out.write(struct.pack("<8sIIII", b"SKFONT1", len(table), 1 + len(bits), len(wide_bits), 0))
    for page in table:
        out.write(struct.pack("<IIQ", *page))
    out.write(replacement + b"".join(bits) + b"".join(wide_bits))


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
