"""What connect asks of the pod that it reaches: a proof, a little patience, and no passwords."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.cluster.api import until
from tests.cluster.families import IPV4
from tests.cluster.sshd_log import most_within
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

ESTABLISHED = "01"  # include/net/tcp_states.h


@pytest.mark.parametrize("via", ["nodeport", "tunnel"])
def test_connect_leaves_no_trace_in_the_pod(desk: Desk, via: str) -> None:
    """Not its script, which looks for connections, and none of these."""
    desk.ns.pod("dev")
    before = processes(desk)
    desk.connect("dev", "--via", via)
    until("the end of what connect started", lambda: processes(desk) == before, timeout_s=10)
    until("the end of its connections", lambda: not sessions(desk), timeout_s=10)


def test_proof_by_a_connection(desk: Desk) -> None:
    """The image's host key proves no pod. Whoever is connected already is told apart."""
    desk.ns.pod("dev")
    first = desk.connect("dev")
    master = desk.laptop.popen(["ssh", "-o", "BatchMode=yes", "-N", first["host"]])
    try:
        until("a session", lambda: bool(sessions(desk)), timeout_s=20)
        again = desk.connect("dev")
    finally:
        master.kill()
        master.wait(timeout=10)
    assert [done["proof"] for done in (first, again)] == ["connection", "connection"]


def test_proof_of_a_pod_with_keys_of_its_own(desk: Desk) -> None:
    """They may have been copied there, as from a Secret: the connection is looked for as well."""
    desk.ns.pod("dev", host_keys="own")
    assert desk.connect("dev")["proof"] == "connection"


def test_openssh_10_does_not_punish(desk: Desk, trixie: Literal["trixie"]) -> None:
    """Three connects in a row, each with a login at once, and its PerSourcePenalties stay away."""
    desk.ns.pod("dev", image=trixie, verbose=True)
    for _ in range(3):
        done = desk.connect("dev")
        assert done["proof"] == "connection"
        assert desk.ssh(done["host"], "hostname") == "dev"
    told = [line for line in desk.ns.log("dev").splitlines() if "penalty" in line]
    assert all("deferred penalty" in line for line in told), told  # it counts, and does not act
    outcomes = [each.outcome for each in desk.ns.connections("dev")]
    assert outcomes.count("authenticated") == 3
    assert "dropped" not in outcomes


def test_a_connect_knocks_three_times_at_most(desk: Desk) -> None:
    """Where two addresses lead to the one sshd."""
    desk.cluster.use("orbstack")
    desk.ns.pod("dev", verbose=True)
    desk.connect("dev")
    assert 1 <= most_within(desk.ns.unauthenticated_s("dev"), 10) <= 3


def test_passwords_before_the_internet(desk: Desk) -> None:
    """A public node and an sshd that takes passwords: nothing is opened, unless it is asked for."""
    desk.cluster.use("public")
    desk.ns.pod("dev", passwords=True)
    error, hint = desk.refused("dev").splitlines()
    assert error == (
        f"error: a NodePort of pod dev may be open to everyone at {IPV4.external}, and its ssh "
        "server takes passwords, so none was opened"
    )
    assert "--via tunnel" in hint
    assert "--via nodeport" in hint

    tunnel = desk.connect("dev", "--via", "tunnel")
    assert tunnel["via"] == "tunnel"
    assert desk.services() == []
    assert desk.ssh(tunnel["host"], "hostname") == "dev"

    opened = desk.connect("dev", "--via", "nodeport")
    assert (opened["via"], opened["address"]) == ("nodeport", IPV4.external)
    assert desk.ssh(opened["host"], "hostname") == "dev"


@pytest.mark.parametrize(("answer", "code", "opened"), [("n", 1, 0), ("y", 0, 1)])
def test_passwords_before_the_internet_on_a_terminal(
    desk: Desk, answer: str, code: int, opened: int
) -> None:
    """There it is a question, asked before anything is opened."""
    desk.cluster.use("public")
    desk.ns.pod("dev", passwords=True)
    with desk.terminal("connect", "dev") as terminal:
        terminal.wait_for("passwords. Open it?")
        assert desk.services() == []
        assert terminal.answer(answer) == code
    assert len(desk.services()) == opened


def test_who_may_come_in_by_the_forwarder(desk: Desk) -> None:
    """Docker Desktop's listens at the laptop's own address too, OrbStack's does not."""
    desk.ns.pod("dev")
    for profile, told in (("docker-desktop", True), ("orbstack", False)):
        desk.cluster.use(profile)
        done = desk.connect("dev")
        assert done["address"] == "127.0.0.1"
        beyond = f"port {done['port']} is open on this machine's address {IPV4.cable_laptop} too"
        assert any(note.startswith(beyond) for note in done["notes"]) == told
        again = desk.nodeport("connect", "dev")
        assert "nothing changed" in again.stdout
        assert beyond not in again.stderr


def processes(desk: Desk) -> set[str]:
    """The pod's processes by number and name, less the one that tells them."""
    own = "[ $p = /proc/$$ ] ||"
    tell = "{ read name <$p/comm; echo $p $name; }"
    told = inside(desk, f"for p in /proc/[0-9]*; do {own} {tell}; done")
    return set(told.splitlines())


def sessions(desk: Desk) -> list[str]:
    """Who is connected to the pod's port 22."""
    rows = inside(desk, "cat /proc/net/tcp /proc/net/tcp6").splitlines()
    fields = [row.split() for row in rows]
    return [f[2] for f in fields if f[1].endswith(":0016") and f[3] == ESTABLISHED]


def inside(desk: Desk, script: str) -> str:
    """What a script in the pod prints."""
    command = ("exec", "-n", desk.ns.name, "dev", "--", "sh", "-c", script)
    return desk.cluster.kubectl(*command)


def test_into_the_tunnel_and_back(desk: Desk) -> None:
    """Of the tunnel nothing stays in the entry; of the NodePort it is told that it stays open."""
    desk.ns.pod("dev")
    desk.connect("dev")
    plain = desk.config.read_text()
    tunnel = desk.connect("dev", "--via", "tunnel")
    stays = "stays open; remove it with: kubectl nodeport delete dev"
    assert any(stays in note for note in tunnel["notes"])
    assert "  ProxyCommand /" in desk.config.read_text()
    assert desk.ssh(tunnel["host"], "hostname") == "dev"
    again = desk.connect("dev")
    assert (again["via"], again["sshConfig"]["change"]) == ("tunnel", "unchanged")
    desk.connect("dev", "--via", "nodeport")
    assert desk.config.read_text() == plain
