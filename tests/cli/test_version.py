"""version on the command line, with and without an API server that answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from kubectl_nodeport import __version__
from kubectl_nodeport.about import about
from kubectl_nodeport.cli.app import run
from tests.kube import make
from tests.kube.server import Answer, Received, serving

Captured = pytest.CaptureFixture[str]
READERS = [("json", json.loads), ("yaml", yaml.safe_load)]


def own() -> dict[str, str]:
    return {
        "apiVersion": "kubectl-nodeport/v1",
        "kind": "Version",
        "version": __version__,
        "commit": about().commit,
        "python": about().python,
        "kubernetesPackage": version("kubernetes"),
    }


def kubeconfig(folder: Path, port: int) -> str:
    cluster = {"server": f"http://127.0.0.1:{port}"}
    path = make.kubeconfig(folder / "config", "dev", current="dev", cluster=cluster)
    return str(path)


def told(received: Received) -> Answer:
    assert received.path == "/version"
    return Answer({"gitVersion": "v1.34.4", "major": "1", "minor": "34"})


def test_text_asks_nobody(capsys: Captured, tmp_path: Path) -> None:
    assert run(["version", "--kubeconfig", str(tmp_path / "none")]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"kubectl-nodeport {__version__}",
        f"commit {about().commit}",
        f"Python {about().python}",
        f"kubernetes package {version('kubernetes')}",
    ]
    assert err == ""


@pytest.mark.parametrize(("chosen", "read"), READERS)
def test_document_has_the_servers(
    chosen: str, read: Callable[[str], object], capsys: Captured, tmp_path: Path
) -> None:
    with serving(told) as server:
        assert (
            run(
                [
                    "version",
                    "-o",
                    chosen,
                    "--kubeconfig",
                    kubeconfig(tmp_path, server.port),
                ]
            )
            == 0
        )
    out, err = capsys.readouterr()
    assert read(out) == {**own(), "server": "v1.34.4"}
    assert err == ""


@pytest.mark.parametrize(
    "words", [["--kubeconfig", "/dev/null"], ["-s", "http://127.0.0.1:1"]], ids=["none", "refused"]
)
def test_document_without_a_server(words: list[str], capsys: Captured) -> None:
    assert run(["version", "-o", "json", *words]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == own()
    assert err.startswith("note: the server's version is not known: ")
    assert len(err.splitlines()) == 1


def test_server_that_tells_none_of_ours(capsys: Captured, tmp_path: Path) -> None:
    with serving(lambda _received: Answer({"gitVersion": "v1\x1b[2J"})) as server:
        assert (
            run(
                [
                    "version",
                    "-o",
                    "json",
                    "--kubeconfig",
                    kubeconfig(tmp_path, server.port),
                ]
            )
            == 0
        )
    assert json.loads(capsys.readouterr().out) == own()


def test_client_alone_asks_nobody(capsys: Captured) -> None:
    assert run(["version", "-o", "json", "--client", "--kubeconfig", "/dev/null"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == (own(), "")
