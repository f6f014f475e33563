"""
The campaign of kills: every service dies again and again at instants that nobody chose, the first process and the supervisor among
them, while twenty programs read, write, rename, append and count. No program sees an error, whatever must happen once has happened
once, and the kernel's account is what it was. make soak runs more of it (tests/soak).

CAMPAIGN_SEED repeats a run.
"""
import os
import time

import pytest
from campaign import account, campaign, check_log, same_account

KILLS = 100


@pytest.fixture
def m(booted, build):
    image = build / "test" / "esp.img"
    if not image.exists():
        pytest.fail(f"{image} is not there: make TEST=1 first", pytrace=False)
    with booted(image=image) as machine:
        yield machine


@pytest.fixture
def seed():
    number = int(os.environ.get("CAMPAIGN_SEED", time.time_ns() % 1000000))
    print(f"CAMPAIGN_SEED={number}")        # shown when it fails
    return number


def test_kills(m, seed):
    campaign(m, 10, seed + 1)
    before = account(m)
    campaign(m, KILLS, seed)
    check_log(m)
    same_account(m, before)
