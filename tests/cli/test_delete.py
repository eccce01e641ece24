"""delete on the command line, against an API server of a few lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kubectl_nodeport.cli.app import run
from kubectl_nodeport.cli.render import delete as render
from kubectl_nodeport.commands.delete import Deleted
from kubectl_nodeport.commands.open_service import Closed
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.binding import bind
from kubectl_nodeport.rule.listed import Listed
from kubectl_nodeport.rule.rule import Rule
from tests.kube import make
from tests.kube.server import Answer, Received, serving

Captured = pytest.CaptureFixture[str]


def rule(name: str, node_port: int) -> Json:
    """The Service of a rule of the pod dev."""
    wanted = Rule(name, "default", "pod/dev", 22)
    document = service.manifest(wanted, bind(Pod.of(make.pod("dev"))), "a1b2", node_port)
    document["metadata"]["uid"] = f"uid-of-{name}"
    return document


class Cluster:
    """What the API server has, and what was asked of it."""

    def __init__(self) -> None:
        self.services = {f"nodeport-dev-{n}": rule(n, p) for n, p in (("ssh", 31001), ("web", 1))}
        self.stuck: set[str] = set()

    def __call__(self, received: Received) -> Answer:
        *_, kind, name = urlsplit(received.path).path.split("/")
        if received.method == "DELETE":
            body = json.loads(received.body)
            assert body["preconditions"] == {"uid": self.services[name]["metadata"]["uid"]}
            if name in self.stuck:
                return Answer({"message": "a webhook says no", "reason": "Forbidden"}, status=403)
            del self.services[name]
            return Answer({"kind": "Status", "status": "Success"})
        if name == "services":
            return Answer({"items": list(self.services.values())})
        if name in self.services:
            return Answer(self.services[name])
        return Answer({"message": f'{kind} "{name}" not found', "reason": "NotFound"}, status=404)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("HOME", str(tmp_path))
    made = Cluster()
    with serving(made) as server:
        url = {"server": f"http://127.0.0.1:{server.port}"}
        path = make.kubeconfig(tmp_path / "kubeconfig", "kind", current="kind", cluster=url)
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield made


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["dev", "--name", "ssh"], 'rule "ssh" of pod/dev deleted\n'),
        (["pod/dev", "--name=ssh"], 'rule "ssh" of pod/dev deleted\n'),
        (["svc/nodeport-dev-ssh"], 'rule "ssh" of pod/dev deleted\n'),
        (
            ["dev", "--name", "web", "--name", "ssh"],
            'rule "ssh" of pod/dev deleted\nrule "web" of pod/dev deleted\n',
        ),
        (["--all"], 'rule "ssh" of pod/dev deleted\nrule "web" of pod/dev deleted\n'),
        (["--all=true", "dev", "-o=name"], "service/nodeport-dev-ssh\nservice/nodeport-dev-web\n"),
        (["-n=default", "dev", "--name=ssh", "-o", "name"], "service/nodeport-dev-ssh\n"),
    ],
)
def test_what_is_printed(cluster: Cluster, capsys: Captured, words: list[str], out: str) -> None:
    assert run(["delete", "-q", *words]) == 0
    assert capsys.readouterr() == (out, "")
    assert len(cluster.services) == 2 - len(out.splitlines())


@pytest.mark.parametrize("flag", ["--dry-run", "--dry-run=client"])
def test_dry_run(cluster: Cluster, capsys: Captured, flag: str) -> None:
    assert run(["delete", "-q", "dev", "--name", "ssh", flag]) == 0
    assert capsys.readouterr() == ('rule "ssh" of pod/dev would be deleted\n', "")
    assert len(cluster.services) == 2


def test_json(cluster: Cluster, capsys: Captured) -> None:
    assert run(["delete", "-q", "dev", "--name", "ssh", "-o", "json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert (item["kind"], item["metadata"]["name"], item["spec"]["nodePort"]) == (
        *("Rule", "ssh", 31001),
    )
    assert list(cluster.services) == ["nodeport-dev-web"]


def test_nothing_to_delete(cluster: Cluster, capsys: Captured) -> None:
    cluster.services.clear()
    assert run(["delete", "-q", "--all"]) == 0
    assert capsys.readouterr() == ("", "No rules to delete.\n")


def test_what_is_gone_is_printed_before_what_is_left(cluster: Cluster, capsys: Captured) -> None:
    cluster.stuck = {"nodeport-dev-ssh"}
    assert run(["delete", "-q", "--all"]) == 1
    out, err = capsys.readouterr()
    assert out == 'rule "web" of pod/dev deleted\n'
    assert err.startswith('error: not deleted: rule "ssh" of pod/dev: ')
    assert "a webhook says no" in err
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "what is to be deleted?"),
        (["--name", "ssh"], "what is to be deleted?"),
        (["dev", "--name", "ssh", "--all"], "both --name and --all are given"),
        (["dev", "-l", "app=dev", "--all"], "both a name and a selector are given"),
        (["dev"], "which rule of pod/dev is to be deleted? It has ssh, web"),
        (["dev", "--name", "x"], 'no pod "dev" in'),
        (["node/x", "--all"], '"node/x": "node" is not a kind that can be a target'),
        (["dev", "--port", "22"], "unknown flag: --port"),
        (["svc/nodeport-dev-ssh", "--all"], "service/nodeport-dev-ssh is one Service"),
    ],
)
def test_what_is_refused(cluster: Cluster, capsys: Captured, words: list[str], error: str) -> None:
    assert run(["delete", "-q", *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {error}")
    assert len(cluster.services) == 2


def test_closed_service() -> None:
    closed = Closed("mysql", "default", "ClusterIP")
    done = Deleted(closed=closed)
    assert render.as_text(done) == "service/mysql is of type ClusterIP again"
    dry_run = Deleted(closed=closed, dry_run=True)
    assert render.as_text(dry_run) == "service/mysql would be of type ClusterIP again"
    assert render.names(done) == ["service/mysql"]
    assert render.as_document(done) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "mysql", "namespace": "default"},
        "spec": {"type": "ClusterIP"},
    }


def test_rule_whose_target_cannot_be_read() -> None:
    row = Listed("nodeport-x", "default", service="nodeport-x")
    assert render.as_text(Deleted((row,))) == 'rule "nodeport-x" of service/nodeport-x deleted'
