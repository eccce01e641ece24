"""Each profile of tests/cluster is the environment that it says: plain sockets, nothing of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tests.cluster.api import until
from tests.cluster.cluster import Cluster
from tests.cluster.families import IPV4
from tests.cluster.laptop import Laptop
from tests.cluster.namespace import Namespace
from tests.cluster.namespaces import connected
from tests.cluster.nodes import Looks
from tests.cluster.process import ClusterError
from tests.cluster.profiles import PROFILES

pytestmark = pytest.mark.cluster

_AT_ONCE_S = 1.4
_PATIENCE_S = 1.5


@dataclass(frozen=True, slots=True)
class Answers:
    """What a NodePort's client meets at each address."""

    node: str
    loopback: str = "refused"
    own: str = "refused"
    """At the laptop's own address, where its neighbours would come in."""
    external: str = "unreachable"


EXPECTED = {
    "lan": Answers("banner"),
    "firewall": Answers("silence"),
    "reject": Answers("unreachable"),
    "reset": Answers("reset"),
    "no-route": Answers("unreachable"),
    "blackhole": Answers("invalid"),
    "public": Answers("silence", external="banner"),
    "filtered-external": Answers("banner", external="silence"),
    "second-node": Answers("silence"),
    "docker-desktop": Answers("silence", loopback="banner", own="banner"),
    "docker-desktop-kind": Answers("silence"),
    "orbstack": Answers("banner", loopback="banner"),
    "late-forwarder": Answers("silence", loopback="banner"),
    "hollow-forwarder": Answers("silence", loopback="closed", own="closed"),
}


@pytest.fixture(scope="module")
def port(cluster: Cluster) -> Iterator[int]:
    """The NodePort of a pod with sshd, open on the node."""
    cluster.use("lan")
    cluster.reset_home()
    with cluster.namespace() as ns:
        ns.pod("dev")
        opened = _expose(ns)
        until("the port", lambda: _meets(cluster, IPV4.node, opened) == "banner")
        yield opened


def test_every_profile_has_its_row() -> None:
    assert EXPECTED.keys() == PROFILES.keys()


@pytest.mark.parametrize("profile", PROFILES)
def test_profile(cluster: Cluster, port: int, profile: str) -> None:
    expected = EXPECTED[profile]
    cluster.use(profile)
    addresses = (IPV4.node, "127.0.0.1", IPV4.cable_laptop, IPV4.external)

    with ThreadPoolExecutor() as pool:
        met = list(pool.map(lambda address: _meets(cluster, address, port), addresses))

    assert Answers(*met) == expected
    assert cluster.laptop.run(["kubectl", "get", "--raw", "/readyz"]).stdout == "ok"
    (seen,) = _nodes(cluster, cluster.node_name)
    assert seen["os_image"] == PROFILES[profile].os_image
    assert (IPV4.external in seen["addresses"]) == bool(PROFILES[profile].external)


def test_second_node_leads_to_the_pod(cluster: Cluster, port: int) -> None:
    cluster.use("second-node")

    (second,) = _nodes(cluster, "worker-2")
    assert second["addresses"] == [IPV4.cable_node, "worker-2"]
    assert _meets(cluster, IPV4.cable_node, port) == "banner"


def test_profiles_leave_nothing_behind(cluster: Cluster) -> None:
    def traces() -> list[str]:
        cluster.use("lan")
        tables = [cluster.run_in_node(["iptables-save", "-t", t]) for t in ("mangle", "filter")]
        rules = [line for line in "".join(tables).splitlines() if line.startswith("-")]
        routes = cluster.laptop.run(["ip", "route"]).stdout.splitlines()
        sockets = cluster.laptop.run(["ss", "-Hltn"]).stdout.splitlines()
        return [*rules, *routes, *sockets, *(json.dumps(row) for row in _nodes(cluster))]

    before = traces()
    for profile in PROFILES:
        cluster.use(profile)
        assert Cluster.attach(cluster.name).profile.name == profile
    assert traces() == before


def test_late_forwarder_opens_8_s_after_the_service(cluster: Cluster, ns: Namespace) -> None:
    cluster.use("late-forwarder")
    ns.pod("dev")
    port = _expose(ns)
    started = time.monotonic()

    until("the node", lambda: _meets(cluster, IPV4.cable_node, port) == "banner")
    assert _meets(cluster, "127.0.0.1", port) == "refused"
    until("the forwarder", lambda: _meets(cluster, "127.0.0.1", port) == "banner")
    assert 7.5 < time.monotonic() - started < 20


@pytest.mark.parametrize("host_keys", ["own", "image"])
def test_foreign_sshd_takes_the_port_first(
    cluster: Cluster, laptop: Laptop, ns: Namespace, port: int, host_keys: Literal["own", "image"]
) -> None:
    """The forwarder passes the port over, and says so; the pod is still behind the node."""
    cluster.use("docker-desktop")
    ns.pod("dev")
    taken = port ^ {"own": 1, "image": 2}[host_keys]  # the other one goes in the background
    keyscan = ["ssh-keyscan", "-t", "ed25519", "-p", str(taken)]
    with cluster.foreign_sshd(taken, host_keys) as foreign:
        _expose(ns, node_port=taken)
        until("the node", lambda: _meets(cluster, IPV4.cable_node, taken) == "banner")
        until("a word", lambda: f"port {taken}: " in cluster.forwarder_errors())
        options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]
        login = ["ssh", *options, "-p", str(taken), "127.0.0.1", "echo", "in"]
        assert laptop.run(login, check=True).stdout == "in\n"
        there, pod = (
            laptop.run([*keyscan, address], check=True).stdout.split()[1:]
            for address in ("127.0.0.1", IPV4.cable_node)
        )
        assert (there == pod) == (host_keys == "image")
        assert [each.outcome for each in foreign.connections()] == [
            "authenticated",
            "unauthenticated",
        ]
        with pytest.raises(ClusterError, match="Address already in use"):  # noqa: SIM117
            with cluster.foreign_sshd(taken):
                pass
    assert _meets(cluster, "127.0.0.1", taken) == "refused"


def test_extra_nodes_look_as_told_and_get_no_pods(cluster: Cluster, ns: Namespace) -> None:
    looks = Looks(
        "gke-pool-1",
        [("InternalIP", "10.128.0.7"), ("ExternalIP", "203.0.113.99")],
        labels={"cloud.google.com/gke-nodepool": "pool"},
        provider_id="gce://project/zone/gke-pool-1",
        os_image="Container-Optimized OS from Google",
    )
    before = _nodes(cluster)
    with cluster.extra_nodes(looks):
        ns.pod("dev")
        (seen,) = _nodes(cluster, "gke-pool-1")
        assert seen["addresses"] == ["10.128.0.7", "203.0.113.99"]
        assert seen["provider_id"] == "gce://project/zone/gke-pool-1"
        pod = ns.api.get(f"{ns.path}/pods/dev")
        assert pod["spec"]["nodeName"] == cluster.node_name
    assert _nodes(cluster) == before


def _expose(ns: Namespace, node_port: int | None = None) -> int:
    port = {"port": 22} | ({"nodePort": node_port} if node_port else {})
    spec = {"type": "NodePort", "selector": {"app": "dev"}, "ports": [port]}
    body = {"metadata": {"generateName": "s-"}, "spec": spec}
    given: int = ns.api.create(f"{ns.path}/services", body)["spec"]["ports"][0]["nodePort"]
    return given


def _nodes(cluster: Cluster, name: str = "") -> list[dict[str, Any]]:
    return [
        {
            "addresses": [row["address"] for row in item["status"]["addresses"]],
            "os_image": item["status"]["nodeInfo"]["osImage"],
            "provider_id": item["spec"].get("providerID"),
        }
        for item in cluster.api.get("/api/v1/nodes")["items"]
        if name in ("", item["metadata"]["name"])
    ]


def _meets(cluster: Cluster, address: str, port: int) -> str:
    """What a client in the laptop meets there; all but silence has to come at once."""
    started = time.monotonic()
    try:
        with connected(cluster.laptop.process, (address, port), _PATIENCE_S) as connection:
            outcome = "banner" if connection.recv(64).startswith(b"SSH-2.0-") else "closed"
    except TimeoutError:
        return "silence"
    except ConnectionRefusedError:
        outcome = "refused"
    except ConnectionResetError:
        outcome = "reset"
    except OSError as error:
        outcome = {22: "invalid", 113: "unreachable"}[error.errno or 0]
    assert time.monotonic() - started < _AT_ONCE_S
    return outcome
