"""connect over other networks than IPv4 from a laptop nearby, and what a tunnel outlives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest

from tests.cluster.api import until
from tests.cluster.cluster import Cluster
from tests.cluster.families import IPV4, IPV6
from tests.cluster.pods import Words
from tests.e2e.conftest import SHORT, Desk
from tests.e2e.test_rbac import documented, rules

pytestmark = pytest.mark.cluster


def test_dual_stack(dual_stack_cluster: Cluster) -> None:
    """IPv4 first; where it is silent, IPv6."""
    with desk_at(dual_stack_cluster, "lan") as desk:
        desk.ns.pod("dev")
        done = desk.connect("dev")
        assert done["address"] == IPV4.node
        assert desk.ssh(done["host"], "hostname") == "dev"
        given = desk.connect("dev", "--address", IPV6.node, "--host", "dev6")
        assert given["address"] == IPV6.node
        assert desk.ssh("dev6", "hostname") == "dev"
        desk.config.unlink()
        with desk.firewall():
            moved = desk.connect("dev")
            assert (moved["address"], moved["proof"]) == (IPV6.node, "connection")
            assert desk.ssh(moved["host"], "hostname") == "dev"
        fared = {each["address"]: each["result"] for each in moved["candidates"]}
        assert fared[IPV4.node] in ("timed-out", "not-tried")


def test_ipv6_alone(ipv6_cluster: Cluster) -> None:
    """Brackets for people, none for ssh."""
    with desk_at(ipv6_cluster, "lan") as desk:
        desk.ns.pod("dev")
        told = desk.nodeport("connect", "dev")
        assert told.returncode == 0, told.stderr
        done = desk.connect("dev")
        assert done["address"] == IPV6.node
        assert f"\n[{IPV6.node}]:{done['port']} answers with " in told.stdout
        assert f"\n  HostName {IPV6.node}\n" in desk.config.read_text()
        assert desk.ssh(done["host"], "hostname") == "dev"
        assert {each["address"] for each in done["candidates"]} <= {IPV6.node, "127.0.0.1"}


def test_ipv6_alone_by_the_tunnel(ipv6_cluster: Cluster) -> None:
    """Where the node refuses NodePorts; its ICMP error reads as a missing permission."""
    with desk_at(ipv6_cluster, "reject") as desk:
        desk.ns.pod("dev")
        done = desk.connect("dev", *SHORT)
        assert (done["via"], desk.services()) == ("tunnel", [])
        fared = {each["address"]: each["result"] for each in done["candidates"]}
        assert fared[IPV6.node] == "unreachable"
        assert f"{IPV6.node}: not reachable from here (Permission denied)" in done["notes"][0]
        assert desk.ssh(done["host"], "hostname") == "dev"


def test_inside_the_cluster(desk: Desk) -> None:
    """From a pod the node's own address answers, and 127.0.0.1 would be that pod."""
    for name in ("client", "dev"):
        desk.ns.pod(name)
    here, everywhere = documented()
    token = desk.ns.user("client", rules(here), rules(everywhere))
    with desk.cluster.inside(desk.ns, "client", token) as inside:
        command = ["kubectl-nodeport", "connect", "dev", "-n", desk.ns.name, "-o", "json"]
        connected = inside.run(command)
        assert connected.returncode == 0, connected.stderr
        done = json.loads(connected.stdout)
        assert (done["via"], done["address"]) == ("nodeport", IPV4.node)
        assert [each["address"] for each in done["candidates"]] == [IPV4.node]
        login = inside.run(["ssh", "-o", "BatchMode=yes", done["host"], "hostname"])
        assert (login.stdout, login.returncode) == ("dev\n", 0), login.stderr


def test_a_distant_api_server(desk: Desk) -> None:
    """25 ms each way, with a relay in front that ends TLS: connect, and logins by the tunnel."""
    desk.ns.pod("dev")
    with desk.cluster.relay(delay_s=0.025) as relay:
        config = ("--kubeconfig", str(relay.kubeconfig()))
        near = desk.connect("dev", *config)
        assert (near["via"], near["address"]) == ("nodeport", "127.0.0.1")
        assert desk.ssh(near["host"], "hostname") == "dev"
        far = desk.connect("dev", "--via", "tunnel", "--host", "far", *config)
        assert far["via"] == "tunnel"
        assert desk.ssh("far", "hostname") == "dev"


@pytest.mark.parametrize("kind", ["deployment", "statefulset"])
def test_a_tunnel_outlives_its_pod(desk: Desk, kind: Literal["deployment", "statefulset"]) -> None:
    """The workload's next pod has the image's keys again: ssh reaches it with no command between.

    Nor does a tunnel make any Service, now or then.
    """
    if kind == "deployment":
        (before,) = desk.ns.deployment("web", replicas=1)
    else:
        (before,) = desk.ns.stateful_set("web")
    done = desk.connect(f"{kind}/web", "--via", "tunnel")
    assert (done["via"], done["address"]) == ("tunnel", None)
    assert desk.ssh(done["host"], "hostname") == before.name
    desk.cluster.api.delete(f"{desk.ns.path}/pods/{before.name}", grace_s=0)
    until("the next pod", lambda: before.uid not in uids(desk) and len(uids(desk)) == 1)
    (after,) = pods(desk)
    desk.ns.wait(after["name"], Words())
    assert desk.ssh(done["host"], "hostname") == after["name"]
    assert (after["name"] == before.name) == (kind == "statefulset")
    assert desk.services() == []


@contextmanager
def desk_at(cluster: Cluster, profile: str) -> Iterator[Desk]:
    """A fresh home and a fresh namespace on another cluster than the usual one."""
    cluster.use(profile)
    cluster.reset_home()
    with cluster.namespace() as ns:
        yield Desk(cluster, ns)


def pods(desk: Desk) -> list[dict[str, Any]]:
    """The metadata of the namespace's pods."""
    return [item["metadata"] for item in desk.cluster.api.get(f"{desk.ns.path}/pods")["items"]]


def uids(desk: Desk) -> set[str]:
    """The pods that there are."""
    return {pod["uid"] for pod in pods(desk)}
