"""
The supervisor: services that start when they are first used, and that are replaced when they no longer accept anything.
"""
import re


def state(m, name):
    line = re.search(rf"^{name} +(\S+) +(\S+) +(\d+)", m.run("cat svc://"), re.M)
    return line.group(2), int(line.group(3))


def test_first_use(booted, test_image):
    """It does not run until somebody opens its scheme; who does, simply waits for it."""
    with booted(image=test_image) as m:
        assert state(m, "lazy") == ("unused", 0)
        assert "lazy" not in m.run("ps")
        assert "no such path" in m.run("cat lazy://nothing")
        assert state(m, "lazy") == ("running", 0)
        m.run("svc stop lazy")
        assert state(m, "lazy")[0] == "stopped"
        m.run("svc start lazy")
        assert state(m, "lazy")[0] == "running"


def test_unused_survives_the_supervisor(booted, test_image):
    """A new initd waits for the first use as the last one did."""
    with booted(image=test_image) as m:
        m.run("put killer:// initd 1 50 100")
        m.run("sleep 1")
        assert state(m, "lazy") == ("unused", 0)
        assert "no such path" in m.run("cat lazy://nothing")
        m.run("put killer:// initd 1 50 100")
        m.run("sleep 1")
        assert state(m, "lazy") == ("running", 0)


def test_one_that_ends_in_order(booted, test_image):
    """It starts again when it is used, not before: for the command that it left, for the next one, and under the next initd."""
    with booted(image=test_image) as m:
        assert "no such path" in m.run("cat lazy://end")        # delivered again to the next instance, which answers
        assert state(m, "lazy") == ("running", 1)
        assert re.search(r"lazy \(pid \d+\) ended: exited with status 0; it starts again when it is used", m.run("log"))
        m.run("cat lazy://leave")
        for died in range(3):
            assert state(m, "lazy") == ("unused", 1)
            m.run("put killer:// initd 1 50 100")
            m.run("sleep 1")
        assert "no such path" in m.run("cat lazy://nothing")
        assert state(m, "lazy") == ("running", 2)


def test_one_that_faults_again_and_again(booted, test_image):
    """Though each instance has had a moment of peace: after ten in a row there are pauses, and then all is well again."""
    with booted(image=test_image) as m:
        for _ in range(4):
            m.run("; ".join(["put killer:// rngd 1 0 10 fault; sleep 0.03; put killer:// turn"] * 5), timeout=60)
        assert re.search(r"rngd \(pid \d+\) ended: .*; starting it again in 100 ms", m.run("log"))
        assert state(m, "rngd")[1] >= 15
        assert m.run("hexdump -n 4 rng://").startswith("00000000  ")
        m.run("sleep 0.7; put killer:// rngd 1 0 10 fault; sleep 0.2")
        assert re.findall(r"rngd \(pid \d+\) ended: .*", m.run("log"))[-1].endswith("starting it again")


def test_initd_that_faults_again_and_again(booted, test_image):
    """Neither does initfsd execute it more than ten times without a pause, though each had come up."""
    with booted(image=test_image) as m:
        services = m.run("svc")
        for _ in range(5):
            m.run("; ".join(["put killer:// initd 1 0 10 fault; sleep 0.02; cat svc://rngd >null://"] * 4), timeout=90)
        ends = re.findall(r"initd \(pid \d+\) ended: .*; (starting it again.*)", m.run("log"))
        assert "starting it again in 100 ms" in ends and set(ends[:8]) == {"starting it again"}, ends
        assert m.run("svc") == services


def test_one_that_hangs_is_replaced(booted, test_image):
    """An endless loop in a service ends by its missed heartbeat; the request that it had is answered by the next one."""
    with booted(image=test_image) as m:
        assert "no such path" in m.run("cat lazy://hang", timeout=60)
        assert state(m, "lazy") == ("running", 1)
        text = m.run("log")
        assert re.search(r"lazy \(pid \d+\) has not accepted anything for \d+ ms", text)
        assert re.search(r"lazy \(pid \d+\) ended: killed: no heartbeat", text)
        m.run("sleep 3")            # nobody else was taken for dead
        assert len(re.findall("has not accepted", m.run("log"))) == 1
