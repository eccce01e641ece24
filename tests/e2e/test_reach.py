"""connect where NodePorts answer elsewhere, late or not at all: a row for each environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.families import IPV4
from tests.cluster.foreign import ForeignSshd
from tests.cluster.profiles import PROFILES
from tests.cluster.sshd_log import most_within
from tests.e2e.conftest import SHORT, Desk

pytestmark = pytest.mark.cluster

LOOPBACK = "127.0.0.1"
_GENEROUS_S = 40


@dataclass(frozen=True, slots=True)
class Row:
    """How connect has to end in one environment."""

    profile: str
    at: str | None
    """The address in the Host entry, or several with a bar between; None is the tunnel."""
    others: Mapping[str, str] = field(default_factory=dict)
    """How every other candidate fared, several possible ways with a bar between."""
    remedy: str = ""
    """Part of what is told to do about it, where nothing answered."""
    words: tuple[str, ...] = ()
    """More flags for connect."""


UNTIL_ANOTHER_ANSWERED = "refused|not-tried"
ANYTHING = "answered|refused|timed-out|not-tried"
ROWS = (
    Row("lan", IPV4.node, {LOOPBACK: UNTIL_ANOTHER_ANSWERED}),
    Row("firewall", None, {IPV4.node: "timed-out", LOOPBACK: "refused"}, "sudo ufw allow "),
    Row("reject", None, {IPV4.node: "unreachable", LOOPBACK: "refused"}, "ip route get ", SHORT),
    Row("reset", None, {IPV4.node: "closed", LOOPBACK: "refused"}, "sudo ufw allow ", SHORT),
    Row("no-route", None, {IPV4.node: "unreachable", LOOPBACK: "refused"}, "ip route get ", SHORT),
    Row("blackhole", None, {IPV4.node: "unreachable", LOOPBACK: "refused"}, "ip route get ", SHORT),
    Row("public", IPV4.external, {IPV4.node: "timed-out", LOOPBACK: UNTIL_ANOTHER_ANSWERED}),
    Row(
        "filtered-external",
        IPV4.node,
        {IPV4.external: "timed-out|not-tried", LOOPBACK: UNTIL_ANOTHER_ANSWERED},
    ),
    Row("second-node", IPV4.cable_node, {IPV4.node: "timed-out", LOOPBACK: "refused"}),
    Row("docker-desktop", LOOPBACK, {IPV4.node: "timed-out|not-tried"}),
    Row(
        "docker-desktop-kind",
        None,
        {IPV4.node: "timed-out", LOOPBACK: "refused"},
        "sudo ufw allow ",
        SHORT,
    ),
    # Both answer. 127.0.0.1 is asked first; on a busy machine the other may be faster all the same.
    Row("orbstack", f"{LOOPBACK}|{IPV4.node}", dict.fromkeys((LOOPBACK, IPV4.node), ANYTHING)),
)
# On nodes with the names that the real ones have.
KIND = Row(
    "docker-desktop-kind",
    None,
    {IPV4.node: "timed-out", LOOPBACK: "refused"},
    "extraPortMappings",
    SHORT,
)
LATE = Row("late-forwarder", LOOPBACK, {IPV4.node: "timed-out"})
HOLLOW = Row(
    "hollow-forwarder",
    None,
    {IPV4.node: "timed-out", LOOPBACK: "closed"},
    "rdctl shutdown, then rdctl start",
    SHORT,
)


@pytest.fixture(scope="module")
def shared(cluster: Cluster) -> Iterator[Desk]:
    """One pod for all rows; its host keys are the image's, and its sshd takes no passwords."""
    cluster.reset_home()
    with cluster.namespace() as ns:
        ns.pod("dev", passwords=False)
        yield Desk(cluster, ns)


@pytest.fixture
def row_desk(shared: Desk) -> Iterator[Desk]:
    """The shared pod, without a rule and an entry before and after."""
    yield shared
    forget(shared)


def test_every_profile_has_its_row() -> None:
    rows = {row.profile for row in (*ROWS, KIND, LATE, HOLLOW)}
    assert rows == PROFILES.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.profile)
def test_profile(row_desk: Desk, row: Row) -> None:
    """The address that answers, else the tunnel; ssh works, and each candidate had its say."""
    row_desk.cluster.use(row.profile)
    check(row_desk, row)


def test_kind(kind_cluster: Cluster) -> None:
    """A kind node forwards nothing: the tunnel, and what kind itself has for that.

    The kernel is the machine's own, not Docker Desktop's, so it is told as kind on Linux.
    """
    kind_cluster.use(KIND.profile)
    kind_cluster.reset_home()
    with kind_cluster.namespace() as ns:
        ns.pod("dev", passwords=False)
        desk = Desk(kind_cluster, ns)
        check(desk, KIND)
        forget(desk)
        told = desk.refused("dev", "--via", "nodeport", *SHORT)
        assert f"{IPV4.node}: no reply" in told
        assert f"{LOOPBACK}: connection refused" in told
        assert KIND.remedy in told.splitlines()[1]


def test_no_route_is_an_error_via_nodeport(row_desk: Desk) -> None:
    row_desk.cluster.use("no-route")
    error, hint = row_desk.refused("dev", "--via", "nodeport", *SHORT).splitlines()
    assert "is open, but answers at no address from here; tried" in error
    assert f"{IPV4.node}: not reachable from here (No route to host) (the pod's node" in error
    assert f"{LOOPBACK}: connection refused" in error
    assert f"ip route get {IPV4.node}; more: kubectl nodeport doctor pod/dev" in hint


def test_late_forwarder(lima_cluster: Cluster) -> None:
    """It is waited for without being asked to, and the pod's sshd hears little of it."""
    lima_cluster.use(LATE.profile)
    lima_cluster.reset_home()
    with lima_cluster.namespace() as ns:
        ns.pod("dev", verbose=True)
        desk = Desk(lima_cluster, ns)
        check(desk, LATE)
        knocks_s = ns.unauthenticated_s("dev")
        assert 1 <= most_within(knocks_s, 10) <= 3


def test_hollow_forwarder(lima_cluster: Cluster) -> None:
    """A connection that is accepted and closed is no answer."""
    lima_cluster.use(HOLLOW.profile)
    lima_cluster.reset_home()
    with lima_cluster.namespace() as ns:
        ns.pod("dev")
        check(Desk(lima_cluster, ns), HOLLOW)


@pytest.mark.parametrize(
    ("keys", "verdict"), [("own", "other-host-key"), ("image", "other-pod")], ids=["own", "image"]
)
def test_another_clusters_sshd(row_desk: Desk, keys: Literal["own", "image"], verdict: str) -> None:
    """It holds the NodePort on 127.0.0.1: it is passed over, whosever key it shows."""
    desk = row_desk
    desk.cluster.use("orbstack")
    before = desk.connect("dev")
    forget(desk)
    with desk.cluster.foreign_sshd(before["port"], keys) as foreign:
        refusal = expected_refusal(before, foreign, keys)
        done = check(desk, Row("orbstack", IPV4.node, {LOOPBACK: verdict}))
        assert done["port"] == foreign.port
        forget(desk)
        assert re.fullmatch(refusal, desk.refused("dev", "--address", LOOPBACK))

        desk.cluster.use("docker-desktop")
        nobody = {LOOPBACK: verdict, IPV4.node: "timed-out"}
        check(desk, Row("docker-desktop", None, nobody, words=SHORT))
        assert f"port {foreign.port}: " in desk.cluster.forwarder_errors()
        forget(desk)
        assert re.fullmatch(refusal, desk.refused("dev", "--via", "nodeport", *SHORT))
        assert {each.outcome for each in foreign.connections()} == {"unauthenticated"}


def expected_refusal(pod: Mapping[str, Any], foreign: ForeignSshd, keys: str) -> str:
    """A pattern for an error that says why what answers at 127.0.0.1 is not the pod."""
    if keys == "image":
        return (
            f"error: what answers at NodePort {foreign.port} has pod dev's host key and is another;"
            r" tried 127\.0\.0\.1: an ssh server with the pod's host key, but no connection to it "
            r"arrives in the pod \(.*\n"
            r"hint: another cluster may have that port .*: take another, with --node-port\n"
        )
    own = ", ".join(key["fingerprint"] for key in pod["hostKeys"])
    theirs = "|".join(map(re.escape, foreign.fingerprints))
    return (
        f"error: what answers at NodePort {foreign.port} is not pod dev: its host key is another's "
        rf"than the pod's \({re.escape(own)}\); "
        rf"tried 127\.0\.0\.1: another ssh server, its host key is ({theirs}) \(.*\n"
        r"hint: .*; or another server holds the port here: take another, with --node-port\n"
    )


def check(desk: Desk, row: Row) -> dict[str, Any]:
    """Connect and log in as the row has it; connect's JSON."""
    done = desk.connect("dev", *row.words, timeout_s=_GENEROUS_S)
    assert desk.ssh(done["host"], "hostname") == "dev"
    fared = {each["address"]: each["result"] for each in done["candidates"]}
    at = done["address"]
    assert at in (row.at.split("|") if row.at else [None])
    others = {address: fared[address] for address in fared if address != at}
    assert others.keys() == row.others.keys() - {at}
    for address, verdict in others.items():
        assert verdict in row.others[address].split("|"), (address, verdict)
    assert done["via"] == ("nodeport" if at else "tunnel")
    if at:
        assert fared[at] == "answered"
        assert done["proof"] == "connection"
    else:
        assert desk.services() == []
        assert done["service"] is None
        check_notes(done, row)
    return done


def check_notes(done: Mapping[str, Any], row: Row) -> None:
    """The tunnel is told: what each candidate said, what would mend that, and what became of it."""
    failures, remedy, outcome = (note for note in done["notes"] if "for VS Code" not in note)
    for each in done["candidates"]:
        assert f"{each['address']}: {each['detail']} ({each['reason']})" in failures
    assert remedy.startswith("what may mend that: ")
    assert row.remedy in remedy
    assert outcome == "the host goes through the API server instead; no NodePort stays open"


def forget(desk: Desk) -> None:
    """Take the rule and the entry away, as if nobody had ever connected."""
    if desk.services():
        done = desk.nodeport("delete", "dev", "--all")
        assert done.returncode == 0, done.stderr
    desk.config.unlink(missing_ok=True)
    for known in desk.config.parent.glob("kubectl-nodeport/*"):
        known.unlink()
