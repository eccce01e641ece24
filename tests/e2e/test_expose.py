"""expose and the life of its rules, with the installed program on the real cluster."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.cluster import plugin
from tests.cluster.api import until
from tests.cluster.cluster import Cluster, free_name
from tests.e2e.conftest import ANSWERS_AT, Desk

pytestmark = pytest.mark.cluster

RULES = {"ssh": 22, "smtp": 25, "telnet": 23}
LISTENERS = (
    "for port in 22 23 25; do "
    "socat -t 9 TCP-LISTEN:$port,fork,reuseaddr SYSTEM:'echo port '$port & done; "
    "echo listening; wait"
)


def opened(desk: Desk, *words: str, **more: Any) -> dict[str, Any]:
    """Expose, which has to work; the rule as JSON."""
    done = desk.nodeport("expose", *words, "-o", "json", **more)
    assert done.returncode == 0, done.stderr
    (rule,) = json.loads(done.stdout)["items"]
    found: dict[str, Any] = rule
    return found


def endpoints(desk: Desk, service: str) -> list[str]:
    """The pods behind a Service, as kube-proxy sees them."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{desk.ns}/endpointslices"
    items = desk.cluster.api.get(f"{path}?labelSelector=kubernetes.io/service-name%3D{service}")
    return [
        endpoint["targetRef"]["name"]
        for item in items["items"]
        for endpoint in item.get("endpoints") or []
        if endpoint["conditions"]["ready"]
    ]


def rules_on(desk: Desk, pod: str) -> dict[str, Any]:
    """The pod's annotations of Crater's kind, as `kubectl get pod -o yaml` has them."""
    shown = desk.type("kubectl", "get", "pod", pod, "-n", desk.ns.name, "-o", "yaml").stdout
    metadata = desk.cluster.api.get(f"{desk.ns.path}/pods/{pod}")["metadata"]
    found = {k: v for k, v in metadata.get("annotations", {}).items() if "crater" in k}
    assert all(f"{key}: " in shown for key in found)
    return {key.partition("/")[2]: json.loads(value) for key, value in found.items()}


def says(desk: Desk, address: str, port: int) -> str:
    """What answers there, from the laptop."""
    done = desk.type("socat", "-u", "-T", "2", f"TCP:{address}:{port}", "-")
    return (done.stdout or done.stderr).strip()


def test_ssh_smtp_and_telnet(anywhere: Desk) -> None:
    """Three rules as on Crater's page; each answers, and the delete of one leaves the others."""
    desk = anywhere
    desk.ns.pod("dev", runs="nothing", command=("bash", "-c", LISTENERS))
    until("the listeners", lambda: "listening" in desk.ns.log("dev"))
    address = ANSWERS_AT[desk.cluster.profile.name]
    ports = {}
    for name, port in RULES.items():
        done = desk.nodeport("expose", "dev", "--name", name, "--port", str(port))
        assert done.returncode == 0, done.stderr
        made = desk.cluster.api.get(f"{desk.ns.path}/services/nodeport-dev-{name}")
        ports[name] = made["spec"]["ports"][0]["nodePort"]
        assert done.stdout.splitlines() == [
            f"service/nodeport-dev-{name} created",
            f"{address}:{ports[name]} leads to port {port} of pod/dev",
        ]
        assert says(desk, address, ports[name]) == f"port {port}"
        assert endpoints(desk, f"nodeport-dev-{name}") == ["dev"]
    assert rules_on(desk, "dev") == {
        name: {
            "name": name,
            "containerPort": port,
            "address": "192.168.65.3",
            "nodePort": ports[name],
        }
        for name, port in RULES.items()
    }
    twin = opened(desk, "dev", "--name", "again", "--port", "25")
    done = desk.nodeport("delete", "dev", "--name", "smtp")
    assert done.returncode == 0, done.stderr
    assert sorted(rules_on(desk, "dev")) == ["again", "ssh", "telnet"]
    assert says(desk, address, twin["spec"]["nodePort"]) == "port 25", "another rule on the port"
    assert len(desk.services()) == 3
    desk.ns.delete_pod("dev")
    until("the end of the rules", lambda: desk.services() == [])


def test_same_again_changes_nothing(desk: Desk) -> None:
    desk.ns.pod("dev")
    assert opened(desk, "dev") == opened(desk, "dev")
    done = desk.nodeport("expose", "dev")
    assert done.stdout.startswith("service/nodeport-dev-ssh unchanged\n")
    refused = desk.nodeport("expose", "dev", "--name", "ssh", "--port", "2222")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[0] == (
        'error: the rule "ssh" of pod dev leads to port 22, not to 2222'
    )


@pytest.mark.parametrize("name", ["Ssh", "s" * 21, "s;h", ""])
def test_names_that_are_none(desk: Desk, name: str) -> None:
    desk.ns.pod("dev", wait=False)
    done = desk.nodeport("expose", "dev", "--name", name, "--port", "22")
    assert (done.returncode, done.stdout) == (1, "")
    error, hint = done.stderr.splitlines()
    assert error == f'error: "{name}" is not a name for a rule'
    assert hint == "hint: a rule's name is made of 1 to 20 lower-case letters, like ssh"
    desk.assert_nothing_left()


def test_two_people_at_once_end_with_one_rule(desk: Desk) -> None:
    desk.ns.pod("dev")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: desk.nodeport("expose", "dev"), range(4)))
    assert [done.returncode for done in results] == [0] * 4, [done.stderr for done in results]
    assert len({done.stdout.splitlines()[1] for done in results}) == 1
    (service,) = desk.services()
    until("one endpoint", lambda: endpoints(desk, "nodeport-dev-ssh") == ["dev"])
    assert rules_on(desk, "dev")["ssh"]["nodePort"] == service["spec"]["ports"][0]["nodePort"]


def test_stateful_set_pod_is_replaced(desk: Desk) -> None:
    """Its rule works again on the same node port, without a command."""
    (first,) = desk.ns.stateful_set("web", host_keys="image")
    done = desk.connect("web-0")
    assert desk.ssh(done["host"], "hostname") == "web-0"
    desk.ns.api.delete(f"{desk.ns.path}/pods/web-0", grace_s=0)

    def is_replaced() -> bool:
        items = desk.cluster.api.get(f"{desk.ns.path}/pods")["items"]
        return any(
            item["metadata"]["uid"] != first.uid
            and any(
                c["type"] == "Ready" and c["status"] == "True"
                for c in item["status"].get("conditions", [])
            )
            for item in items
        )

    until("the successor", is_replaced)
    until(
        "ssh to the successor",
        lambda: desk.type("ssh", "-o", "BatchMode=yes", done["host"], "true").returncode == 0,
    )
    again = desk.connect("sts/web")
    assert (again["host"], again["port"]) == (done["host"], done["port"])
    assert again["service"]["change"] == "unchanged"
    desk.type("kubectl", "delete", "statefulset", "web", "-n", desk.ns.name)
    until("the end of the rule", lambda: desk.services() == [])


def test_deployment_of_one_is_followed_and_its_growth_is_told(desk: Desk) -> None:
    (first,) = desk.ns.deployment("api", replicas=1)
    done = desk.connect("deploy/api")
    assert desk.ssh(done["host"], "hostname") == first.name
    desk.ns.delete_pod(first.name)
    (second,) = desk.ns.scale("api", 1)
    assert second.name != first.name
    until(
        "ssh to the successor",
        lambda: desk.type("ssh", "-o", "BatchMode=yes", done["host"], "true").returncode == 0,
    )
    assert desk.ssh(done["host"], "hostname") == second.name
    again = desk.connect("deploy/api")
    assert (again["host"], again["port"], again["pod"]) == (
        done["host"],
        done["port"],
        second.name,
    )

    desk.ns.scale("api", 2)
    told = desk.nodeport("connect", "deploy/api")
    assert (told.returncode, told.stdout) == (1, "")
    error, hint = told.stderr.splitlines()
    assert error == (
        'error: the rule "ssh" of deployment api was made for one pod, and would spread over 2 '
        "by now"
    )
    assert f"kubectl nodeport delete deployment/api --name ssh -n {desk.ns}" in hint
    listed = desk.nodeport("get")
    assert "reaches 2 pods" in listed.stderr
    assert desk.nodeport("delete", "deployment/api", "--name", "ssh").returncode == 0
    fresh = desk.connect("deploy/api")
    assert desk.ssh(fresh["host"], "hostname") == fresh["pod"]


def test_pod_that_kubectl_exec_takes(desk: Desk) -> None:
    """Of several pods the one that `kubectl exec` takes."""
    desk.ns.deployment("api", replicas=3)
    taken = desk.type(
        "kubectl", "exec", "deploy/api", "-n", desk.ns.name, "--", "hostname"
    ).stdout.strip()
    done = desk.nodeport("expose", "deploy/api")
    assert done.returncode == 0, done.stderr
    assert f"note: found 3 pods, using pod/{taken}" in done.stderr
    assert done.stdout.endswith(f"leads to port 22 of pod/{taken}\n")
    again = desk.nodeport("expose", "deploy/api")
    assert again.stdout.startswith(f"service/nodeport-{taken}-ssh unchanged\n")


def test_udp(desk: Desk) -> None:
    desk.ns.pod("dev")
    rule = opened(desk, "dev", "--name", "dns", "--port", "53", "--protocol", "udp")
    assert rule["spec"]["protocol"] == "UDP"
    (service,) = desk.services()
    assert service["spec"]["ports"][0]["protocol"] == "UDP"


def test_node_port_of_ones_choice(desk: Desk) -> None:
    desk.ns.pod("dev")
    assert opened(desk, "dev", "--node-port", "30042")["spec"]["nodePort"] == 30042
    taken = desk.nodeport("expose", "dev", "--name", "b", "--port", "1", "--node-port", "30042")
    assert "error: NodePort 30042 cannot be had: another Service has it" in taken.stderr
    outside = desk.nodeport("expose", "dev", "--name", "b", "--port", "1", "--node-port", "80")
    assert "error: NodePort 80 cannot be had: the range is 30000-32767" in outside.stderr
    assert len(desk.services()) == 1


@pytest.mark.usefixtures("cluster")
def test_cluster_with_another_range_of_node_ports() -> None:
    """The rule keeps its port there too, although the first wish is outside of the range."""
    flags = ("--service-node-port-range=20000-20999",)
    with Cluster.start(free_name("range"), api_flags=flags) as other:
        other.laptop.path_prepend.append(plugin.installed())
        other.use("docker-desktop")
        other.reset_home()
        with other.namespace() as ns:
            desk = Desk(other, ns)
            ns.pod("dev", runs="nothing")
            first = opened(desk, "dev")["spec"]["nodePort"]
            assert 20031 <= first <= 20999
            assert desk.nodeport("delete", "dev", "--name", "ssh").returncode == 0
            assert opened(desk, "dev")["spec"]["nodePort"] == first
            told = desk.nodeport(
                "expose", "dev", "--name", "b", "--port", "1", "--node-port", "30042"
            )
            assert "NodePort 30042 cannot be had: the range is 20000-20999" in told.stderr
