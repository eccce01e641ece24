"""Every way in which connect fails: one error line, one hint, exit 1, and nothing left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import SHORT, Desk
from tests.e2e.test_rbac import Person

pytestmark = pytest.mark.cluster

CORE = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]},
]

NODE_IS_SILENT = (
    "192.168.65.3: no reply: a firewall, or no way to that network from here "
    "(the pod's node (InternalIP))"
)
FORWARDS = "(this machine: Docker Desktop forwards NodePorts to 127.0.0.1)"


def test_no_kubeconfig(desk: Desk) -> None:
    """Without a kubeconfig it says where it looked."""
    path = desk.laptop.home / ".kube" / "config"
    path.unlink()
    assert desk.refused("dev") == message(
        f"no kubeconfig: {desk.laptop.inside(path)} does not exist",
        "set KUBECONFIG, or give --kubeconfig FILE; a local cluster writes one when it starts",
    )


def test_unknown_context(desk: Desk) -> None:
    """A context that does not exist is named, with the one that was perhaps meant."""
    assert desk.refused("dev", "--context", "docker-dekstop") == message(
        'context "docker-dekstop" does not exist', "did you mean: docker-desktop"
    )


def test_cluster_down(desk: Desk) -> None:
    """A server that refuses the connection is told with its URL."""
    document = desk.cluster.kubeconfig()
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    path = desk.laptop.write(desk.laptop.home / "kc", json.dumps(document))
    assert desk.refused("dev", "--kubeconfig", str(path)) == message(
        'the API server of context "docker-desktop" at https://127.0.0.1:1 refused the connection',
        f"is the cluster running? kubectl --kubeconfig {path} version",
    )


def test_wrong_token(desk: Desk) -> None:
    """401: the credentials are not accepted, and the token is not printed."""
    document = desk.cluster.kubeconfig("no-such-token")
    path = desk.laptop.write(desk.laptop.home / "kc", json.dumps(document))
    assert desk.refused("dev", "--kubeconfig", str(path)) == message(
        'the API server of context "docker-desktop" does not accept the credentials (401)',
        f"log in again as your cluster wants it, and try: kubectl --kubeconfig {path} auth whoami",
    )
    loud = desk.nodeport("connect", "dev", "--kubeconfig", str(path), "-v=9")
    assert "Traceback" in loud.stderr
    assert "no-such-token" not in loud.stderr + loud.stdout


@pytest.mark.parametrize(
    ("missing", "resource", "needed"),
    [
        ("get", "pods", "read the pod"),
        ("list", "services", "see whether the rule exists already"),
        ("create", "services", "expose port 22 of pod dev"),
    ],
)
def test_missing_right(desk: Desk, missing: str, resource: str, needed: str) -> None:
    """403: which right is missing, where, and what it is needed for."""
    desk.ns.pod("dev")
    user = as_user(desk, without(missing, resource))
    nor = (
        f"; and through the API server: the right to get pods/portforward -n {desk.ns} is missing, "
        "needed to reach the pod's port through the API server"
    )
    assert desk.refused("dev", "--kubeconfig", user) == message(
        f"the right to {missing} {resource} -n {desk.ns} is missing, needed to {needed}"
        f"{nor if resource == 'services' else ''}",
        "ask for it, and check with: "
        f"kubectl --kubeconfig {user} auth can-i {missing} {resource} -n {desk.ns}",
    )


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
    user = as_user(desk, [*CORE, listing])
    assert desk.refused(pod, "--kubeconfig", user) == message(
        f"pod {pod} has no labels of its own, and the right to patch pods -n {desk.ns} is "
        "missing, needed to give the pod the rule's label",
        "ask for it, and check with: "
        f"kubectl --kubeconfig {user} auth can-i patch pods -n {desk.ns}",
    )


def test_no_such_pod(desk: Desk) -> None:
    """A typo is answered with near matches."""
    desk.ns.pod("devbox", wait=False)
    assert desk.refused("devbxo") == message(
        f'no pod "devbxo" in the namespace "{desk.ns}" of the context "docker-desktop"',
        "did you mean: devbox",
    )


def test_mistyped_namespace(desk: Desk) -> None:
    """The API server tells it from an empty one as little as from one without this pod."""
    done = desk.type("kubectl", "nodeport", "connect", "dev", "-qn", "kube-sytem")
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        message(
            'no pod "dev" in the namespace "kube-sytem" of the context "docker-desktop"',
            "there are no pods at all in that namespace; kubectl get namespaces lists those that "
            "exist, -n names one",
        ),
    )


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (
            {"schedulable": False},
            r"pod dev is pending: 0/1 nodes are available: .*didn't match Pod's node affinity.*",
            r"see why: kubectl describe pod dev -n {ns}",
        ),
        (
            {"runs": "crash"},
            r"container main of pod dev keeps crashing: "
            r"(Error|CrashLoopBackOff: back-off .* restarting failed container=main .*), "
            r"\d+ restarts",
            r"kubectl logs dev -c main -n {ns} --previous",
        ),
        (
            {"runs": "done", "restart": "Never"},
            r"pod dev has completed, nothing runs in it any more",
            r"start it anew, or see why: kubectl describe pod dev -n {ns}",
        ),
        (
            {"runs": "crash", "restart": "Never"},
            r"pod dev has failed, nothing runs in it any more",
            r"start it anew, or see why: kubectl describe pod dev -n {ns}",
        ),
        (
            {"runs": "nothing"},
            r"nothing listens on port 22 of pod dev",
            r"bring an ssh server along: kubectl nodeport connect dev -n {ns} --with-sshd; or "
            r"start one in the container; more: kubectl nodeport doctor pod/dev -n {ns} "
            r"\(check sshd\)",
        ),
        (
            {"runs": "echo"},
            r"port 22 of pod dev is open, but no ssh server is behind it; tried "
            r"127\.0\.0\.1: not an ssh server, it sends back what it is sent "
            f"{re.escape(FORWARDS)}; {re.escape(NODE_IS_SILENT)}; and through the API server: "
            r"not an ssh server, it sends back what it is sent",
            r"start an ssh server in the pod, or say where it listens with --port",
        ),
    ],
)
def test_pod_that_cannot_be_reached(
    desk: Desk, words: dict[str, Any], error: str, hint: str
) -> None:
    """Pending, crashing, ended, without a listener, or with one that is no ssh server."""
    desk.ns.pod("dev", **words)
    expected = message(error, hint.format(ns=desk.ns))
    told = desk.refused("dev")
    assert re.fullmatch(expected, told), told


def test_key_mismatch(desk: Desk) -> None:
    """Host keys were replaced on disk, and sshd -r holds its own: it is refused, unless the pod's
    port shows that key through the API server."""
    make = "rm -f /tmp/key*; ssh-keygen -q -t ed25519 -N '' -f /tmp/key"
    again = f"until grep -q ':0016 .* 0A ' /proc/net/tcp; do sleep 0.1; done; {make}; echo replaced"
    run = f"mkdir -p /run/sshd; {make}; {{ {again}; }} & exec /usr/sbin/sshd -r -D -e -h /tmp/key"
    desk.ns.pod("dev", command=("bash", "-euc", run))
    until("new keys", lambda: "replaced" in desk.ns.log("dev"))
    person = Person(desk, "get pods/portforward", "create pods/portforward")
    code, out, told = person.run("connect", "dev", "--via", "nodeport", *SHORT)
    assert (code, out) == (1, "")
    desk.assert_nothing_left()
    expected = message(
        r"what answers at NodePort \d+ is not pod dev: its host key is another's than the pod's "
        r"\(SHA256:[\w+/]{43}\); tried 127\.0\.0\.1: another ssh server, its host key is "
        rf"(SHA256:[\w+/]{{43}}) {re.escape(FORWARDS)}; {re.escape(NODE_IS_SILENT)}",
        r"the ssh server may still hold a key that was replaced on disk: restart it; "
        r"or another server holds the port here: take another, with --node-port",
    )
    found = re.fullmatch(expected, told)
    assert found, told
    done = desk.connect("dev", *SHORT)
    assert done["hostKeysFrom"] == "port-forward"
    assert [key["fingerprint"] for key in done["hostKeys"]] == [found[1]]


def test_unreadable_ssh_config(desk: Desk) -> None:
    """A configuration that cannot be read is not taken for an empty one."""
    desk.ns.pod("dev")
    desk.config.mkdir()
    path = desk.laptop.inside(desk.config)
    assert desk.refused("dev") == message(
        f"{path} cannot be read: Is a directory", f"look at it with `ls -l {path}`"
    )


@pytest.mark.parametrize("what", ["file", "folder"])
def test_unwritable_ssh_config(desk: Desk, what: str) -> None:
    """A file or folder that is closed for writing stays closed; its owner is shown the lines."""
    desk.ns.pod("dev")
    desk.config.write_text("Host work\n  HostName 192.0.2.7\n")
    path = desk.laptop.inside(desk.config)
    connect = ["kubectl", "nodeport", "connect", "dev", "-qn", desk.ns.name]
    if what == "folder":  # root may write everywhere, but not without this
        connect = ["setpriv", "--bounding-set=-dac_override", *connect]
    with closed(desk.config if what == "file" else desk.config.parent):
        done = desk.type(*connect)
        desk.assert_nothing_left()
    error, *lines, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    lock = path.with_name(".config.kubectl-nodeport.lock")
    assert (
        error
        == {
            "file": f"error: {path} is read-only",
            "folder": f"error: {lock} cannot be written: Permission denied",
        }[what]
    )
    assert f"Host dev.{desk.ns}.docker-desktop" in lines
    keys = path.parent / "kubectl-nodeport" / f"dev.{desk.ns}.docker-desktop.known_hosts"
    assert hint == (
        f"hint: add the line `Include kubectl-nodeport/config` at the top of {path} by hand and "
        f"run this again, or add the lines above before its first Host or Match line and to {keys}"
    )
    assert desk.config.read_text() == "Host work\n  HostName 192.0.2.7\n"


def test_include_that_a_read_only_config_lacks(desk: Desk) -> None:
    """With the choice of --include left over, one line is all that is left to do."""
    desk.ns.pod("dev")
    desk.config.write_text("Host work\n  HostName 192.0.2.7\n")
    host = desk.connect("dev", "--include")["host"]
    assert desk.nodeport("disconnect", "dev").stdout.endswith(
        f"host/{host} removed from ~/.ssh/kubectl-nodeport/config\n"
    )
    line = "Include kubectl-nodeport/config"
    ssh = ["kubectl", "nodeport", "ssh", "dev", "-qn", desk.ns.name, "--", "hostname"]
    with closed(desk.config):
        done = desk.nodeport("connect", "dev")
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[3] == f"host/{host} created in ~/.ssh/kubectl-nodeport/config, user root"
        first = "~/.ssh/config is read-only. Add this line by hand, as its first:"
        assert lines[4:10] == ["", first, f"  {line}", "", "Then connect with:", f"  ssh {host}"]
        done = desk.type(*ssh)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith(
            message(
                f"ssh does not find {host} yet: ~/.ssh/config is read-only, and does not include "
                "~/.ssh/kubectl-nodeport/config",
                f"add this line by hand, as its first, and run this again: {line}",
            )
        )
    desk.config.write_text(f"{line}\n{desk.config.read_text()}")
    assert desk.type(*ssh).stdout == "dev\n"


def test_disk_full(desk: Desk) -> None:
    """Where the new content does not fit the file keeps its old one, and the rule goes."""
    desk.ns.pod("dev")
    mine = "# a line of the user's own\n" * 3000
    desk.config.write_text(mine)
    limit = ("prlimit", f"--fsize={len(mine)}")  # a kubeconfig's certificates still fit
    done = desk.type(*limit, "kubectl", "nodeport", "connect", "dev", "-qn", desk.ns.name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == message(
        "the new text cannot be tried out in /tmp: File too large",
        "look at `df /tmp`, or set TMPDIR to another folder",
    )
    assert desk.config.read_text() == mine
    desk.assert_nothing_left()


def test_alias_of_the_users_own(desk: Desk) -> None:
    """A Host that the user wrote is never shadowed."""
    desk.ns.pod("dev")
    desk.config.write_text("Host box\n  HostName 192.0.2.7\n")
    assert desk.refused("dev", "--host", "box") == message(
        "the ssh configuration already has a Host box that kubectl nodeport did not make",
        "choose another name with --host",
    )


def test_no_address_answers(desk: Desk) -> None:
    """Where nothing answers, every candidate is named with its failure."""
    desk.ns.pod("dev")
    desk.cluster.use("lan")
    with desk.firewall():
        told = desk.refused("dev", "--timeout", "3s", "--via", "nodeport")
    expected = message(
        r"NodePort \d+ of pod dev is open, but answers at no address from here; tried "
        f"{re.escape(NODE_IS_SILENT)}; "
        r"127\.0\.0\.1: connection refused: nothing is behind that port there "
        r"\(this machine: the cluster may run on it\)",
        r"a firewall or a VPN may stand between; on the node: sudo ufw allow \d+/tcp, or sudo "
        r"firewall-cmd --add-port=\d+/tcp; more: kubectl nodeport doctor pod/dev -n "
        rf"{desk.ns.name} \(checks node, network-policy\)",
    )
    assert re.fullmatch(expected, told), told


def message(error: str, hint: str) -> str:
    """All that a failing connect prints."""
    return f"error: {error}\nhint: {hint}\n"


@contextmanager
def closed(path: Path) -> Iterator[None]:
    """Take everybody's right to write away for a while."""
    mode = path.stat().st_mode
    path.chmod(mode & ~0o222)
    try:
        yield
    finally:
        path.chmod(mode)


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


def test_cut_off_mid_answer(desk: Desk) -> None:
    """A connection that breaks in the middle of an answer is an error, not half an object."""
    desk.ns.pod("dev")
    with desk.cluster.relay(cut_after_bytes=1500, cut_path="/pods/dev") as relay:
        path = relay.kubeconfig()
        assert desk.refused("dev", "--kubeconfig", str(path)) == message(
            f'the API server of context "docker-desktop" at {relay.server} broke off its answer',
            f"is the cluster running? kubectl --kubeconfig {path} version",
        )
