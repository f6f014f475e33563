"""
The chain of last resort: initfsd, which the kernel executes again, and initd, which initfsd executes again, are killed
like any other program. Nobody is given an error, what runs goes on running, svc:// says what it said before,
and the kernel's account is the same.
"""
import re
import time

import pytest
from account import at_rest, back_to, fill_screen
from fixtures import both_ways
from vm import plain

KILLS = 50
CHAIN = ("initfsd", "initd")


def pid_of(m, name):
    """Its number; it may be just about to end, and to be executed again."""
    for _ in range(100):
        hit = re.search(rf"^ *(\d+) {name} (?! *dying)", m.run("ps"), re.M)
        if hit:
            return int(hit.group(1))
        time.sleep(0.05)
    raise AssertionError(f"{name} does not run")


def kill(m, *names):
    """All of them in one line. Returns who they were."""
    pids = [pid_of(m, name) for name in names]
    assert m.run("kill " + " ".join(map(str, pids))) == ""
    return pids


def table(m):
    """svc:// as {name: (pid, state, restarts)}."""
    rows = re.findall(r"^(\S+) +(\d+|-) (\w+) +(\d+) ", m.run("svc"), re.M)
    return {name: (pid, state, int(count)) for name, pid, state, count in rows}


def restarts(m):
    return {name: count for name, (_, _, count) in table(m).items()}


def account(m):
    """With fresh instances of all, as after the last account: what an instance touches for the first time is no loss."""
    fill_screen(m)
    names = [name for name in table(m) if name != "sh"]
    m.run("svc kill " + " ".join(names))
    m.run("svc kill sh")
    for name in CHAIN:
        kill(m, name)
        pid_of(m, name)
    m.run("svc; ls initfs:///bin; cat acpi:// >null://")
    return at_rest(m)


def same_account(m, before):
    back_to(m, before, account)


def warmed_up(m):
    account(m)
    return account(m)


@pytest.mark.parametrize("names", [("initfsd",), ("initd",), CHAIN, CHAIN[::-1]], ids=" ".join)
def test_fifty_kills(machine, names):
    """One, or both in one line: what uses them sees nothing, and the services run on."""
    m = machine
    before = warmed_up(m)
    services, listing, hashes = table(m), m.run("ls initfs:///bin"), m.run("sha256sum initfs:///bin/sh")
    seen = set()
    for i in range(KILLS):
        seen.update(kill(m, *names))
        # Sometimes at once, sometimes when they have come to rest.
        if i % 5 == 0:
            time.sleep(0.12)
        assert m.run("ls initfs:///bin") == listing
        assert table(m) == services, "the same instances"
        if i % 10 == 0:
            assert m.run("sha256sum initfs:///bin/sh") == hashes
    assert len(seen) == KILLS * len(names), "each kill met another process"
    same_account(m, before)


@both_ways
def test_clients_in_the_background(machine):
    """Programs that read, list and start programs all the time, while both are killed: no read fails, nothing is wrong."""
    m = machine
    before = warmed_up(m)
    services = table(m)
    good = m.run("sha256sum initfs:///bin/sh").split()[0]
    rounds = 60
    for client in range(3):
        m.run(f"X{client}='sha256sum initfs:///bin/sh; ls initfs:///bin >null://; cat svc://rngd >null:// && echo round-{client}-done'")
        m.run(f'Y{client}="' + "; ".join([f"$X{client}"] * rounds) + '"')
    mark = len(m.log)

    def done(client):
        return plain(m.log[mark:]).count(f"round-{client}-done")

    for client in range(3):
        m.run(f'sh -c "$Y{client}" &')
    kills = 0
    while any(done(client) < rounds for client in range(3)):
        names = CHAIN if kills % 3 == 0 else CHAIN[kills % 2:][:1]
        m.run("kill " + " ".join(str(pid_of(m, name)) for name in names))
        kills += 1
    m.run("wait", timeout=120)
    text = plain(m.log[mark:])
    assert kills > 5
    assert [done(client) for client in range(3)] == [rounds] * 3
    assert text.count(good) == 3 * rounds and len(re.findall("[0-9a-f]{64}", text)) == 3 * rounds
    assert not re.search(r"\b(sh|cat|ls|sha256sum|kill|ps|svc): (?!exited with status 0)", text), "somebody was given an error"
    assert table(m) == services
    same_account(m, before)


def test_while_it_restarts_another(machine):
    """initd dies right after, or while, it starts rngd again: rngd is started once, and counted once."""
    m = machine
    before = warmed_up(m)
    begin = restarts(m)
    for i in range(KILLS // 2):
        if i % 2:
            assert m.run(f"svc kill rngd; kill {pid_of(m, 'initd')}") == ""
        else:
            rngd, initd = pid_of(m, "rngd"), pid_of(m, "initd")
            assert m.run(f"kill {rngd} {initd}") == ""
        assert m.run("hexdump -n 4 rng://").startswith("00000000  ")
    wanted = dict(begin, rngd=begin["rngd"] + KILLS // 2)
    for _ in range(50):
        if restarts(m) == wanted:
            break
        time.sleep(0.1)
    assert restarts(m) == wanted
    same_account(m, before)


def test_what_was_asked_for_stays(machine):
    """A stopped service is still stopped under the next initd; it starts when asked to; power-off works after all that."""
    m = machine
    assert m.status_of("svc stop rngd")[1] == 0
    stopped = table(m)
    assert stopped["rngd"][1] == "stopped"
    kill(m, *CHAIN)
    pid_of(m, "initd")
    assert table(m) == stopped
    assert m.status_of("hexdump -n 4 rng://")[1] != 0
    assert m.status_of("svc start rngd")[1] == 0
    assert m.run("hexdump -n 4 rng://").startswith("00000000  ")
    count = restarts(m)["rngd"]
    kill(m, "initd")
    assert restarts(m)["rngd"] == count
    m.sendline("poweroff")
    assert m.wait_end() == 0


# ---- the test build: initd ended at every single step ----

def every_step(m, limit, scenario):
    """
    scenario() with initd ended at its first step, its second ... until it has fewer. Each time the same must come
    of it. Returns how many there were.
    """
    for n in range(1, limit):
        first = pid_of(m, "initd")
        assert m.run(f"echo die {n} >svc://") == ""
        scenario()
        if pid_of(m, "initd") == first:
            m.run("echo die 0 >svc://")
            return n - 1
    raise AssertionError(f"more than {limit} steps")


@pytest.mark.parametrize("request_", ["kill", "restart"])
def test_ended_at_every_step_of_a_restart(booted, test_image, request_):
    with booted(image=test_image) as m:
        def scenario():
            begin = table(m)["rngd"]
            assert m.run(f"svc {request_} rngd") == ""
            assert m.run("hexdump -n 4 rng://").startswith("00000000  ")
            now = table(m)["rngd"]
            assert now[1] == "running" and now[0] != begin[0]
            assert now[2] == begin[2] + 1, "one more instance, no matter who saw it end"

        scenario()
        before = warmed_up(m)
        assert every_step(m, 200, scenario) > 15
        same_account(m, before)


def test_ended_at_every_step_of_stop_and_start(booted, test_image):
    with booted(image=test_image) as m:
        def scenario():
            assert m.run("svc stop rngd") == ""
            assert table(m)["rngd"][1] == "stopped"
            assert m.run("svc start rngd") == ""
            assert table(m)["rngd"][1] == "running"
            assert m.run("hexdump -n 4 rng://").startswith("00000000  ")

        before = warmed_up(m)
        assert every_step(m, 200, scenario) > 15
        same_account(m, before)


def test_ended_at_every_step_of_taking_over(booted, test_image):
    """
    initd dies while it takes over from one that died. Its table may grow by the handles of two instances, once: that
    is no loss, so it happens before the account.
    """
    with booted(image=test_image) as m:
        services = table(m)

        def die_at(steps):
            for n in steps:
                assert m.run(f"echo die {n} >svc://") == ""
                kill(m, "initd")
                assert table(m) == services, f"ended at step {n}"
                assert m.run("echo die 0 >svc://") == ""

        die_at(range(1, 40, 2))
        before = warmed_up(m)
        services = table(m)
        die_at(range(1, 40))
        same_account(m, before)


@pytest.mark.parametrize("name, spread_us", [("initd", 3000), ("initd", 40000), ("initfsd", 3000), ("initfsd", 40000)])
def test_ended_in_the_middle(booted, test_image, name, spread_us):
    """Killed at instants that nobody can foresee, by a program above all services, while clients use both."""
    with booted(image=test_image) as m:
        def scenario(kills):
            m.run(f"put killer:// {name} {kills} 0 {spread_us}")
            for _ in range(600):
                assert m.run("ls initfs:///sbin") == listing
                assert table(m) == services, "nobody else was started again"
                if m.run("cat killer://").split()[0] == "0":
                    return
            raise AssertionError("the killer does not come to its end")

        listing, services = m.run("ls initfs:///sbin"), table(m)
        scenario(20)
        before = warmed_up(m)
        services = table(m)
        first = pid_of(m, name)
        scenario(KILLS)
        assert pid_of(m, name) >= first + KILLS
        same_account(m, before)
