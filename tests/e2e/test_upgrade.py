"""A rule and a Host entry as the version before wrote them, on the real cluster."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

import pytest

from tests.e2e.conftest import Desk
from tests.upgrade.written import CONFIG, SUFFIX, objects

pytestmark = pytest.mark.cluster

RULE = "nodeport-dev-ssh"
FORMAT = "kubectl-nodeport/format"
Json = dict[str, Any]


def make_rule(desk: Desk, uid: str) -> int:
    """The Service of tests/upgrade/format_1 for this pod, and what the pod carries of it.

    :returns: its node port, which the server has chosen: other tests may hold the one of then.
    """
    old = {(one["kind"], one["metadata"]["name"]): one for one in objects()}
    service, pod = copy.deepcopy(old["Service", RULE]), old["Pod", "dev"]
    was, metadata = pod["metadata"]["uid"], service["metadata"]
    assert FORMAT not in metadata["annotations"]
    metadata["namespace"] = desk.ns.name
    metadata["annotations"]["kubectl-nodeport/service"] = f"{desk.ns.name}/{RULE}"
    for given_by_the_server in ("uid", "resourceVersion"):
        del metadata[given_by_the_server]
    for given_by_the_server in ("clusterIP", "ipFamilies"):
        del service["spec"][given_by_the_server]
    label = pod["metadata"]["labels"]["kubectl-nodeport/ssh"].replace(was, uid)
    metadata["ownerReferences"][0]["uid"] = uid
    service["spec"]["selector"] = {"kubectl-nodeport/ssh": label}
    (port,) = service["spec"]["ports"]
    was_open = port.pop("nodePort")
    made = desk.cluster.api.create(f"{desk.ns.path}/services", service)
    node_port: int = made["spec"]["ports"][0]["nodePort"]
    ((key, value),) = pod["metadata"]["annotations"].items()
    annotations = {key: value.replace(f"{was_open}", f"{node_port}")}
    patch = {"labels": {"kubectl-nodeport/ssh": label}, "annotations": annotations}
    desk.cluster.api.patch(f"{desk.ns.path}/pods/dev", {"metadata": patch})
    return node_port


def write_entry(desk: Desk, uid: str, node_port: int, like: Json) -> str:
    """The entry of dev in tests/upgrade/format_1, for this pod; its alias.

    :param like: a host of this cluster, as `get hosts` tells it, whose keys are the image's.
    """
    lines = [line.strip() for line in CONFIG.splitlines()]
    (comment,) = (
        line for line in lines if line.startswith('# kubectl-nodeport: {"v":1,"alias":"dev.')
    )
    start = lines.index(comment) - 1
    words = [line for line in lines[start : start + 12] if line != comment]
    assert words[-1] == "ServerAliveInterval 30"
    plain = json.loads(comment.removeprefix("# kubectl-nodeport: "))
    origin, alias = plain["origin"], f"dev.{desk.ns.name}.docker-desktop"
    text = "\n".join(words).replace(f"dev{SUFFIX}", alias)
    text = text.replace("User root", f"User {like['spec']['user']}")
    text = text.replace(f"Port {plain['port']}", f"Port {node_port}")
    origin |= {key: like["origin"][key] for key in ("cluster", "context", "kubeconfig")}
    origin |= {"namespace": desk.ns.name, "pod_uid": uid}
    plain |= {"alias": alias, "user": like["spec"]["user"], "identity": None, "cancel_proxy": False}
    plain["port"] = node_port
    plain["known_hosts"] = f"~/.ssh/kubectl-nodeport/{alias}.known_hosts"
    del plain["sum"], plain["neutral"]
    whole = json.dumps(plain, separators=(",", ":"))
    assert " " not in whole
    guard = hashlib.sha256(f"{whole}\n{text}".encode()).hexdigest()[:16]
    first, *rest = text.split("\n")
    comment = f'  # kubectl-nodeport: {whole[:-1]},"sum":"{guard}"}}'
    entry = [first, comment, *(f"  {line}" for line in rest)]
    begin, end = lines[0], "# <<< kubectl-nodeport <<<"
    desk.config.write_text("\n".join([begin, *entry, end, ""]))
    keys = desk.config.parent / "kubectl-nodeport"
    known = (keys / f"{like['metadata']['name']}.known_hosts").read_text()
    (keys / f"{alias}.known_hosts").write_text(known.replace(like["metadata"]["name"], alias))
    return alias


def test_connect_get_and_disconnect(desk: Desk) -> None:
    uid = desk.ns.pod("dev").uid
    desk.ns.pod("other")
    desk.connect("other")
    (like,) = json.loads(desk.nodeport("get", "hosts", "-o", "json").stdout)["items"]
    host = write_entry(desk, uid, make_rule(desk, uid), like)
    text = desk.config.read_text()
    again = desk.nodeport("connect", "dev")
    assert again.returncode == 0, again.stderr
    assert "nothing changed" in again.stdout
    assert desk.ssh(host, "hostname") == "dev"
    synced = desk.nodeport("sync")
    assert (synced.returncode, synced.stderr) == (0, "")
    assert desk.config.read_text() == text
    rows = json.loads(desk.nodeport("get", "dev", "-o", "json").stdout)["items"]
    assert [(row["status"]["hosts"], row["status"]["problem"]) for row in rows] == [([host], None)]
    done = desk.nodeport("disconnect", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"service/{RULE} deleted" in done.stdout
    assert desk.nodeport("delete", "other", "--all").returncode == 0
    (desk.config.parent / "kubectl-nodeport" / f"{like['metadata']['name']}.known_hosts").unlink()
    desk.assert_nothing_left(but_backups=True)


def test_delete(desk: Desk) -> None:
    make_rule(desk, desk.ns.pod("dev").uid)
    done = desk.nodeport("delete", "dev", "--name", "ssh")
    assert (done.returncode, done.stderr) == (0, "")
    desk.assert_nothing_left()


def test_a_newer_rule_is_left_alone(desk: Desk) -> None:
    make_rule(desk, desk.ns.pod("dev").uid)
    annotate = ("annotate", "service", RULE, f"{FORMAT}=2", "-n", desk.ns.name)
    desk.cluster.kubectl(*annotate)
    (before,) = desk.services()
    for words in (("connect", "dev"), ("expose", "dev", "--name", "ssh"), ("delete", "--all")):
        done = desk.nodeport(*words)
        assert done.returncode == 1, words
        error, hint = done.stderr.splitlines()
        assert error.endswith(f"service {RULE} was written by a newer kubectl-nodeport")
        assert hint.startswith(
            "hint: upgrade this one: kubectl krew upgrade nodeport, or pipx upgrade "
            f"kubectl-nodeport; or: kubectl delete service {RULE} -n {desk.ns.name}"
        )
    assert desk.services() == [before]
    listed = desk.nodeport("get", "dev")
    assert "ssh" in listed.stdout
    assert "was made by a newer kubectl-nodeport" in listed.stderr
