"""disconnect on the command line, with an API server of a few lines for each context."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_nodeport.cli.app import run
from tests.cli.two_clusters import OWN, Clusters
from tests.kube import make
from tests.ssh.make import key

Captured = pytest.CaptureFixture[str]


GET = "GET /api/v1/namespaces/default/services/np-dev-ssh"


def test_each_host_asks_its_own_cluster(clusters: Clusters, capsys: Captured) -> None:
    assert clusters.type("disconnect", "--all") == 0
    assert sorted(set(clusters.asked)) == [("far", GET), ("near", GET)]
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"host/dev.default.near removed from {clusters.config}",
        f"host/dev.default.far removed from {clusters.config}",
    ]
    assert err == ""
    assert clusters.config.read_text() == OWN


def test_target_is_of_the_current_context(clusters: Clusters, capsys: Captured) -> None:
    assert clusters.type("disconnect", "dev", "-o", "name") == 0
    assert capsys.readouterr().out == "host/dev.default.near\n"
    assert [one.alias for one in clusters.file.entries()] == ["dev.default.far"]


def test_target_of_another_context(clusters: Clusters, capsys: Captured) -> None:
    assert clusters.type("disconnect", "dev", "--context", "far", "-o", "name") == 0
    assert capsys.readouterr().out == "host/dev.default.far\n"
    assert {name for name, _ in clusters.asked} == {"far"}


def test_dry_run_shows_a_diff(clusters: Clusters, capsys: Captured) -> None:
    before = clusters.config.read_bytes()
    assert clusters.type("disconnect", "dev.default.far", "--dry-run") == 0
    out = capsys.readouterr().out
    assert out.startswith(
        f"host/dev.default.far would be removed from {clusters.config}\n\n--- {clusters.config}\n"
    )
    assert "-Host dev.default.far\n" in out
    assert clusters.config.read_bytes() == before


def test_document(clusters: Clusters, capsys: Captured) -> None:
    assert clusters.type("disconnect", "dev", "--keep-rule", "-o", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["metadata"]) == ("HostChangeList", {})
    (item,) = document["items"]
    assert item == {
        "apiVersion": "kubectl-nodeport/v1",
        "kind": "HostChange",
        "metadata": {"name": "dev.default.near"},
        "origin": {"context": "near", "namespace": "default", "target": "pod/dev"},
        "status": {
            "change": "removed",
            "detail": None,
            "service": "np-dev-ssh",
            "serviceChange": "kept",
            "serviceDetail": "--keep-rule",
            "sshServerChange": None,
            "dryRun": False,
        },
    }


def test_cluster_that_is_gone(clusters: Clusters, capsys: Captured) -> None:
    """The host goes; one error names the rule, which no command can reach."""
    text = clusters.kubeconfig.read_text().replace(f":{clusters.ports['far']}", ":1")
    # The address is what tells this cluster from others: without it the entry would be another's.
    clusters.kubeconfig.write_text(text)
    far = clusters.file.entries()[1]
    assert clusters.type("disconnect", far.alias) == 1
    out, err = capsys.readouterr()
    assert out == f"host/dev.default.far removed from {clusters.config}\n"
    error, hint = err.splitlines()
    assert error.startswith(
        "error: service np-dev-ssh in namespace default may still be open: the context "
        '"far" leads to another cluster'
    )
    assert hint == (
        "hint: a cluster that is gone took its rules along: "
        "kubectl nodeport get hosts lists the rest"
    ), "delete would take what has the rule's name in the other cluster"
    assert clusters.asked == []


def test_context_that_is_gone(clusters: Clusters, capsys: Captured) -> None:
    clusters.kubeconfig.unlink()
    assert clusters.type("disconnect", "--all", "--context", "far") == 1
    out, err = capsys.readouterr()
    assert out == f"host/dev.default.far removed from {clusters.config}\n"
    assert 'may still be open: context "far" does not exist' in err
    assert "--context far" in err


def test_token_goes_to_one_cluster_alone(clusters: Clusters, capsys: Captured) -> None:
    assert clusters.type("disconnect", "--all", "--token", "s3cret") == 1
    _, err = capsys.readouterr()
    assert "--token is given, which is for one cluster" in err
    assert "s3cret" not in err
    assert len({name for name, _ in clusters.asked}) == 1


def test_new_name_of_a_context(clusters: Clusters, capsys: Captured) -> None:
    """The flag counts more than what the entry keeps."""
    document = json.loads(clusters.kubeconfig.read_text())
    document["contexts"][1]["name"] = "renamed"
    clusters.kubeconfig.write_text(json.dumps(document))
    assert clusters.type("disconnect", "dev.default.far", "--context", "renamed") == 0
    assert {name for name, _ in clusters.asked} == {"far"}
    assert capsys.readouterr().err == ""


def test_folder_of_a_plugin_is_added_once(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for entry in clusters.file.entries():
        there = replace(entry.origin, plugin_folder="/opt/sdk")
        clusters.file.put(replace(entry, origin=there), [key(1)])
    assert clusters.type("disconnect", "--all") == 0
    assert os.environ["PATH"] == "/usr/bin:/bin:/opt/sdk"


def test_nothing(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert run(["disconnect", "-q", "--all", "--ssh-config", str(path)]) == 0
    assert capsys.readouterr() == ("", f"No hosts to disconnect in {path}.\n")
    assert not path.exists()


def test_nothing_is_named(capsys: Captured, clusters: Clusters) -> None:
    assert clusters.type("disconnect") == 1
    assert "error: which host is to be disconnected?" in capsys.readouterr().err


def test_another_kubeconfig_is_in_the_hint(
    clusters: Clusters, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = make.kubeconfig(tmp_path / "other", "kind", current="kind")
    monkeypatch.setenv("KUBECONFIG", str(other))
    clusters.kubeconfig.unlink()
    assert clusters.type("disconnect", "dev.default.far") == 1
    command = f"kubectl nodeport delete --kubeconfig {clusters.kubeconfig} --context far dev"
    assert command in capsys.readouterr().err
