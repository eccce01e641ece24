from __future__ import annotations

from pathlib import Path

import pytest

from kubectl_nodeport.cli.programs import packed
from kubectl_nodeport.errors import NodeportError

BUILDS = """
import pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--output") + 1])
folder.mkdir()
(folder / "nodeport-sshd-linux-amd64.gz").write_bytes(b"built")
"""
FAILS = """
import sys
print("noise", file=sys.stderr)
sys.exit("error: Go 1.26 or newer is needed, and there is no go on PATH")
"""


def checkout(tmp_path: Path, script: str | None) -> Path:
    package = tmp_path / "kubectl_nodeport"
    package.mkdir()
    if script is not None:
        (tmp_path / "sshd").mkdir()
        (tmp_path / "sshd" / "build.py").write_text(script)
    return package


def test_as_it_is_installed(tmp_path: Path) -> None:
    package, told = checkout(tmp_path, None), list[str]()
    (package / "sshd").mkdir()
    (package / "sshd" / "nodeport-sshd-linux-arm64.gz").write_bytes(b"packed")
    assert packed("arm64", told.append, package) == b"packed"
    assert told == []


def test_checkout_builds_it_once(tmp_path: Path) -> None:
    package, told = checkout(tmp_path, BUILDS), list[str]()
    assert packed("amd64", told.append, package) == b"built"
    assert len(told) == 1
    assert packed("amd64", told.append, package) == b"built"
    assert len(told) == 1


def test_checkout_that_cannot_says_why(tmp_path: Path) -> None:
    with pytest.raises(NodeportError) as caught:
        packed("amd64", lambda _line: None, checkout(tmp_path, FAILS))
    assert caught.value.message.endswith(
        "cannot build it: Go 1.26 or newer is needed, and there is no go on PATH"
    )
    assert "make sshd" in caught.value.hint


def test_installation_without_it(tmp_path: Path) -> None:
    with pytest.raises(NodeportError, match="no ssh server for linux/amd64"):
        packed("amd64", lambda _line: None, checkout(tmp_path, None))
