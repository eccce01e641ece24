"""get, with the installed program on the real cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster


def items(desk: Desk, *words: str) -> list[dict[str, Any]]:
    """Get, which has to work; the list's items."""
    done = desk.nodeport("get", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return found


def annotate(desk: Desk, pod: str, value: str) -> None:
    word = f"nodeport.crater.raids.io/web={value}"
    desk.cluster.kubectl("-n", desk.ns.name, "annotate", "--overwrite", "pod", pod, word)


def crater(desk: Desk, pod: str) -> None:
    """A rule as the Crater platform makes it."""
    document = desk.cluster.api.get(f"{desk.ns.path}/pods/{pod}")["metadata"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": document["uid"]}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "np-jane-1a2b3",
            "annotations": {"crater.raids.io/port-name": "web"},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {
            "type": "NodePort",
            "selector": document["labels"],
            "ports": [{"port": 80, "targetPort": 80}],
        },
    }
    desk.cluster.kubectl("-n", desk.ns.name, "create", "-f", "-", stdin=json.dumps(service))


def test_ours_craters_and_others(anywhere: Desk) -> None:
    """All three kinds, each marked; the address of ours is the one that answered connect."""
    desk = anywhere
    desk.ns.pod("dev")
    desk.cluster.kubectl("-n", desk.ns.name, "expose", "pod", "dev", "--type=NodePort", "--port=80")
    crater(desk, "dev")
    done = desk.connect("dev")
    found = items(desk)
    assert [item["status"]["managedBy"] for item in found] == [
        "kubectl-nodeport",
        "crater",
        "other",
    ]
    assert all(item["status"]["pods"] == ["dev"] for item in found)
    assert all(item["status"]["problem"] is None for item in found)
    ours, craters, other = found
    assert ours["status"]["address"] == done["address"]
    assert ours["status"]["hosts"] == [done["host"]]
    assert ours["spec"] == {
        "target": "pod/dev",
        "port": 22,
        "protocol": "TCP",
        "nodePort": done["port"],
    }
    assert craters["metadata"]["name"] == "web"
    assert craters["spec"]["target"] == "pod/dev"
    assert other["status"]["address"] == "192.168.65.3"
    table = desk.nodeport("get")
    assert table.stderr == ""
    heading, *lines = table.stdout.splitlines()
    assert heading.split() == ["NAME", "POD", "PORT", "ADDRESS", "NODEPORT", "HOST", "AGE"]
    assert [line[: heading.index("POD")].strip() for line in lines] == [
        "ssh",
        "web (crater)",
        "dev (other)",
    ]
    assert items(desk, "dev") == found
    assert items(desk, "-l", "no-such-label=x") == []


def test_rule_that_lost_its_pod_or_found_another(desk: Desk) -> None:
    """What is wrong is noted on stderr and stands in the list."""
    desk.ns.pod("dev")
    desk.connect("dev")
    (service,) = desk.services()
    selector = service["spec"]["selector"]
    desk.ns.pod("copy", labels=selector)
    assert items(desk)[0]["status"]["problem"] == "reaches 2 pods"
    assert "note: rule ssh of pod dev in" in desk.nodeport("get").stderr
    removed = [f"{label}-" for label in selector]
    for pod in ("dev", "copy"):
        desk.cluster.kubectl("-n", desk.ns.name, "label", "pod", pod, *removed)
    assert items(desk, "dev")[0]["status"]["problem"] == "reaches no pod"


def test_pod_that_is_not_ready(desk: Desk) -> None:
    desk.ns.pod("dev", ready=False)
    desk.connect("dev")
    assert items(desk)[0]["status"]["problem"] == "pod dev is not ready"


def test_annotations(desk: Desk) -> None:
    """One whose Service is gone, and one that is no annotation of Crater's at all."""
    desk.ns.pod("dev", runs="nothing")
    value = {"name": "web", "containerPort": 80, "address": "10.9.9.9", "nodePort": 31999}
    annotate(desk, "dev", json.dumps(value))
    (item,) = items(desk)
    assert item["status"]["problem"] == "has an annotation, but no Service"
    assert (item["status"]["service"], item["spec"]["nodePort"]) == (None, 31999)
    annotate(desk, "dev", "\x1b[2J")
    done = desk.nodeport("get")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr
    assert "its annotation is malformed: its value is not JSON" in done.stderr


def test_load_balancers_have_node_ports_too(desk: Desk) -> None:
    for name, kind in (("lb", "LoadBalancer"), ("inside", "ClusterIP"), ("np", "NodePort")):
        words = ("create", "service", kind.lower(), name, "--tcp=80:8080")
        desk.cluster.kubectl("-n", desk.ns.name, *words)
    found = items(desk)
    assert [item["status"]["service"] for item in found] == ["lb", "np"]
    services = {s["metadata"]["name"]: s["spec"]["ports"][0] for s in desk.services()}
    assert [i["spec"]["nodePort"] for i in found] == [
        services[name]["nodePort"] for name in ("lb", "np")
    ]
    assert [item["spec"]["port"] for item in found] == [8080, 8080]


def test_nothing_reads_as_kubectl_says_it(desk: Desk) -> None:
    own = desk.type("kubectl", "get", "services", "-n", desk.ns.name)
    ours = desk.nodeport("get")
    assert ours.returncode == own.returncode == 0
    assert (ours.stdout, own.stdout) == ("", "")
    assert ours.stderr == own.stderr.replace("resources", "rules")


def test_columns_and_ages_are_kubectls(desk: Desk) -> None:
    """A Service's row begins at the same places, and is as old, as in kubectl's own table."""
    for name in ("a", "a-longer-name-than-the-heading"):
        desk.cluster.kubectl("-n", desk.ns.name, "create", "service", "nodeport", name, "--tcp=80")
    services = ("kubectl", "get", "services", "-n", desk.ns.name)
    own = desk.type(*services).stdout.splitlines()
    ours = desk.nodeport("get").stdout.splitlines()
    later = desk.type(*services).stdout.splitlines()
    for before, between, after in zip(own[1:], ours[1:], later[1:], strict=True):
        ages = [int(line.split()[-1].removesuffix("s")) for line in (before, between, after)]
        assert ages == sorted(ages)
    assert ours[0].index("POD") == own[0].index("TYPE") + len(" (other)")
    assert all(line == line.rstrip() for line in ours)


def test_all_namespaces(desk: Desk) -> None:
    desk.ns.pod("dev")
    desk.connect("dev")
    done = desk.type("kubectl", "nodeport", "get", "-A", "-o", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["items"]
    (item,) = (one for one in found if one["metadata"]["namespace"] == desk.ns.name)
    assert (item["status"]["pods"], item["status"]["hosts"] != []) == (None, True)


def test_workloads(desk: Desk) -> None:
    """A deployment's rule is found by the deployment's name, its pods' rules too."""
    (pod,) = desk.ns.deployment("web", replicas=1)
    desk.ns.pod("dev")
    desk.connect("deploy/web")
    desk.connect("dev")
    (item,) = items(desk, "deploy/web")
    assert (item["spec"]["target"], item["status"]["pods"]) == ("deployment/web", [pod.name])
    assert items(desk, f"pod/{pod.name}") == [item]


def test_hosts_without_a_cluster(desk: Desk) -> None:
    desk.ns.pod("dev")
    done = desk.connect("dev")
    kubeconfig = desk.laptop.home / ".kube" / "config"
    kubeconfig.unlink()
    listed = desk.type("kubectl-nodeport", "get", "hosts")
    assert listed.returncode == 0, listed.stderr
    heading, line = listed.stdout.splitlines()
    assert heading.split()[:4] == ["HOST", "ADDRESS", "PORT", "USER"]
    assert line.split()[:4] == [done["host"], done["address"], str(done["port"]), "root"]


def test_least_rights(desk: Desk) -> None:
    """To list Services is enough; without it the error names the right."""
    desk.ns.pod("dev")
    desk.connect("dev")
    services = {"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}
    token = desk.ns.user("reader", [services])
    write_kubeconfig(desk, token)
    done = desk.nodeport("get")
    assert done.returncode == 0, done.stderr
    assert "note: without the right to list pods" in done.stderr
    assert done.stdout.splitlines()[1].split()[:2] == ["ssh", "dev"]
    write_kubeconfig(desk, desk.ns.user("nobody", []))
    done = desk.nodeport("get")
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error.startswith(f"error: the right to list services -n {desk.ns} is missing")
    assert f"kubectl auth can-i list services -n {desk.ns}" in hint


def write_kubeconfig(desk: Desk, token: str) -> None:
    path = desk.laptop.home / ".kube" / "config"
    desk.laptop.write(path, json.dumps(desk.cluster.kubeconfig(token=token)))


def test_rules_go_with_their_pod(desk: Desk) -> None:
    desk.ns.pod("dev")
    desk.connect("dev")
    desk.ns.delete_pod("dev")
    until("the end of the row", lambda: items(desk) == [])


def test_watch(desk: Desk) -> None:
    """The rules, a line for each that changes, and 130 on Ctrl-C."""
    desk.ns.pod("dev")
    words = ["kubectl", "nodeport", "get", "-w", "-o", "name", "-n", desk.ns.name]
    written = desk.laptop.home / "watched"
    with written.open("w") as file:
        process = desk.laptop.popen(words, stdout=file, stderr=subprocess.PIPE)
    create = ("create", "service", "nodeport", "one", "--tcp=80")
    desk.cluster.kubectl("-n", desk.ns.name, *create)
    until("the first line", lambda: written.read_text() == "service/one\n")
    desk.connect("dev")
    until("our rule", lambda: "service/nodeport-dev-ssh\n" in written.read_text())
    before = written.read_text()
    desk.cluster.kubectl("-n", desk.ns.name, "delete", "service", "one")
    until("the deleted one", lambda: written.read_text() == f"{before}service/one\n")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 130
