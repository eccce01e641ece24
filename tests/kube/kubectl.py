"""The real kubectl, to compare with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.cluster import versions


def find() -> str | None:
    """That of the Kubernetes which most tests run on, if it was built, else the one on PATH."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for path in sorted(cache.glob("kubectl-nodeport-tests/kubernetes-*/bin/kubectl")):
        if path.exists() and _version(path) == versions.DEFAULT.version:
            return str(path)
    return shutil.which("kubectl")


def _version(path: Path) -> object:
    told = subprocess.run(
        [path, "version", "--client", "--output=json"], capture_output=True, check=True, timeout=60
    )
    return json.loads(told.stdout)["clientVersion"]["gitVersion"]


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
