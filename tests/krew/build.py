"""krew itself, and what its index checks manifests with, built once from their Go module."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster.cache import cached
from tests.cluster.prepare import go_program
from tests.cluster.process import run

_MODULE = Path(__file__).parent / "tools"
_COMMANDS = ("krew", "validate-krew-manifest")


def krew() -> Path:
    """A folder for a PATH, with kubectl-krew and validate-krew-manifest."""
    sources = [path.read_text() for path in sorted(_MODULE.iterdir())]
    return cached("krew", sources, _build)


def _build(folder: Path) -> None:
    print("building krew")
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    packages = [f"sigs.k8s.io/krew/cmd/{name}" for name in _COMMANDS]
    go = [str(go_program()), "build", "-trimpath", "-o", f"{folder}/", *packages]
    run(go, cwd=_MODULE, env=env, timeout_s=900)
    (folder / "kubectl-krew").symlink_to("krew")
