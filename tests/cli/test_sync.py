"""sync on the command line, with an API server of a few lines for each context."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubectl_nodeport.cli.app import run
from tests.cli.two_clusters import OWN, Clusters

Captured = pytest.CaptureFixture[str]


def test_a_line_for_each_host(clusters: Clusters, capsys: Captured) -> None:
    """One pod is gone; of the other nobody may say so."""
    clusters.pods_gone.add("far")
    assert clusters.type("sync") == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "host/dev.default.near left as it is",
        'host/dev.default.far removed: no pod "dev" in the namespace "default" of the context '
        '"far"',
    ]
    error, hint = err.splitlines()
    assert error == (
        "error: left as they are: dev.default.near: the API server refused to read the pod: no"
    )
    assert hint.startswith("hint: ")
    assert [one.alias for one in clusters.file.entries()] == ["dev.default.near"]
    assert {name for name, _ in clusters.asked} == {"near", "far"}


def test_dry_run_shows_a_diff(clusters: Clusters, capsys: Captured) -> None:
    clusters.pods_gone.add("far")
    before = clusters.config.read_bytes()
    assert clusters.type("sync", "--context", "far", "--dry-run") == 0
    out, err = capsys.readouterr()
    assert out.startswith("host/dev.default.far would be removed: no pod")
    assert "-Host dev.default.far\n" in out
    assert (clusters.config.read_bytes(), err) == (before, "")


def test_last_entry_gives_the_file_back(clusters: Clusters, capsys: Captured) -> None:
    clusters.pods_gone |= {"near", "far"}
    assert clusters.type("sync", "-o", "name") == 0
    assert capsys.readouterr() == ("host/dev.default.near\nhost/dev.default.far\n", "")
    assert clusters.config.read_text() == OWN


def test_document(clusters: Clusters, capsys: Captured) -> None:
    clusters.pods_gone.add("far")
    assert clusters.type("sync", "-o", "json") == 1
    near, far = json.loads(capsys.readouterr().out)["items"]
    assert near["status"]["change"] == "left"
    assert near["status"]["detail"] == "the API server refused to read the pod: no"
    assert far["metadata"] == {"name": "dev.default.far"}
    assert far["status"] == {
        "change": "removed",
        "detail": 'no pod "dev" in the namespace "default" of the context "far"',
        "service": "np-dev-ssh",
        "serviceChange": None,
        "serviceDetail": None,
        "sshServerChange": None,
        "dryRun": False,
    }


def test_one_host_and_a_typo(clusters: Clusters, capsys: Captured) -> None:
    clusters.pods_gone.add("far")
    assert clusters.type("sync", "dev.default.far", "-o", "name") == 0
    assert {name for name, _ in clusters.asked} == {"far"}
    assert clusters.type("sync", "dev.default.naer") == 1
    assert "hint: did you mean: dev.default.near" in capsys.readouterr().err


def test_context_that_leads_to_another_cluster(clusters: Clusters, capsys: Captured) -> None:
    clusters.kubeconfig.write_text(
        clusters.kubeconfig.read_text().replace(f":{clusters.ports['far']}", ":1")
    )
    assert clusters.type("sync", "--context", "far") == 1
    assert capsys.readouterr().err.splitlines()[1] == (
        "hint: if its own cluster is gone, take the host away, and connect again: "
        "kubectl nodeport disconnect dev.default.far --keep-rule"
    )
    assert clusters.asked == []


@pytest.mark.parametrize("words", [[], ["--context", "far"]])
def test_host_that_was_made_without_a_context(
    clusters: Clusters, words: list[str], capsys: Captured
) -> None:
    clusters.without_contexts("far")
    clusters.pods_gone.add("far")
    assert clusters.type("sync", *words) == 0
    assert capsys.readouterr().out.startswith("host/dev.default.far removed: no pod")
    assert {name for name, _ in clusters.asked} == {"far"}


def test_nothing(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert run(["sync", "-q", "--ssh-config", str(path)]) == 0
    assert capsys.readouterr() == ("", f"No hosts found in {path}.\n")


def test_interrupted(clusters: Clusters) -> None:
    """Ctrl-C waits for no cluster; nothing is changed."""
    clusters.hangs = True
    before = clusters.config.read_bytes()
    words = [sys.executable, "-m", "kubectl_nodeport", "sync", "--ssh-config"]
    process = subprocess.Popen(
        [*words, str(clusters.config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        for _ in range(600):
            if len(clusters.asked) == 2:
                break
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert time.monotonic() - began < 5, "a request may take 10 s"
    assert clusters.config.read_bytes() == before
