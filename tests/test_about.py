"""Where a commit is known from: git in a checkout, the build's file elsewhere, else nowhere."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from kubectl_nodeport.about import BUILD_FILE, about, build_file, commit_of


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ("git", "-C", folder, *who, *words), check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "kubectl_nodeport").mkdir(parents=True)
    (folder / "file").write_text("1")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    return folder


def test_commit_of_a_checkout_is_gits(checkout: Path) -> None:
    git(checkout, "tag", "v1.0.0")
    commit = git(checkout, "rev-parse", "HEAD")[:12]
    assert commit_of(checkout) == commit
    (checkout / "file").write_text("2")
    assert about(checkout / "kubectl_nodeport").commit == f"{commit}-dirty"


def test_commit_is_not_that_of_a_checkout_above(checkout: Path) -> None:
    below = checkout / "site-packages" / "kubectl_nodeport"
    below.mkdir(parents=True)
    assert about(below).commit == "unknown"


def test_commit_is_unknown_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert commit_of(checkout) == "unknown"


def test_what_the_build_wrote_counts(checkout: Path) -> None:
    package = checkout / "kubectl_nodeport"
    (package / BUILD_FILE).write_text(build_file("0123456789ab"))
    told = about(package)
    assert (told.commit, told.kubernetes) == ("0123456789ab", version("kubernetes"))
    (package / BUILD_FILE).write_text(build_file("0123456789ab", "37.0.2"))
    assert about(package).kubernetes == "37.0.2"
