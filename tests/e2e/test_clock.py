#!/usr/bin/python3
"""The machine's clock stands still, goes back or runs ahead: versions keep their order."""

import time

from support import archives, tap
from support.check import check, equal
from support.paths import run
from support.server import Server
from support.tap import test

FAKETIME = "/usr/$LIB/faketime/libfaketimeMT.so.1"  # the loader puts the library directory in
HOUR = 3600
YEAR = 365 * 24 * HOUR


def clock(fake):
    """What makes a server believe in another time; its timers go on as ever."""
    return {"LD_PRELOAD": FAKETIME, "FAKETIME": fake, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}


def restart(server, fake):
    for name in clock(""):
        server.more_env.pop(name, None)
    server.more_env.update(clock(fake) if fake else {})
    return server.restart().client()


def says(fake):
    """The seconds since 1970 that a program under such a clock sees."""
    return float(run("date", "+%s.%N", env={"PATH": "/usr/bin:/bin", **clock(fake)}).stdout)


def push(client, pushed):
    answer = client.push("Clocked", archives.numbered(len(pushed)), tag=f"v{len(pushed)}")
    pushed.append(answer)
    return answer.status.audit.spec_audit


def history(client):
    return client.versions("clocked", page_size=100).items


def in_order(client, pushed):
    """Newest first, each later than the one before, and `latest` is the last."""
    items = history(client)
    equal([v.number for v in items], list(range(len(pushed), 0, -1)))
    equal([v.version_hash for v in items], [p.status.version_hash for p in reversed(pushed)])
    times = [p.status.audit.spec_audit.updated_at.ToNanoseconds() for p in pushed]
    equal(times, sorted(set(times)))
    equal({p.status.audit.spec_audit.created_at.ToNanoseconds() for p in pushed}, {times[0]})
    latest = client.resolve("clocked")
    equal(latest.status.version_hash, pushed[-1].status.version_hash)
    equal(latest.spec.tag, pushed[-1].spec.tag)
    for n, version in enumerate(pushed):
        equal(client.by_tag("clocked", f"v{n}").status.version_hash, version.status.version_hash)


@test
def the_clock_of_the_tests_can_be_set():
    now = time.time()
    check(abs(says("-1h") - now + HOUR) < 60, "an hour back")
    check(abs(says("+10y") - now - 10 * YEAR) < 5 * 24 * HOUR, "ten years ahead, leap days among them")
    equal(says("2030-01-01 00:00:00"), says("2030-01-01 00:00:00"))


@test
def an_hour_back():
    pushed = []
    with Server() as server:
        first = push(server.client(), pushed)
        client = restart(server, "-1h")
        for _ in range(3):
            after = push(client, pushed)
            late = after.updated_at.ToNanoseconds() - first.updated_at.ToNanoseconds()
            check(0 < late < 1000, f"just after the last change: {late} ns")
        in_order(client, pushed)
        client = restart(server, None)
        push(client, pushed)
        in_order(client, pushed)


@test
def ten_years_ahead_and_back():
    pushed = []
    with Server() as server:
        push(server.client(), pushed)
        client = restart(server, "+10y")
        ahead = push(client, pushed)
        check(ahead.updated_at.ToSeconds() - time.time() > 9 * YEAR, "the clock was believed")
        in_order(client, pushed)
        client = restart(server, None)
        back = push(client, pushed)
        check(back.updated_at.ToNanoseconds() > ahead.updated_at.ToNanoseconds(), "time never goes back")
        in_order(client, pushed)
        client.move_tag("clocked", "v0", "moved")
        equal(client.by_tag("clocked", "moved").status.version_hash, pushed[0].status.version_hash)
        client.delete("platform/skill/clocked")
        again = client.push("Clocked", archives.numbered(100)).status.audit.spec_audit
        check(again.created_at.ToNanoseconds() > back.updated_at.ToNanoseconds(), "a new life is later")


@test
def frozen():
    pushed = []
    with Server(env=clock("2030-01-01 00:00:00")) as server:
        client = server.client()
        for _ in range(20):
            push(client, pushed)
        in_order(client, pushed)
        times = [p.status.audit.spec_audit.updated_at.ToNanoseconds() for p in pushed]
        equal(times, list(range(times[0], times[0] + len(times))))
        client = restart(server, "2030-01-01 00:00:00")
        push(client, pushed)
        in_order(client, pushed)


tap.run()
