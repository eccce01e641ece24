"""The real kubectl, to compare with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest


def find() -> str | None:
    """The one that the cluster of tests/cluster was built with, else the one on PATH."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = sorted(cache.glob("kubectl-nodeport-tests/kubernetes-*/bin/kubectl"))
    return next((str(path) for path in built if path.exists()), None) or shutil.which("kubectl")


KUBECTL = find()
needed = pytest.mark.skipif(KUBECTL is None, reason="no kubectl on PATH to compare with")


def run(
    words: Sequence[str], environ: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run kubectl with this environment only; PATH is this process's where it is not given."""
    return subprocess.run(
        [str(KUBECTL), *words],
        env={"PATH": os.environ["PATH"], **environ},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
