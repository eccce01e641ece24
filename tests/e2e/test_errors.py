"""Every way in which connect fails: one error line, one hint, exit 1, and nothing left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

CORE = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]},
]


def test_no_kubeconfig(desk: Desk) -> None:
    """Without a kubeconfig it says where it looked."""
    (desk.laptop.home / ".kube" / "config").unlink()
    done = desk.type("kubectl-nodeport", "connect", "dev")
    assert done.returncode == 1
    assert re.search(
        r"^error: no kubeconfig: /\S+/\.kube/config does not exist\nhint: ", done.stderr
    )


def test_unknown_context(desk: Desk) -> None:
    """A context that does not exist is named, with the one that was perhaps meant."""
    told = desk.refused("dev", "--context", "docker-dekstop")
    assert 'error: context "docker-dekstop" does not exist' in told
    assert "hint: did you mean: docker-desktop" in told


def test_cluster_down(desk: Desk) -> None:
    """A server that refuses the connection is told with its URL."""
    told = desk.refused("dev", "--kubeconfig", with_server(desk, "https://127.0.0.1:1"))
    assert "at https://127.0.0.1:1 refused the connection" in told


def test_wrong_token(desk: Desk) -> None:
    """401: the credentials are not accepted, and the token is not printed."""
    document = desk.cluster.kubeconfig("no-such-token")
    path = desk.laptop.write(desk.laptop.home / "kc", json.dumps(document))
    done = desk.nodeport("connect", "dev", "--kubeconfig", str(path), "-v=9")
    assert done.returncode == 1
    assert "does not accept the credentials (401)" in done.stderr
    assert "no-such-token" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("missing", "resource", "right"),
    [
        ("get", "pods", "the right to get pods -n {ns} is missing, needed to read the pod"),
        (
            "list",
            "services",
            "the right to list services -n {ns} is missing, "
            "needed to see whether the rule exists already",
        ),
        (
            "create",
            "services",
            "the right to create services -n {ns} is missing, needed to expose port 22 of pod dev",
        ),
        (
            "get",
            "pods/exec",
            "the right to get pods/exec -n {ns} is missing, "
            "needed to read the host keys inside the container",
        ),
    ],
)
def test_missing_right(desk: Desk, missing: str, resource: str, right: str) -> None:
    """403: which right is missing, where, and what it is needed for."""
    desk.ns.pod("dev")
    told = desk.refused("dev", "--kubeconfig", as_user(desk, without(missing, resource)))
    assert right.format(ns=desk.ns.name) in told
    asked = resource.replace("/exec", " --subresource=exec")
    assert f"kubectl auth can-i {missing} {asked} -n {desk.ns.name}" in told


def test_least_rights_are_enough(desk: Desk) -> None:
    """Without the right to patch or list pods or read nodes, a pod with labels of its own works."""
    desk.ns.pod("dev")
    listing: dict[str, Any] = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    patching: dict[str, Any] = {"apiGroups": [""], "resources": ["services"], "verbs": ["patch"]}
    done = desk.connect("dev", "--kubeconfig", as_user(desk, [*CORE, listing, patching]))
    assert desk.ssh(done["host"], "hostname") == "dev"
    (service,) = desk.services()
    assert service["spec"]["selector"] == {"app": "dev"}


def test_shared_labels_without_the_right_to_patch(desk: Desk) -> None:
    """Pods with equal labels cannot be told apart then: an error that says what to ask for."""
    pod = desk.ns.deployment("web", replicas=2)[0].name
    listing: dict[str, Any] = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    told = desk.refused(pod, "--kubeconfig", as_user(desk, [*CORE, listing]))
    assert f"pod {pod} has no labels of its own" in told
    assert "the right to patch pods" in told


def test_no_such_pod(desk: Desk) -> None:
    """A typo is answered with near matches."""
    desk.ns.pod("devbox", wait=False)
    told = desk.refused("devbxo")
    assert f'no pod "devbxo" in the namespace "{desk.ns.name}" of the context "docker-desk' in told
    assert "did you mean: devbox" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"schedulable": False}, r"pod dev is pending: .*didn't match Pod's node affinity"),
        ({"runs": "crash"}, r"container main of pod dev keeps crashing: .*, \d+ restarts"),
        ({"runs": "done", "restart": "Never"}, r"pod dev has completed"),
        ({"runs": "crash", "restart": "Never"}, r"pod dev has failed"),
        ({"runs": "nothing"}, r"nothing listens on port 22 of pod dev"),
        ({"runs": "echo"}, r"port 22 of pod dev is open, but no ssh server is behind it"),
    ],
)
def test_pod_that_cannot_be_reached(desk: Desk, words: dict[str, Any], said: str) -> None:
    """Pending, crashing, ended, without a listener, or with one that is no ssh server."""
    desk.ns.pod("dev", **words)
    assert re.search(said, desk.refused("dev"))


def test_key_mismatch(desk: Desk) -> None:
    """An ssh server with another key than those that the container shows is not taken for it."""
    elsewhere = "ssh-keygen -q -t ed25519 -N '' -f /tmp/key; exec /usr/sbin/sshd -D -e -h /tmp/key"
    desk.ns.pod("dev", command=("bash", "-euc", f"mkdir -p /run/sshd; {elsewhere}"))
    until("an sshd", lambda: "listening" in desk.ns.log("dev"))
    told = desk.refused("dev")
    assert "is not pod dev: its host key is another's" in told
    assert re.search(r"127\.0\.0\.1: .*SHA256:", told)


def test_unreadable_ssh_config(desk: Desk) -> None:
    """A configuration that cannot be read is not taken for an empty one."""
    desk.ns.pod("dev")
    desk.config.mkdir()
    told = desk.refused("dev")
    assert ".ssh/config" in told


def test_unwritable_ssh_config(desk: Desk) -> None:
    """Where nothing can be written the file keeps its content, and the rule goes."""
    desk.ns.pod("dev")
    desk.config.write_text("Host work\n  HostName 192.0.2.7\n")
    words = ("prlimit", "--fsize=0", "kubectl", "nodeport", "connect", "dev", "-n", desk.ns.name)
    done = desk.type(*words)
    assert done.returncode == 1
    assert re.match(r"error: .*\nhint: .*\n$", done.stderr)
    assert desk.config.read_text() == "Host work\n  HostName 192.0.2.7\n"
    desk.assert_nothing_left()


def test_alias_of_the_users_own(desk: Desk) -> None:
    """A Host that the user wrote is never shadowed."""
    desk.ns.pod("dev")
    desk.config.write_text("Host box\n  HostName 192.0.2.7\n")
    assert "already has a Host box" in desk.refused("dev", "--host", "box")


def test_no_address_answers(desk: Desk) -> None:
    """Where nothing answers, every candidate is named with its failure."""
    desk.ns.pod("dev")
    desk.cluster.use("lan")
    with desk.firewall():
        told = desk.refused("dev", "--timeout", "3s")
    assert "answers at no address from here" in told
    assert re.search(r"192\.168\.65\.3: \w+", told)


def as_user(desk: Desk, rules: Sequence[dict[str, Any]]) -> str:
    """The path of a kubeconfig for a user with just these rights."""
    token = desk.ns.user("person", rules)
    document = desk.cluster.kubeconfig(token)
    return str(desk.laptop.write(desk.laptop.home / "person.kubeconfig", json.dumps(document)))


def without(verb: str, resource: str) -> list[dict[str, Any]]:
    """The least rights, less one."""
    kept = []
    for rule in CORE:
        verbs = [v for v in rule["verbs"] if not (resource in rule["resources"] and v == verb)]
        kept.append({**rule, "verbs": verbs or ["watch"]})
    return kept


def with_server(desk: Desk, server: str, skip_tls_name: str | None = None) -> str:
    """The path of a kubeconfig that has another server URL."""
    document = desk.cluster.kubeconfig()
    document["clusters"][0]["cluster"]["server"] = server
    if skip_tls_name:
        document["clusters"][0]["cluster"]["tls-server-name"] = skip_tls_name
    return str(desk.laptop.write(desk.laptop.home / "other.kubeconfig", json.dumps(document)))


def test_cut_off_mid_answer(desk: Desk) -> None:
    """A connection that breaks in the middle of an answer is an error, not half an object."""
    desk.ns.pod("dev")
    with desk.cluster.relay(cut_after_bytes=1500, cut_path="/pods/dev") as relay:
        done = desk.nodeport("connect", "dev", "--kubeconfig", str(relay.kubeconfig()))
    assert done.returncode == 1
    assert "broke off its answer" in done.stderr
    desk.assert_nothing_left()
