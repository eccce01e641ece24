"""DRAFT, never run: becomes tests/e2e/test_with_sshd.py. --with-sshd on the real cluster."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import Desk
from tests.e2e.test_host_keys import pinned

pytestmark = pytest.mark.cluster


def processes(desk: Desk, pod: str) -> str:
    script = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ls -d /tmp/nodeport-sshd-* 2>/dev/null"
    return desk.cluster.kubectl("exec", "-n", desk.ns.name, pod, "--", "sh", "-c", script)


def test_openssh_that_is_not_started(anywhere: Desk) -> None:
    desk = anywhere
    desk.ns.pod("dev", runs="nothing")
    assert "--with-sshd" in desk.refused("dev")
    done = desk.connect("dev", "--with-sshd")
    assert (done["hostKeysFrom"], done["containerPort"]) == ("exec", 20022)
    assert desk.ssh(done["host"], "hostname") == "dev"
    again = desk.connect("dev")
    assert (again["sshConfig"]["change"], again["service"]["change"]) == ("unchanged", "unchanged")
    desk.nodeport("disconnect", "dev")
    desk.assert_nothing_left(but_backups=True)
    assert "nodeport-sshd" not in re.sub(r"cat .*", "", processes(desk, "dev"))


def test_through_the_api_server(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing")
    done = desk.connect("dev", "--with-sshd", "--via", "tunnel")
    assert desk.ssh(done["host"], "hostname") == "dev"
    assert desk.services() == []


def test_restarted_container(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing", command=["sh", "-c", "sleep infinity & wait"])
    done = desk.connect("dev", "--with-sshd")
    before = desk.config.read_text()
    desk.cluster.kubectl("exec", "-n", desk.ns.name, "dev", "--", "sh", "-c", "kill 1")
    # await the restart (containerStatuses[0].restartCount == 1 and running), then:
    left = desk.nodeport("sync")
    assert left.returncode == 1
    assert "the ssh server that connect brought is gone" in left.stderr
    again = desk.connect("dev")
    assert pinned(again) == pinned(done)
    assert desk.config.read_text() == before
    assert desk.ssh(done["host"], "hostname") == "dev"


def test_second_container(desk: Desk) -> None:
    """OpenSSH in the one, ours in the other."""
    desk.ns.pod("dev", tool=True)
    done = desk.connect("dev", "-c", "tool", "--with-sshd", "--port", "2222", "--name", "tool")
    assert desk.ssh(done["host"], "hostname") == "dev"


def test_no_shell(desk: Desk) -> None:
    desk.ns.pod("dev", shell=False)  # port 22 listens: give another
    refused = desk.refused("dev", "--with-sshd", "--port", "2222")
    assert "there is no shell in container main" in refused
