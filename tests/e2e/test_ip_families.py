"""Clusters of tests/cluster that have IPv6, alone or beside IPv4."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.api import until
from tests.cluster.cluster import Cluster
from tests.cluster.families import IPV4, IPV6
from tests.cluster.namespace import Namespace

pytestmark = pytest.mark.cluster


def test_dual_stack(dual_stack_cluster: Cluster) -> None:
    cluster = dual_stack_cluster
    cluster.use("lan")
    with _exposed(cluster) as (ns, port):
        status = ns.api.get(f"{ns.path}/pods/dev")["status"]
        assert [host["ip"] for host in status["hostIPs"]] == [IPV4.node, IPV6.node]
        assert [":" in pod["ip"] for pod in status["podIPs"]] == [False, True]
        for address in (IPV4.node, IPV6.node):
            assert _log_in(cluster, address, port) == "dev\n"
        cluster.use("docker-desktop")
        assert _log_in(cluster, "127.0.0.1", port) == "dev\n"
        assert "timed out" in _log_in(cluster, IPV6.node, port)


def test_ipv6_alone(ipv6_cluster: Cluster) -> None:
    cluster = ipv6_cluster
    cluster.use("lan")
    assert cluster.server == f"https://[{IPV6.node}]:6443"
    assert cluster.laptop.run(["kubectl", "get", "--raw", "/readyz"]).stdout == "ok"
    with _exposed(cluster) as (ns, port):
        status = ns.api.get(f"{ns.path}/pods/dev")["status"]
        assert [host["ip"] for host in status["hostIPs"]] == [IPV6.node]
        assert _log_in(cluster, IPV6.node, port) == "dev\n"
        cluster.use("public")
        assert _log_in(cluster, IPV6.external, port) == "dev\n"
        cluster.use("reject")
        assert "Permission denied" in _log_in(cluster, IPV6.node, port)
        cluster.use("docker-desktop")
        assert _log_in(cluster, "127.0.0.1", port) == "dev\n"


@contextmanager
def _exposed(cluster: Cluster) -> Iterator[tuple[Namespace, int]]:
    """A pod with sshd and its NodePort, in all families that there are."""
    with cluster.namespace() as ns:
        ns.pod("dev")
        spec = {
            "type": "NodePort",
            "ipFamilyPolicy": "PreferDualStack",
            "selector": {"app": "dev"},
            "ports": [{"port": 22}],
        }
        service = ns.api.create(f"{ns.path}/services", {"metadata": {"name": "s"}, "spec": spec})
        port: int = service["spec"]["ports"][0]["nodePort"]
        nodes = [family.node for family in cluster.families]
        until("the port", lambda: all(_log_in(cluster, node, port) == "dev\n" for node in nodes))
        yield ns, port


def _log_in(cluster: Cluster, address: str, port: int) -> str:
    """The host name that ssh comes to, or what it says instead."""
    options = ["BatchMode=yes", "StrictHostKeyChecking=no", "ConnectTimeout=2"]
    argv = ["ssh", *(word for option in options for word in ("-o", option)), "-p", str(port)]
    done = cluster.laptop.run([*argv, address, "hostname"])
    return done.stdout or done.stderr
