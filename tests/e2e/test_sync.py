"""sync, with the installed program on the real cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.relay import Relay
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster


def sync(desk: Desk, *words: str) -> tuple[int, list[str], str]:
    """Exit code, stdout's lines and stderr; of all namespaces and contexts."""
    done = desk.type("kubectl", "nodeport", "sync", "-q", *words)
    return done.returncode, done.stdout.splitlines(), done.stderr


def hosts(desk: Desk) -> list[str]:
    """The aliases in the file."""
    done = desk.type("kubectl", "nodeport", "get", "hosts", "-o", "name")
    return [line.removeprefix("host/") for line in done.stdout.splitlines()]


def renamed(desk: Desk, kubeconfig: Path, context: str) -> str:
    """A copy of a kubeconfig whose one context has this name."""
    document: dict[str, Any] = json.loads(desk.laptop.outside(kubeconfig).read_text())
    document["contexts"][0]["name"] = document["current-context"] = context
    path = desk.laptop.home / f"{context}.kubeconfig"
    return str(desk.laptop.write(path, json.dumps(document)))


def far(desk: Desk, relay: Relay) -> str:
    """A kubeconfig for the same cluster under another context's name, by way of a relay."""
    return renamed(desk, relay.kubeconfig(), "far")


def test_replaced_and_deleted_pods(desk: Desk) -> None:
    """A Deployment's new pod is taken over with its keys; the host of a pod that is gone goes."""
    (before,) = desk.ns.deployment("api", replicas=1, host_keys="own")
    desk.ns.pod("dev")
    api, dev = (desk.connect(name)["host"] for name in ("deploy/api", "dev"))
    assert sync(desk) == (0, [f"host/{api} unchanged", f"host/{dev} unchanged"], "")
    written = desk.config.read_bytes()
    desk.ns.delete_pod("dev")
    desk.ns.delete_pod(before.name)
    (after,) = desk.ns.scale("api", 1, host_keys="own")
    code, dry, err = sync(desk, "--dry-run")
    assert (code, err) == (0, "")
    assert dry[0] == f"host/{api} would be updated: another pod, new host keys"
    assert f"-Host {dev}" in dry
    assert desk.config.read_bytes() == written
    code, lines, err = sync(desk)
    assert (code, err) == (0, "")
    assert lines[0] == f"host/{api} updated: another pod, new host keys"
    assert lines[1].startswith(f'host/{dev} removed: no pod "dev" in the namespace "{desk.ns}"')
    assert hosts(desk) == [api]
    assert desk.ssh(api, "hostname") == after.name
    assert sync(desk) == (0, [f"host/{api} unchanged"], "")


def test_address_that_has_changed(desk: Desk) -> None:
    """The same cluster is reached by its node by now, and not by 127.0.0.1."""
    desk.ns.pod("dev")
    host = desk.connect("dev")["host"]
    desk.cluster.use("lan")
    other = desk.type(
        "kubectl", "nodeport", "sync", "-q", "--context", desk.cluster.profile.context
    )
    assert (other.returncode, other.stdout) == (0, "")
    kubeconfig = desk.laptop.inside(desk.laptop.home / ".kube" / "config")
    context = host.rpartition(".")[2]
    desk.laptop.outside(kubeconfig).write_text(
        desk.laptop.outside(Path(renamed(desk, kubeconfig, context))).read_text()
    )
    code, lines, err = sync(desk)
    assert (code, err) == (0, "")
    assert lines == [f"host/{host} updated: address 192.168.65.3, was 127.0.0.1"]
    assert desk.ssh(host, "hostname") == "dev"


def test_two_contexts_of_which_one_does_not_answer(desk: Desk) -> None:
    """The host of the other is held against its cluster all the same."""
    desk.ns.pod("dev")
    desk.ns.pod("web")
    near = desk.connect("dev")["host"]
    with desk.cluster.relay() as relay:
        config = far(desk, relay)
        away = desk.connect("web", "--kubeconfig", config)["host"]
        assert away.endswith(".far")
        assert sync(desk) == (0, [f"host/{near} unchanged", f"host/{away} unchanged"], "")
    desk.ns.delete_pod("dev")
    desk.ns.delete_pod("web")
    code, lines, err = sync(desk)
    assert code == 1
    assert lines[0].startswith(f"host/{near} removed: no pod")
    assert lines[1:] == [f"host/{away} left as it is"]
    error, hint = err.splitlines()
    assert error.startswith(f'error: left as they are: {away}: the API server of context "far"')
    assert "kubectl" in hint
    assert hosts(desk) == [away]


@pytest.mark.parametrize("missing", ["get pods", "get services", "list services"])
def test_right_that_is_missing(desk: Desk, missing: str) -> None:
    """It removes nothing, even where the pod is gone."""
    desk.ns.pod("dev")
    host = desk.connect("dev")["host"]
    rights = {f"{verb} {resource}" for verb in ("get", "list") for resource in ("pods", "services")}
    rules = [
        {"apiGroups": [""], "resources": [resource], "verbs": [verb]}
        for verb, resource in (right.split() for right in rights - {missing})
    ]
    token = desk.ns.user("few", rules)
    if missing != "list services":
        desk.ns.delete_pod("dev")
    code, lines, err = sync(desk, "--token", token)
    assert (code, lines) == (1, [f"host/{host} left as it is"])
    assert err.startswith(
        f"error: left as they are: {host}: the right to {missing} -n {desk.ns} is missing"
    ), err
    assert hosts(desk) == [host]


def test_without_the_rights_to_look_into_the_pod(desk: Desk) -> None:
    """What answers still has to show the keys that the entry has."""
    desk.ns.pod("dev")
    host = desk.connect("dev")["host"]
    reads = {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]}
    code, lines, err = sync(desk, "--token", desk.ns.user("reader", [reads]))
    assert (code, lines) == (0, [f"host/{host} unchanged"]), err
    assert "the host keys stay those of the Host entry" in err


def test_rule_that_is_gone(desk: Desk) -> None:
    desk.ns.pod("dev")
    host = desk.connect("dev")["host"]
    assert desk.nodeport("delete", "dev", "--name", "ssh").returncode == 0
    code, lines, err = sync(desk)
    assert (code, lines) == (1, [f"host/{host} left as it is"])
    assert f"hint: kubectl nodeport connect --context {desk.cluster.profile.context} dev" in err
    assert desk.services() == [], "it makes nothing"
