"""Chromium on the laptop, driven from there."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from tests.cluster.cache import cached
from tests.cluster.laptop import REPOSITORY, Laptop, real_home
from tests.cluster.prepare import pip_install

_WHEEL = "playwright==1.65.2"


def library() -> Path:
    """The folder with the Python package that drives the browser; raises ClusterError."""

    def make(folder: Path) -> None:
        pip_install(folder, _WHEEL)

    return cached("playwright", (_WHEEL, sys.version, platform.machine()), make)


def drive(laptop: Laptop, page: str, picture: Path, **told: str) -> dict[str, Any]:
    """Do what the module PAGE of this room does, in a browser on the laptop; what it has seen.

    :param picture: where its screenshot goes.
    :raises ClusterError: it did not come to its end, with what the window shows instead.
    """
    inside = laptop.home / "picture.png"
    argv = [sys.executable, "-m", f"tests.workbench.{page}", str(laptop.inside(inside))]
    env = {
        "PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY, library()))),
        "TMPDIR": str(real_home()),  # what a killed browser leaves behind goes with the home
    }
    done = laptop.run([*argv, json.dumps(told)], env=env, timeout_s=240, check=True)
    picture.write_bytes(inside.read_bytes())
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
