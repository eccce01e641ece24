"""delete, with the installed program on the real cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster


def expose(desk: Desk, target: str, *names: str) -> None:
    """Make rules of these names, which has to work."""
    for name in names:
        done = desk.nodeport("expose", target, "--name", name, "--port", "22")
        assert done.returncode == 0, done.stderr


def deleted(desk: Desk, *words: str, **more: Any) -> list[str]:
    """Delete, which has to work; stdout's lines."""
    done = desk.nodeport("delete", *words, **more)
    assert done.returncode == 0, done.stderr
    return list(done.stdout.splitlines())


def refused(desk: Desk, *words: str, **more: Any) -> list[str]:
    """The error and the hint of a command that has to fail and to change nothing."""
    before = names(desk)
    done = desk.nodeport("delete", *words, **more)
    assert (done.returncode, done.stdout) == (1, "")
    assert names(desk) == before
    return list(done.stderr.splitlines())


def names(desk: Desk) -> list[str]:
    """The namespace's Services."""
    return sorted(one["metadata"]["name"] for one in desk.services())


def plain(desk: Desk, name: str, **metadata: Any) -> None:
    """A NodePort Service for the pod dev that kubectl nodeport did not make."""
    desk.cluster.api.create(
        f"{desk.ns.path}/services",
        {
            "metadata": {"name": name, **metadata},
            "spec": {"type": "NodePort", "selector": {"app": "dev"}, "ports": [{"port": 22}]},
        },
    )


def test_by_name_by_pod_and_of_the_namespace(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing")
    desk.ns.pod("web", runs="nothing")
    expose(desk, "dev", "ssh", "smtp", "telnet")
    expose(desk, "web", "ssh")
    plain(desk, "theirs")
    assert deleted(desk, "dev", "--name", "smtp") == ['rule "smtp" of pod/dev deleted']
    assert deleted(desk, "dev", "--all", "--dry-run") == [
        'rule "ssh" of pod/dev would be deleted',
        'rule "telnet" of pod/dev would be deleted',
    ]
    assert names(desk) == ["nodeport-dev-ssh", "nodeport-dev-telnet", "nodeport-web-ssh", "theirs"]
    assert deleted(desk, "dev", "--all", "-o", "name") == [
        "service/nodeport-dev-ssh",
        "service/nodeport-dev-telnet",
    ]
    assert deleted(desk, "--all") == ['rule "ssh" of pod/web deleted']
    done = desk.nodeport("delete", "--all")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No rules to delete.\n")
    assert names(desk) == ["theirs"]
    desk.cluster.api.delete(f"{desk.ns.path}/services/theirs")
    desk.assert_nothing_left()


def test_json(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing")
    expose(desk, "dev", "ssh")
    done = desk.nodeport("delete", "dev", "--name=ssh", "-o", "json")
    assert done.returncode == 0, done.stderr
    (rule,) = json.loads(done.stdout)["items"]
    assert rule["metadata"]["name"] == "ssh"
    assert rule["spec"]["target"] == "pod/dev"


def test_what_is_not_ours(desk: Desk) -> None:
    """Crater's rule, a plain Service, and a copy of a manifest of ours."""
    pod = desk.ns.pod("dev", runs="nothing")
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "dev", "uid": pod.uid}
    crater = {"crater.raids.io/port-name": "vscode"}
    expose(desk, "dev", "ssh")
    plain(desk, "svc-abc", annotations=crater, ownerReferences=[owner])
    plain(desk, "web")
    copy = desk.cluster.api.get(f"{desk.ns.path}/services/nodeport-dev-ssh")
    kept = {key: copy["metadata"][key] for key in ("labels", "annotations")}
    plain(desk, "copied", **kept)
    error, hint = refused(desk, "dev", "--name", "vscode")
    assert error == (
        'error: "vscode" of pod/dev is Crater\'s (service svc-abc), so it is not deleted'
    )
    assert f"kubectl delete service svc-abc -n {desk.ns}" in hint
    assert "is not made by kubectl nodeport" in refused(desk, "dev", "--name", "web")[0]
    for name in ("svc-abc", "web", "copied"):
        error, hint = refused(desk, f"svc/{name}")
        assert "was not changed by kubectl nodeport" in error
        assert f"kubectl delete service {name}" in hint
    assert deleted(desk, "--all") == ['rule "ssh" of pod/dev deleted']
    assert names(desk) == ["copied", "svc-abc", "web"]


def test_no_name(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing")
    expose(desk, "dev", "ssh", "smtp")
    error, hint = refused(desk, "dev")
    assert error == "error: which rule of pod/dev is to be deleted? It has smtp, ssh"
    assert "kubectl nodeport delete dev --name smtp" in hint
    assert refused(desk, "dev", "--name", "sh")[1] == "hint: did you mean ssh?"


def test_service_that_somebody_deleted(desk: Desk) -> None:
    """What it left on the pod is removed by the rule's name."""
    desk.ns.pod("dev", runs="nothing")
    expose(desk, "dev", "ssh")
    desk.cluster.api.delete(f"{desk.ns.path}/services/nodeport-dev-ssh")
    assert deleted(desk, "dev", "--name", "ssh") == ['rule "ssh" of pod/dev deleted']
    desk.assert_nothing_left()


def test_rule_that_outlived_its_pod(desk: Desk) -> None:
    """Its owner is the StatefulSet, which is scaled to none."""
    desk.ns.stateful_set("web")
    expose(desk, "web-0", "ssh")
    path = f"/apis/apps/v1/namespaces/{desk.ns}/statefulsets/web"
    desk.cluster.api.patch(path, {"spec": {"replicas": 0}})
    desk.ns.delete_pod("web-0")
    assert deleted(desk, "web-0", "--name", "ssh", "--dry-run") == [
        'rule "ssh" of pod/web-0 would be deleted'
    ]
    assert deleted(desk, "sts/web", "--all") == ['rule "ssh" of pod/web-0 deleted']
    assert names(desk) == []


def test_rule_that_follows_a_deployment(desk: Desk) -> None:
    (pod,) = desk.ns.deployment("api", replicas=1)
    expose(desk, "deploy/api", "ssh")
    error, hint = refused(desk, pod.name, "--name", "ssh")
    assert error == (f'error: the rule "ssh" that reaches pod/{pod.name} is that of deployment/api')
    assert "kubectl nodeport delete deployment/api --name ssh" in hint
    assert deleted(desk, "deploy/api", "--name", "ssh") == ['rule "ssh" of deployment/api deleted']
    desk.assert_nothing_left()


def test_host_is_told(desk: Desk) -> None:
    desk.ns.pod("dev")
    host = desk.connect("dev")["host"]
    done = desk.nodeport("delete", "dev", "--name", "ssh")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        f"note: the host {host} leads nowhere now; kubectl nodeport connect makes its rule again"
    ]


def test_with_few_rights(desk: Desk) -> None:
    """list and delete services are enough; what stays on the pod is told."""
    desk.ns.pod("dev", runs="nothing")
    expose(desk, "dev", "ssh", "smtp")
    services = {"apiGroups": [""], "resources": ["services"], "verbs": ["list", "delete"]}
    token = desk.ns.user("few", [services])
    done = desk.nodeport("delete", "dev", "--name", "ssh", "--token", token)
    assert (done.returncode, done.stdout) == (0, 'rule "ssh" of pod/dev deleted\n'), done.stderr
    assert 'note: the label and annotation of the rule "ssh" stay on pod/dev' in done.stderr
    assert names(desk) == ["nodeport-dev-smtp"]
    reader = desk.ns.user("reader", [{**services, "verbs": ["list"]}])
    error, hint = refused(desk, "--all", "--token", reader)
    assert error.startswith('error: not deleted: rule "smtp" of pod/dev: the right to delete')
    assert "kubectl auth can-i delete services" in hint


def test_rule_stops_answering(desk: Desk) -> None:
    desk.ns.pod("dev")
    done = desk.connect("dev")
    assert deleted(desk, "dev", "--all") == ['rule "ssh" of pod/dev deleted']
    knock = ("socat", "-u", "-T", "1", f"TCP:127.0.0.1:{done['port']},connect-timeout=1", "-")
    until("the end of the port", lambda: "SSH-" not in desk.type(*knock).stdout)
