"""
The campaigns at length: a thousand kills, and as many crashes, spread over every service under twenty clients (tests/lib/campaign.py).
CAMPAIGN_SEED repeats a run.
"""
import os
import time

import pytest
from campaign import VICTIMS, account, campaign, check_log, same_account


@pytest.mark.parametrize("spread_us, how, times", [(10000, "", 1000), (1000, "", 1000), (300, "", 300), (10000, "crash", 1000)])
def test_campaign(booted, build, spread_us, how, times):
    """At 300 us they die again and again while they recover."""
    seed = int(os.environ.get("CAMPAIGN_SEED", time.time_ns() % 1000000))
    print(f"CAMPAIGN_SEED={seed}")          # shown when it fails
    # acpid takes crashes in a row for the tables' fault, and says that it does without them
    victims = [name for name in VICTIMS if name != "acpid" or not how]
    with booted(image=build / "test" / "esp.img") as m:
        campaign(m, 20, seed + 1, spread_us, how, victims)
        before = account(m)
        campaign(m, times, seed, spread_us, how, victims, timeout=3600)
        check_log(m)
        same_account(m, before)
