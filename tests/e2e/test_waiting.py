"""What connect tells while it waits, on a terminal and elsewhere."""

from __future__ import annotations

import contextlib
import os
import re
import select
import time

import pytest

from tests.e2e.conftest import Desk
from tests.posix import pseudo_terminal

pytestmark = pytest.mark.cluster

WAITING = re.compile(r"waiting for kube-proxy to open port ([0-9]+) on ([0-9.]+)")


def connecting(desk: Desk, *words: str) -> list[str]:
    """To where nothing will ever answer."""
    more = ("--via", "nodeport", "--timeout", "3s", *words)
    return ["kubectl", "nodeport", "connect", "dev", "-n", desk.ns.name, *more]


@pytest.fixture
def lost(desk: Desk) -> Desk:
    """A desk from which no NodePort of the pod dev is reached."""
    desk.cluster.use("reject")
    desk.ns.pod("dev")
    return desk


def test_lines_that_stay_where_there_is_no_terminal(lost: Desk) -> None:
    done = lost.type(*connecting(lost))
    assert (done.returncode, done.stdout) == (1, "")
    *steps, error, hint = done.stderr.splitlines()
    assert len([one for one in steps if WAITING.fullmatch(one)]) >= 1, steps
    assert len(steps) == len(set(steps))
    assert all(one.startswith(("waiting for ", "asking ", "writing ")) for one in steps)
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")


def test_quiet(lost: Desk) -> None:
    done = lost.type(*connecting(lost, "-q"))
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]


def test_a_line_that_goes_away_on_a_terminal(lost: Desk) -> None:
    """kubectl passes it on to its plugin. What stays is as without it."""
    master, slave = pseudo_terminal()
    process = lost.laptop.popen(
        connecting(lost), stderr=slave, env={"TERM": "xterm-256color", "NO_COLOR": "1"}
    )
    os.close(slave)
    drawn = ""
    try:
        deadline = time.monotonic() + 60
        with contextlib.suppress(OSError):  # EIO, once nobody has the terminal any more
            while select.select([master], [], [], max(0, deadline - time.monotonic()))[0]:
                drawn += os.read(master, 65536).decode()
        assert process.wait(timeout=10) == 1
    finally:
        process.kill()
        process.wait(timeout=10)
        os.close(master)
    assert WAITING.search(drawn), drawn
    assert not re.search("\x1b\\[[0-9;]*3[0-9]m", drawn), "NO_COLOR counts"
    stays = drawn[drawn.rindex("\x1b[?25h") :]
    assert re.search("\x1b\\[2Kerror: NodePort [0-9]+ of pod dev", stays), stays
