"""What is built from a checkout has the ssh servers in it, or somebody is told.

The hooks are those of PEP 517, by which pip and build come to a wheel and an sdist.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_nodeport.about import BUILD_FILE, commit_of
from kubectl_nodeport.cli import programs
from kubectl_nodeport.commands.connect import ConnectRequest, connect
from kubectl_nodeport.container.bring import folder_name
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.target import Target
from sshd import build
from tests.cluster.cache import cached
from tests.commands.world import FakeExec, World, inside
from tests.kube import make
from tests.sshd.conftest import compressed, go, unavailable

__all__ = ["compressed", "go", "unavailable"]

pytestmark = pytest.mark.posix

ROOT = Path(__file__).parent.parent
SOURCES = (
    *("LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "setup.cfg", "setup.py"),
    *("bin", "kubectl_nodeport", "sshd"),
)
NO_GO = "Go 1.26 or newer is needed, and there is no go on PATH"
IN_WHEEL = {f"kubectl_nodeport/sshd/{build.file_name(name)}" for name in build.ARCHITECTURES}


def _with_setuptools(folder: Path) -> None:
    venv.create(folder, with_pip=True)
    pip = (folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run((*pip, "setuptools>=77"), check=True, timeout=300)


@pytest.fixture(scope="session")
def python() -> Path:
    """A Python that can build what pyproject.toml asks for."""
    folder = cached("build-tools", [sys.executable, sys.version], _with_setuptools)
    return folder / "bin/python"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone: without what was built in this one."""
    into = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, into / name, ignore=ignore)
        else:
            into.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, into)
    shutil.rmtree(into / "kubectl_nodeport/sshd", ignore_errors=True)
    return into


@pytest.fixture
def filled(checkout: Path, compressed: dict[str, Path]) -> Path:
    """The same after `make sshd`."""
    folder = next(iter(compressed.values())).parent
    shutil.copytree(folder, checkout / "kubectl_nodeport/sshd")
    return checkout


def hook(
    python: Path, checkout: Path, name: str, path: str = ""
) -> subprocess.CompletedProcess[str]:
    """Call a hook where no Go is on PATH; what it makes is in the folder dist.

    :param path: what else is on PATH.
    """
    return subprocess.run(
        (python, "-c", f"import setuptools.build_meta as b; b.{name}('dist')"),
        cwd=checkout,
        env={"PATH": f"{checkout / 'bin'}:{path}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def made(checkout: Path, pattern: str) -> Path:
    (path,) = (checkout / "dist").glob(pattern)
    return path


def installed(wheel: Path, folder: Path) -> Path:
    """The package of a wheel in a new environment, without what it depends on."""
    venv.create(folder, with_pip=True)
    pip = (folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run((*pip, "--no-deps", "--no-index", wheel), check=True, timeout=120)
    (package,) = folder.glob("lib/python3*/site-packages/kubectl_nodeport")
    return package


def asked(python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Have installed code find the servers, with nothing on PATH."""
    finds = (
        "import gzip\nfrom kubectl_nodeport.cli import programs\n"
        "for name in ('amd64', 'arm64'):\n"
        "    print(gzip.decompress(programs.packed(name, print))[:4])"
    )
    return subprocess.run(
        (python, "-c", finds),
        cwd=folder,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_wheel_has_what_it_needs_and_what_is_installed_finds_the_servers(
    python: Path, filled: Path, tmp_path: Path
) -> None:
    done = hook(python, filled, "build_wheel")
    assert done.returncode == 0, done.stderr
    wheel = made(filled, "*.whl")
    with zipfile.ZipFile(wheel) as archive:
        sizes = {
            one.filename: one.file_size for one in archive.infolist() if "/sshd/" in one.filename
        }
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        beside = {name.partition(".dist-info/")[2] for name in archive.namelist()}
    assert sizes.keys() == IN_WHEEL
    assert all(0 < size <= build.LARGEST for size in sizes.values())
    sources = {
        path.relative_to(filled).as_posix() for path in filled.glob("kubectl_nodeport/**/*.py")
    }
    assert names == sources | IN_WHEEL | {"kubectl_nodeport/py.typed"}
    assert "licenses/LICENSE" in beside
    installed(wheel, tmp_path / "venv")
    scripts = {path.name for path in (tmp_path / "venv/bin").glob("kubectl*")}
    assert scripts == {"kubectl-nodeport", "kubectl_complete-nodeport"}
    found = asked(tmp_path / "venv/bin/python", tmp_path)
    assert (found.stdout, found.stderr) == ("b'\\x7fELF'\n" * 2, "")


def test_wheel_from_the_sdist_has_them(python: Path, filled: Path, tmp_path: Path) -> None:
    done = hook(python, filled, "build_sdist")
    assert done.returncode == 0, done.stderr
    with tarfile.open(made(filled, "*.tar.gz")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert (unpacked / "sshd/main.go").exists(), "what they are made from is there too"
    done = hook(python, unpacked, "build_wheel")
    assert done.returncode == 0, done.stderr
    assert "is not built" not in done.stderr
    with zipfile.ZipFile(made(unpacked, "*.whl")) as archive:
        assert set(archive.namelist()) >= IN_WHEEL


def test_commit_goes_along(python: Path, filled: Path, tmp_path: Path) -> None:
    """A wheel from an sdist has it too, where no git knows it any more."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "git").symlink_to(shutil.which("git") or "/usr/bin/git")
    who = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")
    for words in (("init", "-q"), ("add", "LICENSE"), ("commit", "-qm", "one")):
        subprocess.run(("git", "-C", filled, *who, *words), check=True, timeout=60)
    commit = commit_of(filled)
    assert len(commit) >= 12
    assert hook(python, filled, "build_sdist", str(tools)).returncode == 0
    with tarfile.open(made(filled, "*.tar.gz")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not (filled / "kubectl_nodeport" / BUILD_FILE).exists(), "a checkout asks git itself"
    for sources, path in ((filled, str(tools)), (unpacked, "")):
        assert hook(python, sources, "build_wheel", path).returncode == 0
        with zipfile.ZipFile(made(sources, "*.whl")) as archive:
            told = json.loads(archive.read(f"kubectl_nodeport/{BUILD_FILE}"))
        assert told == {"commit": commit}


def test_sdist_is_not_made_without_them(python: Path, checkout: Path) -> None:
    done = hook(python, checkout, "build_sdist")
    assert done.returncode != 0
    assert NO_GO in done.stderr
    assert not list((checkout / "dist").glob("*"))


def test_sdist_is_not_made_with_those_of_other_sources(python: Path, filled: Path) -> None:
    with (filled / "sshd/main.go").open("a") as source:
        source.write("// changed\n")
    assert hook(python, filled, "build_sdist").returncode != 0


def test_installing_needs_no_go_but_it_is_told(
    python: Path, checkout: Path, tmp_path: Path
) -> None:
    done = hook(python, checkout, "build_wheel")
    assert done.returncode == 0, done.stderr
    assert f"nodeport-sshd is not built: {NO_GO}" in done.stderr
    package = installed(made(checkout, "*.whl"), tmp_path / "venv")
    with pytest.raises(NodeportError, match=r"has no ssh server for linux/amd64") as caught:
        programs.packed("amd64", lambda _line: None, package)
    assert "make sshd" in caught.value.hint


def test_connect_from_a_checkout_without_go(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what is missing, and nothing was begun in the container."""
    monkeypatch.setenv("PATH", str(checkout / "bin"))
    package, there = checkout / "kubectl_nodeport", World(exec=FakeExec(inside(port=1)))
    edges = replace(
        there.edges, sshd=lambda name: programs.packed(name, there.said.append, package)
    )
    with pytest.raises(NodeportError) as caught:
        connect(ConnectRequest(Target("dev"), with_sshd=True), edges)
    assert caught.value.message.endswith(f"cannot build it: {NO_GO}")
    assert "go.dev" in caught.value.hint
    assert there.exec.visits == [folder_name("main", make.UID)]
    assert (there.exec.sshd.sent, there.exec.sshd.asked) == ([], [])
    assert (there.hosts.written, there.hosts.seeds, there.api.services()) == ({}, set(), [])
