"""pytest reads this first: the fixtures are in tests/lib/fixtures.py."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

# pylint: disable=wildcard-import,unused-wildcard-import,wrong-import-position
from fixtures import *  # noqa: E402,F401,F403
