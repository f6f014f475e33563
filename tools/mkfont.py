#!/usr/bin/python3
"""Makes the kernel's font from a console font: mkfont.py FONT.psf.gz > font.c

Reads PSF version 1 or 2 with its Unicode table, 8 pixels wide and 16 high, and writes the Latin-1
characters as `const uint8_t font8x16[256][16]` (one byte a row, leftmost pixel in bit 7). A character
the font lacks gets the glyph of '?'; if that is lacking too, the font is refused.
"""
import gzip
import struct
import sys

HEIGHT = 16


def psf1(data):
    mode, height = data[2], data[3]
    n = 512 if mode & 1 else 256
    if height != HEIGHT or not mode & 6:
        sys.exit("mkfont: need 8x16 with a Unicode table")
    glyphs = [data[4 + i * HEIGHT:4 + (i + 1) * HEIGHT] for i in range(n)]
    table = struct.unpack_from("<%dH" % ((len(data) - 4 - n * HEIGHT) // 2), data, 4 + n * HEIGHT)
    chars, glyph, sequence = {}, 0, False
    for unit in table:
        if unit == 0xffff:
            glyph, sequence = glyph + 1, False
        elif unit == 0xfffe:
            sequence = True             # combining sequences follow: not for us
        elif not sequence:
            chars.setdefault(unit, glyph)
    return glyphs, chars


def psf2(data):
    header, flags, n, size, height, width = struct.unpack_from("<6I", data, 8)
    if (width, height, size) != (8, HEIGHT, HEIGHT) or not flags & 1:
        sys.exit("mkfont: need 8x16 with a Unicode table")
    glyphs = [data[header + i * size:header + (i + 1) * size] for i in range(n)]
    chars = {}
    for glyph, entry in enumerate(data[header + n * size:].split(b"\xff")[:n]):
        for char in entry.split(b"\xfe")[0].decode("utf-8"):
            chars.setdefault(ord(char), glyph)
    return glyphs, chars


def main(path):
    with gzip.open(path) as f:
        data = f.read()
    if data[:2] == b"\x36\x04":
        glyphs, chars = psf1(data)
    elif data[:4] == b"\x72\xb5\x4a\x86":
        glyphs, chars = psf2(data)
    else:
        sys.exit("mkfont: %s is no PSF font" % path)
    print("/* made from %s by tools/mkfont.py */" % path.rsplit("/", 1)[-1])
    print("#include <stdint.h>\nextern const uint8_t font8x16[256][%d];" % HEIGHT)
    print("const uint8_t font8x16[256][%d] = {" % HEIGHT)
    for code in range(256):
        if code < 0x20 or 0x7f <= code < 0xa0:
            continue
        rows = glyphs[chars[code] if code in chars else chars[ord("?")]]
        print("\t[0x%02x] = { %s }," % (code, ", ".join("0x%02x" % row for row in rows)))
    print("};")


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(sys.argv[1])
