"""The plugin under test, installed as a user would have it: from its files, into a venv."""

from __future__ import annotations

import configparser
import hashlib
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from sshd import build
from tests.cluster.cache import cache_root, cached, locked
from tests.cluster.laptop import REPOSITORY
from tests.cluster.process import run

_BUILD_TOOLS = ("setuptools>=77",)
_SOURCES = ("LICENSE", "README.md", "bin", "kubectl_nodeport", "pyproject.toml", "setup.cfg")


def installed() -> Path:
    """The folder with kubectl-nodeport, to be put on a PATH.

    The dependencies are installed once; the package itself again when one of its files changed.
    The ssh servers that it brings into containers are in it where this machine can build them.
    Raises ClusterError with what pip said.
    """
    needs = _requirements()
    venv = cached("plugin", [sys.executable, sys.version, str(REPOSITORY), *needs], _venv)
    stamp = venv / "content"
    with locked(cache_root() / "plugin.lock"):
        with suppress(build.BuildError):
            build.build(build.PACKAGE_DATA)
        content = _content()
        if not stamp.exists() or stamp.read_text() != content:
            _install(venv)
            stamp.write_text(content)
    return venv / "bin"


def _requirements() -> list[str]:
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg")
    return config["options"]["install_requires"].split()


def _venv(folder: Path) -> None:
    print("installing the plugin's dependencies", file=sys.stderr, flush=True)
    run([sys.executable, "-m", "venv", folder], timeout_s=120)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    run([*pip, *_requirements(), *_BUILD_TOOLS], timeout_s=600)


def _files() -> list[Path]:
    found = [REPOSITORY / name for name in _SOURCES]
    inside = [path for top in found if top.is_dir() for path in top.rglob("*")]
    plain = [path for path in (*found, *inside) if path.is_file()]
    return sorted(path for path in plain if "__pycache__" not in path.parts)


def _content() -> str:
    digest = hashlib.sha256()
    for path in _files():
        digest.update(f"{path}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _install(venv: Path) -> None:
    """Install from a copy: building leaves folders behind in the sources."""
    with tempfile.TemporaryDirectory() as temporary:
        for path in _files():
            copy = Path(temporary, path.relative_to(REPOSITORY))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--force-reinstall", "--compile"]
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", *options]
        run([*pip, temporary], timeout_s=120)
