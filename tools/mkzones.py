#!/usr/bin/python3
"""Makes the table of time zones: mkzones.py ZONEINFO > zones

ZONEINFO is the folder of the package tzdata. One line a zone: its name, and the TZ string that holds from now on, which is the last line
of its file (RFC 8536 section 3.3). The zones are those of zone.tab, which has one for each country and rule, and UTC. A zone
whose string Skerry could not keep (lib/tz/tz.h) is refused.
"""
import pathlib
import re
import sys

TEXT_MAX = 63       # TZ_TEXT and ZONE_NAME of lib/tz, without their zeros
NAME_MAX = 47
ABBREVIATION = r"([A-Za-z]{3,15}|<[A-Za-z0-9+-]{3,15}>)"


def footer(path):
    data = path.read_bytes()
    if data[:4] != b"TZif" or data[4:5] < b"2" or data[-1:] != b"\n":
        sys.exit(f"mkzones: {path} is no TZif file of version 2 or later")
    return data[:-1].rpartition(b"\n")[2].decode("ascii")


def main(folder):
    folder = pathlib.Path(folder)
    table = (folder / "zone.tab").read_text(encoding="utf-8").splitlines()
    names = sorted({line.split("\t")[2] for line in table if line and line[0] != "#"} | {"UTC"})
    for name in names:
        text = footer(folder / name)
        if not re.match(ABBREVIATION + r"[+-]?\d", text) or len(text) > TEXT_MAX or len(name) > NAME_MAX or not re.fullmatch("[A-Za-z0-9/_+-]+", name):
            sys.exit(f"mkzones: {name} has the TZ string {text!r}")
        print(name, text)


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(sys.argv[1])
