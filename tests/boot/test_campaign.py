"""
The campaign of kills: every service dies again and again at instants that nobody chose, the first process and the supervisor among
them, while twenty programs read, write, rename, append and count. No program sees an error, whatever must happen once has happened
once, and the kernel's account is what it was. make soak runs more of it (tests/soak).

CAMPAIGN_SEED repeats a run.
"""
import os
import time

import pytest
from campaign import account, all_run, campaign, check_log, same_account, services
from fixtures import both_ways
from vm import plain

KILLS = 100


@pytest.fixture
def m(booted, test_image, smp):
    with booted(image=test_image, smp=smp) as machine:
        yield machine


@pytest.fixture
def seed():
    number = int(os.environ.get("CAMPAIGN_SEED", time.time_ns() % 1000000))
    print(f"CAMPAIGN_SEED={number}")        # shown when it fails
    return number


@both_ways
def test_kills(m, seed):
    campaign(m, 10, seed + 1)
    before = account(m)
    campaign(m, KILLS, seed)
    check_log(m)
    same_account(m, before)


@pytest.mark.parametrize("how", [1, 2], ids=["store", "assertion"])
def test_poison(m, how):
    """
    A request that its service dies of is answered ERR_POISONED after three deaths; those parked beside it wait on through all of
    that and any number of kills, and are answered.
    """
    begin = services(m)["counterd"][1]
    for i in range(5):
        m.run(f"crowd await {10 + i} 3 &")
    assert "count://1 answers ERR_POISONED" in m.run(f"crowd die 1 {how}", timeout=60)
    all_run(m)
    assert services(m)["counterd"][1] == begin + 3
    m.run("svc kill counterd counterd counterd counterd counterd")
    assert m.run("put count://1 2; cat count://1") == "2\n"
    mark = len(m.log)
    for i in range(5):
        m.run(f"put count://{10 + i} 3")
    m.run("wait", timeout=60)
    text = plain(m.log[mark:])
    for i in range(5):
        assert f"count://{10 + i} answers OK, 3" in text, text
