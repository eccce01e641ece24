"""expose svc/NAME and delete svc/NAME, with the installed program on the real cluster."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

FORMER = "kubectl-nodeport/former-type"
LISTENERS = (
    "for port in 3306 33060; do "
    "socat -t 9 TCP-LISTEN:$port,fork,reuseaddr SYSTEM:'echo port '$port & done; "
    "echo listening; wait"
)
MYSQL = [
    {"name": "mysql", "port": 3306, "targetPort": 3306},
    {"name": "mysqlx", "port": 33060, "targetPort": 33060},
]


def service(desk: Desk, name: str, ports: Any = MYSQL, **spec: Any) -> dict[str, Any]:
    """Make a Service of someone's own; as `kubectl get svc -o json` shows it."""
    desk.cluster.api.create(
        f"{desk.ns.path}/services",
        {
            "metadata": {"name": name, "labels": {"tier": "db"}, "annotations": {"owner": "jane"}},
            "spec": {"selector": {"app": "db"}, "ports": ports, **spec},
        },
    )
    return shown(desk, name)


def shown(desk: Desk, name: str) -> dict[str, Any]:
    """`kubectl get svc NAME -o json`, without what changes with every write."""
    done = desk.type("kubectl", "get", "svc", name, "-n", desk.ns.name, "-o", "json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    del document["metadata"]["resourceVersion"]
    document["metadata"].pop("managedFields", None)
    return document


def differences(before: Any, after: Any, at: str = "") -> dict[str, tuple[Any, Any]]:
    """By path, what two documents have there; None where one has nothing."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        pairs = [(f"{at}.{key}", before.get(key), after.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(f"{at}[{n}]", *pair) for n, pair in enumerate(zip(before, after, strict=True))]
    else:
        return {} if before == after else {at: (before, after)}
    found: dict[str, tuple[Any, Any]] = {}
    for path, one, other in pairs:
        found |= differences(one, other, path)
    return found


def says(desk: Desk, address: str, port: int) -> str:
    """What answers there, from the laptop."""
    done = desk.type("socat", "-u", "-T", "2", f"TCP:{address}:{port}", "-")
    return (done.stdout or done.stderr).strip()


def answers(desk: Desk, at: tuple[str, int], expected: str) -> bool:
    """Whether it does; kube-proxy takes a moment, while a forwarder accepts at once."""
    return says(desk, *at) == expected


def from_inside(desk: Desk, address: str, port: int) -> str:
    """What answers there, from a pod of the cluster."""
    knock = f"socat -u -T 2 TCP:{address}:{port} -"
    done = desk.type("kubectl", "exec", "app", "-n", desk.ns.name, "--", "sh", "-c", knock)
    return (done.stdout or done.stderr).strip()


def database(desk: Desk) -> None:
    """A pod behind the Service, which says at which port it was reached; and one beside it."""
    desk.ns.pod("app", runs="nothing")
    desk.ns.pod("db", runs="nothing", command=("bash", "-c", LISTENERS), labels={"app": "db"})
    until("the listeners", lambda: "listening" in desk.ns.log("db"))


def refused(desk: Desk, *words: str) -> list[str]:
    """The error and the hint of a command that has to fail."""
    done = desk.nodeport(*words)
    assert (done.returncode, done.stdout) == (1, "")
    return [line for line in done.stderr.splitlines() if not line.startswith("note: ")]


def test_there_and_back(anywhere: Desk) -> None:
    """Nothing but the type, what hangs on it, and our annotation differs; then nothing at all."""
    desk = anywhere
    database(desk)
    before = service(desk, "mysql")
    cluster_ip = before["spec"]["clusterIP"]
    done = desk.nodeport("expose", "svc/mysql", "-o", "json")
    assert done.returncode == 0, done.stderr
    rules = json.loads(done.stdout)["items"]
    after = shown(desk, "mysql")
    ports = [port["nodePort"] for port in after["spec"]["ports"]]
    assert differences(before, after) == {
        f".metadata.annotations.{FORMER}": (None, f"ClusterIP {desk.ns}/mysql"),
        ".spec.type": ("ClusterIP", "NodePort"),
        ".spec.externalTrafficPolicy": (None, "Cluster"),  # the API server's own default
        ".spec.ports[0].nodePort": (None, ports[0]),
        ".spec.ports[1].nodePort": (None, ports[1]),
    }
    assert after["spec"]["clusterIP"] == cluster_ip
    assert [rule["spec"]["nodePort"] for rule in rules] == ports
    for rule, port in zip(rules, (3306, 33060), strict=True):
        at = rule["status"]["address"], rule["spec"]["nodePort"]
        until(f"an answer of port {port}", partial(answers, desk, at, f"port {port}"))
    assert from_inside(desk, cluster_ip, 3306) == "port 3306"

    again = desk.nodeport("expose", "svc/mysql")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("service/mysql unchanged")
    assert shown(desk, "mysql") == after

    back = desk.nodeport("delete", "svc/mysql")
    assert back.returncode == 0, back.stderr
    assert back.stdout == "service/mysql is of type ClusterIP again\n"
    assert differences(before, shown(desk, "mysql")) == {}

    assert desk.nodeport("expose", "svc/mysql").returncode == 0
    second = [port["nodePort"] for port in shown(desk, "mysql")["spec"]["ports"]]
    assert second == ports, "opened again it has the same ports"


def test_dry_runs_change_nothing(desk: Desk) -> None:
    before = service(desk, "mysql")
    done = desk.nodeport("expose", "svc/mysql", "--dry-run=client")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("service/mysql would be changed")
    assert len(done.stdout.splitlines()) == 3
    assert shown(desk, "mysql") == before
    desk.nodeport("expose", "svc/mysql")
    opened = shown(desk, "mysql")
    done = desk.nodeport("delete", "svc/mysql", "--dry-run")
    assert done.stdout == "service/mysql would be of type ClusterIP again\n"
    assert shown(desk, "mysql") == opened


def test_node_port_of_ones_choice(desk: Desk) -> None:
    service(desk, "mysql")
    error, _ = refused(desk, "expose", "svc/mysql", "--node-port", "30006")
    assert error.startswith("error: which port of svc/mysql is to get NodePort 30006?")
    done = desk.nodeport("expose", "svc/mysql", "--node-port", "30006", "--port", "mysqlx")
    assert done.returncode == 0, done.stderr
    assert shown(desk, "mysql")["spec"]["ports"][1]["nodePort"] == 30006
    before = service(desk, "other")
    flags = ("--node-port", "30006", "--port", "3306")
    error, _ = refused(desk, "expose", "svc/other", *flags)
    assert error.startswith("error: svc/other cannot get NodePort 30006: ")
    assert shown(desk, "other") == before


def test_preference_that_another_service_has(desk: Desk) -> None:
    """The server chooses in its place, beside a node port of ones choice too."""
    service(desk, "mysql")
    planned = desk.nodeport("expose", "svc/mysql", "--dry-run", "-o", "json").stdout
    preferred = [rule["spec"]["nodePort"] for rule in json.loads(planned)["items"]]
    taken = [{"port": 1, "nodePort": preferred[0]}]
    service(desk, "other", taken, type="NodePort")
    flags = ("--node-port", "30007", "--port", "mysqlx")
    for words in ((), flags):
        done = desk.nodeport("expose", "svc/mysql", *words)
        assert done.returncode == 0, done.stderr
        first, second = (port["nodePort"] for port in shown(desk, "mysql")["spec"]["ports"])
        assert first not in preferred
        assert second == 30007 or not words
        assert desk.nodeport("delete", "svc/mysql").returncode == 0


def test_same_number_with_two_protocols(desk: Desk) -> None:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    service(desk, "dns", ports)
    flags = ("--node-port", "30053", "--port", "53", "--protocol", "udp")
    done = desk.nodeport("expose", "svc/dns", *flags)
    assert done.returncode == 0, done.stderr
    udp, tcp = shown(desk, "dns")["spec"]["ports"]
    assert udp["nodePort"] == 30053
    assert tcp["nodePort"] != 30053
    assert f":{30053} leads to port 53/UDP" in done.stdout


def test_load_balancer_keeps_its_type(desk: Desk) -> None:
    before = service(desk, "web", type="LoadBalancer")
    done = desk.nodeport("expose", "svc/web", "-o", "json")
    assert done.returncode == 0, done.stderr
    told = [rule["spec"]["nodePort"] for rule in json.loads(done.stdout)["items"]]
    assert told == [port["nodePort"] for port in before["spec"]["ports"]]
    assert shown(desk, "web") == before
    error, _ = refused(desk, "delete", "svc/web")
    assert "was not changed by kubectl nodeport" in error


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"clusterIP": "None"}, "is headless"),
        ({"type": "ExternalName", "externalName": "db.example.com"}, "is of type ExternalName"),
        ({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}, "without NodePorts"),
    ],
)
def test_services_that_can_have_no_node_ports(desk: Desk, spec: dict[str, Any], why: str) -> None:
    before = service(desk, "mysql", **spec)
    error, _ = refused(desk, "expose", "svc/mysql")
    assert why in error
    assert shown(desk, "mysql") == before


def test_api_server_itself(desk: Desk) -> None:
    done = desk.type("kubectl", "nodeport", "expose", "svc/kubernetes", "-qn", "default")
    assert done.returncode == 1
    assert "svc/kubernetes is the API server itself" in done.stderr


def test_type_that_somebody_changed_meanwhile_stays(desk: Desk) -> None:
    service(desk, "mysql")
    assert desk.nodeport("expose", "svc/mysql").returncode == 0
    desk.cluster.api.patch(f"{desk.ns.path}/services/mysql", {"spec": {"type": "LoadBalancer"}})
    opened = shown(desk, "mysql")
    done = desk.nodeport("delete", "svc/mysql")
    assert done.returncode == 0, done.stderr
    assert "is of type LoadBalancer by now, which stays" in done.stderr
    assert differences(opened, shown(desk, "mysql")) == {
        f".metadata.annotations.{FORMER}": (f"ClusterIP {desk.ns}/mysql", None)
    }


def test_what_others_manage_is_told(desk: Desk) -> None:
    service(desk, "mysql")
    desk.cluster.api.patch(
        f"{desk.ns.path}/services/mysql",
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}},
    )
    done = desk.nodeport("expose", "svc/mysql")
    assert done.returncode == 0, done.stderr
    assert "is managed by Helm" in done.stderr
    assert "no running pod is behind svc/mysql" in done.stderr
