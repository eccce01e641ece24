"""get on the command line, against an API server of a few lines, and hosts without any."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from kubectl_nodeport.cli.app import run
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.ssh.config_file import ConfigFile
from tests.kube import make
from tests.kube.server import Answer, Received, Server, serving
from tests.ssh.make import entry_for, key, origin

Captured = pytest.CaptureFixture[str]

WEB: Json = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "type": "NodePort",
        "selector": {"app": "dev"},
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}],
    },
}


class Cluster:
    """What the API server has."""

    def __init__(self) -> None:
        self.services = [WEB]
        self.pods = [make.pod("dev")]
        self.events = ""
        self.asked: list[str] = []

    def __call__(self, received: Received) -> Answer:
        url = urlsplit(received.path)
        self.asked.append(url.path)
        query = parse_qs(url.query)
        if "watch" in query:
            assert query["resourceVersion"] == ["7"]
            return Answer(self.events)
        assert query["limit"] == ["500"]
        items = self.services if url.path.endswith("services") else self.pods
        return Answer({"metadata": {"resourceVersion": "7"}, "items": items})


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def _server(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HOME", str(tmp_path))
    with serving(cluster) as server:
        url = {"server": f"http://127.0.0.1:{server.port}"}
        path = make.kubeconfig(tmp_path / "kubeconfig", "kind", current="kind", cluster=url)
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield server


def printed(capsys: Captured, *words: str) -> tuple[str, str]:
    """stdout and stderr of a run that has to work; no Host entry of this machine is in it."""
    assert run(["get", "-q", *words, "--ssh-config", "/nowhere/config"]) == 0
    return capsys.readouterr()


@pytest.mark.usefixtures("_server")
class TestRules:
    @pytest.mark.parametrize("words", [(), ("rules",), ("-n", "default"), ("-o=text",)])
    def test_table(self, capsys: Captured, words: tuple[str, ...]) -> None:
        out, err = printed(capsys, *words)
        assert out.splitlines() == [
            "NAME          POD   PORT   ADDRESS        NODEPORT   HOST     AGE",
            "web (other)   dev   8080   192.168.5.82   30080      <none>   <unknown>",
        ]
        assert err == ""

    def test_wide(self, capsys: Captured) -> None:
        heading, row = printed(capsys, "-o", "wide")[0].splitlines()
        assert heading.split()[7:] == ["TARGET", "SERVICE", "MANAGED-BY", "PROBLEM"]
        assert row.split()[8:] == ["<none>", "web", "other", "<none>"]

    def test_all_namespaces(self, capsys: Captured, cluster: Cluster) -> None:
        out, _ = printed(capsys, "-A")
        assert out.startswith("NAMESPACE   NAME          POD         PORT")
        assert cluster.asked == ["/api/v1/services"]

    def test_documents(self, capsys: Captured) -> None:
        from_json = json.loads(printed(capsys, "-o", "json")[0])
        assert yaml.safe_load(printed(capsys, "-o", "yaml")[0]) == from_json
        assert from_json["kind"] == "RuleList"
        assert from_json["items"][0]["spec"]["nodePort"] == 30080

    def test_names(self, capsys: Captured) -> None:
        assert printed(capsys, "-o", "name") == ("service/web\n", "")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "No rules found in default namespace.\n"),
            (("-n", "lab"), "No rules found in lab namespace.\n"),
            (("-A",), "No rules found\n"),
            (("-o", "wide"), "No rules found in default namespace.\n"),
            (("-o", "name"), "No rules found in default namespace.\n"),
        ],
    )
    def test_nothing(
        self, capsys: Captured, cluster: Cluster, words: tuple[str, ...], said: str
    ) -> None:
        cluster.services = []
        assert printed(capsys, *words) == ("", said)

    def test_nothing_for_programs(self, capsys: Captured, cluster: Cluster) -> None:
        cluster.services = []
        out, err = printed(capsys, "-o", "json")
        assert (json.loads(out)["items"], err) == ([], "")

    def test_problem_is_a_note(self, capsys: Captured, cluster: Cluster) -> None:
        told = {"nodeport.crater.raids.io/ssh": "\x1b[2J"}
        cluster.pods = [make.pod("dev", annotations=told)]
        out, err = printed(capsys)
        assert "\nssh (crater)   dev" in out
        assert err == (
            "note: rule ssh of pod dev in default: "
            "its annotation is malformed: its value is not JSON\n"
        )

    def test_name_in_all_namespaces(self, capsys: Captured) -> None:
        assert run(["get", "-q", "dev", "-A"]) == 1
        error, hint = capsys.readouterr().err.splitlines()
        assert error == "error: pod/dev is named, which can be in one namespace only"
        assert hint == "hint: leave out -A: kubectl nodeport get pod/dev -n default"


@pytest.mark.usefixtures("_server")
class TestWatch:
    """With an end that comes from the server: the right to watch is taken away."""

    REFUSAL: ClassVar[Json] = {
        "type": "ERROR",
        "object": {"kind": "Status", "code": 403, "message": "enough", "reason": "Forbidden"},
    }

    @pytest.fixture(autouse=True)
    def _events(self, cluster: Cluster) -> None:
        changed = {**WEB, "metadata": {"name": "other", "namespace": "default"}}
        events = [{"type": "ADDED", "object": changed}, {"type": "DELETED", "object": WEB}]
        cluster.events = "".join(json.dumps(one) + "\n" for one in [*events, self.REFUSAL])

    def watched(self, capsys: Captured, *words: str) -> str:
        assert run(["get", "-q", "-w", "--ssh-config", "/nowhere/config", *words]) == 1
        out, err = capsys.readouterr()
        assert err.splitlines()[0] == "error: the API server refused to watch the rules: enough"
        return out

    def test_table(self, capsys: Captured) -> None:
        assert self.watched(capsys).splitlines() == [
            "NAME          POD   PORT   ADDRESS        NODEPORT   HOST     AGE",
            "web (other)   dev   8080   192.168.5.82   30080      <none>   <unknown>",
            "other (other)   dev   8080   192.168.5.82   30080      <none>   <unknown>",
            "web (other)     dev   8080   192.168.5.82   30080      <none>   <unknown>",
        ]

    def test_names(self, capsys: Captured) -> None:
        names = ["service/web", "service/other", "service/web"]
        assert self.watched(capsys, "-o", "name").splitlines() == names

    def test_a_document_for_each(self, capsys: Captured) -> None:
        found = list(yaml.safe_load_all(self.watched(capsys, "-o", "yaml")))
        assert [one["kind"] for one in found] == ["Rule"] * 3
        assert [one["status"]["service"] for one in found] == ["web", "other", "web"]
        text = self.watched(capsys, "-o", "json")
        assert json.loads("[" + text.strip().replace("\n}\n{", "\n},\n{") + "]") == found

    def test_nothing_at_first(self, capsys: Captured, cluster: Cluster) -> None:
        cluster.services = []
        out = self.watched(capsys)
        assert [line.split()[0] for line in out.splitlines()] == ["NAME", "other"]

    def test_hosts(self, capsys: Captured) -> None:
        assert run(["get", "hosts", "-w"]) == 1
        assert "error: hosts are not watched" in capsys.readouterr().err


class TestHosts:
    @pytest.fixture
    def config(self, tmp_path: Path) -> str:
        path = tmp_path / "config"
        path.write_text("Host mine\n  HostName 192.0.2.1\n")
        store = ConfigFile(path)
        store.put(entry_for(store, "dev.default.kind"), [key(1)])
        store.put(
            entry_for(store, "api.lab.eks", origin=origin(context="eks", namespace="lab")), [key(1)]
        )
        return str(path)

    def test_offline(self, config: str, tmp_path: Path) -> None:
        """No kubeconfig, no network: what it loads could not even speak to a cluster."""
        code = (
            "import sys\nfrom kubectl_nodeport.cli.app import run\n"
            "code = run(sys.argv[1:])\n"
            "print(code, *sys.modules, file=sys.stderr)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "get", "hosts", "--ssh-config", config],
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "KUBECONFIG": "/nowhere"},
            cwd=Path(__file__).parent.parent.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        assert [line.split()[0] for line in done.stdout.splitlines()] == [
            "HOST",
            "api.lab.eks",
            "dev.default.kind",
        ]
        outcome, *loaded = done.stderr.split()
        assert outcome == "0"
        assert not {"kubernetes", "urllib3", "yaml", "paramiko"} & set(loaded)

    @pytest.mark.parametrize(
        ("words", "names"),
        [
            ((), ["host/api.lab.eks", "host/dev.default.kind"]),
            (("-A",), ["host/api.lab.eks", "host/dev.default.kind"]),
            (("--context", "eks"), ["host/api.lab.eks"]),
            (("-n", "default"), ["host/dev.default.kind"]),
        ],
    )
    def test_which(
        self, capsys: Captured, config: str, words: tuple[str, ...], names: list[str]
    ) -> None:
        assert run(["get", "hosts", "--ssh-config", config, "-o", "name", *words]) == 0
        assert capsys.readouterr().out.splitlines() == names

    def test_documents(self, capsys: Captured, config: str) -> None:
        found = []
        for chosen in ("json", "yaml"):
            assert run(["get", "hosts", "--ssh-config", config, "-o", chosen]) == 0
            found.append(yaml.safe_load(capsys.readouterr().out))
        assert found[0] == found[1]
        assert found[0]["kind"] == "HostList"
        assert [item["origin"]["context"] for item in found[0]["items"]] == [
            "eks",
            "docker-desktop",
        ]

    def test_nothing(self, capsys: Captured, tmp_path: Path) -> None:
        path = str(tmp_path / "none")
        assert run(["get", "hosts", "--ssh-config", path]) == 0
        assert capsys.readouterr() == ("", f"No hosts found in {path}.\n")

    def test_selector(self, capsys: Captured) -> None:
        assert run(["get", "hosts", "-l", "app=web"]) == 1
        assert "error: hosts have no labels" in capsys.readouterr().err
