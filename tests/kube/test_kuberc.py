"""Which plugins kubectl's preferences let run."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.kuberc import PluginPolicy, plugin_policy

HEAD = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"


def policy(home: Path, text: str, **environ: str) -> PluginPolicy:
    (home / ".kube").mkdir(exist_ok=True)
    (home / ".kube" / "kuberc").write_text(text)
    return plugin_policy({"HOME": str(home), **environ})


def listed(*entries: str) -> str:
    lines = "".join(f"- {entry}\n" for entry in entries)
    return f"{HEAD}credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n{lines}"


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A program on PATH."""
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(program.parent))
    return str(program)


@pytest.mark.parametrize(
    "text",
    [HEAD, HEAD + "credentialPluginPolicy: AllowAll\n", HEAD + "credentialPluginPolicy: ''\n"],
)
def test_all_is_allowed_by_default(text: str, tmp_path: Path) -> None:
    policy(tmp_path, text).check("aws", "/usr/bin/aws")
    plugin_policy({"HOME": str(tmp_path / "none")}).check("aws", None)


def test_none_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(NodeportError) as caught:
        policy(tmp_path, HEAD + "credentialPluginPolicy: DenyAll\n").check("aws", "/usr/bin/aws")
    assert caught.value.message == (
        "the credential plugin aws is not allowed to run: "
        f"{tmp_path}/.kube/kuberc has credentialPluginPolicy DenyAll"
    )


@pytest.mark.posix
@pytest.mark.parametrize(
    ("entry", "command", "allowed"),
    [
        ("name: aws", "aws", True),
        ("command: aws", "aws", True),
        ("name: aws", "{path}", True),
        ("name: '{path}'", "aws", True),
        ("name: '{path}'", "{path}", True),
        ("name: /other/aws", "aws", False),
        ("name: gcloud", "aws", False),
        ("name: aw", "aws", False),
    ],
)
def test_list(entry: str, command: str, allowed: bool, aws: str, tmp_path: Path) -> None:
    found = policy(tmp_path, listed("name: more", entry.replace("{path}", aws)))
    written = command.replace("{path}", aws)
    if allowed:
        found.check(written, aws)
    else:
        with pytest.raises(NodeportError, match="credentialPluginPolicy Allowlist"):
            found.check(written, aws)


def test_same_name_elsewhere_is_not_allowed(aws: str, tmp_path: Path) -> None:
    """The name means the program on PATH, not any program of that name."""
    assert aws
    with pytest.raises(NodeportError, match="is not allowed to run"):
        policy(tmp_path, listed("name: aws")).check("/tmp/evil/aws", "/tmp/evil/aws")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD + "credentialPluginPolicy: allowall\n", "credentialPluginPolicy is not known"),
        (HEAD + "credentialPluginPolicy: 7\n", "credentialPluginPolicy is not text"),
        (HEAD + "credentialPluginPolicy: Allowlist\n", "credentialPluginAllowlist is not given"),
        (HEAD + "credentialPluginAllowlist: [{name: a}]\n", "credentialPluginAllowlist is given"),
        (HEAD + "credentialPluginPolicy: DenyAll\ncredentialPluginAllowlist: []\n", "is given"),
        (
            HEAD + "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: []\n",
            "credentialPluginAllowlist is empty",
        ),
        (listed("nam: aws"), "is no plain path"),
        (listed("name: /a/../b"), "is no plain path"),
        ("kind: Preference\n", "its apiVersion"),
        ("a: ]", "not valid YAML"),
        ("[1]", "the file is not a map"),
    ],
)
def test_policy_that_makes_no_sense_is_not_passed_over(
    text: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(NodeportError) as caught:
        policy(tmp_path, text)
    assert f"{tmp_path}/.kube/kuberc cannot be used: " in caught.value.message
    assert reason in caught.value.message
    assert caught.value.hint == "KUBERC=off runs without them"


def test_where_it_stands(tmp_path: Path) -> None:
    deny = HEAD + "credentialPluginPolicy: DenyAll\n"
    other = tmp_path / "other"
    other.write_text(deny)
    assert policy(tmp_path, HEAD, KUBERC=str(other)).kind == "DenyAll"
    assert policy(tmp_path, deny, KUBERC="off").kind == "AllowAll"
    assert policy(tmp_path, deny, KUBECTL_KUBERC="false").kind == "AllowAll"
    assert policy(tmp_path, deny, KUBECTL_KUBERC="true").kind == "DenyAll"
    with pytest.raises(NodeportError, match="no such file"):
        policy(tmp_path, HEAD, KUBERC=str(tmp_path / "gone"))
