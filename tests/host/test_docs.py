"""docs/: what a page shows of the tree is what the tree holds, and every file that it names is there."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(p.relative_to(ROOT) for p in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("sbin/*/README.md")])
ROOMS = "abi|bin|docs|efiloader|esp|initfs|kernel|lib|sbin|tests|tools"
INCLUDES = [ROOT, ROOT / "abi/include", ROOT / "kernel/include", ROOT / "efiloader/include"]
TALLYD = "tests/system/tallyd/main.c"


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)


def test_the_example_service_is_what_is_built_and_tested():
    (listing,) = blocks("docs/ipc.md", "c")
    assert listing == (ROOT / TALLYD).read_text(), f"the listing in docs/ipc.md is not {TALLYD}"
    assert len(listing.splitlines()) <= 60, "a service of 60 lines"


def test_its_manifest_too():
    (listing,) = blocks("docs/ipc.md", "ini")
    assert listing == (ROOT / "tests/system/initfs/etc/services/tallyd").read_text()


def test_how_a_command_lives_is_two_pages():
    text = (ROOT / "docs/ipc.md").read_text().split("\n## ")[0]
    assert len(text.splitlines()) <= 2 * 60


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_named_are_there(page):
    """Words in backquotes or bare that look like a path from the root of the tree; NAME and * stand for anything."""
    text = (ROOT / page).read_text()
    missing = []
    for path in re.findall(rf"(?<![\w/.:$-])((?:{ROOMS})/[\w./*{{}},-]*[\w/*}}])", text):
        names = re.sub(r"\b[A-Z]+\b", "*", path) if not path.endswith(".md") else path
        braces = re.fullmatch(r"(.*)\{(.*)\}(.*)", names)
        for one in [braces[1] + x + braces[3] for x in braces[2].split(",")] if braces else [names]:
            if not any(list(room.glob(one.rstrip("/"))) for room in INCLUDES):
                missing.append(one)
    assert not missing, f"{page} names what is not there: {missing}"
