"""The npm package ssh-config, which Remote-SSH, Open Remote SSH and their like parse with.

The builds are pinned by their hashes and installed once into the tests' cache.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.cluster.cache import cached
from tests.ssh.readers.reading import Reading

# 4.1 is what Remote-SSH named in its notices of 2024; 5.2 is Open Remote SSH's of August 2026.
BUILDS = {
    "4.1.1": "sha512-p9t6ZX2yg3vzrUh81arLOOh73arUdm8aZ8YG1Rxve0T+1PVv6v7DhXQ/uPQ0lJaubEvGXJz7eGj7Z8"
    "50443Ohg==",
    "4.4.4": "sha512-75rXsNB+gmPa/ueqzpDRmVa+Z7ReDgzvmpsEM+sxi3DLBQERdmp3awkZ4WW4TVpnZLpFVsHEiMrojG"
    "Vp/jJ3kA==",
    "5.3.0": "sha512-JIsoWax2CAJraGLvhXa4e9zfh+/KzoL6SKxjupQywLjGpuigYsZ+5OVmfZo1mBslxehA8kHWwFQ38e"
    "otFoLj6Q==",
}
FOLLOW = ("none", "top", "nested")
_SCRIPT = Path(__file__).with_name("picker.js")


class MissingError(Exception):
    """node or npm is not here, or the packages cannot be had; says which."""


@functools.cache
def installed() -> Path:
    """The folder with the builds, installed first if need be.

    :raises MissingError: it cannot be done on this machine.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise MissingError(f"the JavaScript readers need {program}")
    return cached("ssh-config-npm", (json.dumps(BUILDS),), _install)


def read(
    files: Sequence[Path], hosts: Sequence[str], *, folder: Path
) -> Iterator[tuple[str, list[Reading]]]:
    """For every build and way to follow Includes: its name, and a reading of each file.

    :param folder: what a relative Include is relative to.
    :raises MissingError: see :func:`installed`.
    """
    ask = {
        "libraries": [str(installed() / "node_modules" / f"ssh-config-{name}") for name in BUILDS],
        "files": [str(file) for file in files],
        "follow": FOLLOW,
        "hosts": list(hosts),
        "folder": str(folder),
        "home": str(folder),
    }
    done = subprocess.run(
        [str(shutil.which("node")), str(_SCRIPT)],
        input=json.dumps(ask),
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env={"PATH": "/nonexistent"},  # the package runs commands of Match exec
    )
    assert done.returncode == 0, done.stderr
    for build, ways in zip(BUILDS, json.loads(done.stdout), strict=True):
        for follow, answers in zip(FOLLOW, ways, strict=True):
            yield f"ssh-config {build}, Include {follow}", [_reading(one) for one in answers]


def _reading(plain: dict[str, object]) -> Reading:
    options = plain["options"]
    listed = plain["listed"]
    assert isinstance(options, dict)
    assert isinstance(listed, list)
    return Reading(
        str(plain["error"]),
        tuple(listed),
        {
            host: {keyword: tuple(map(str, values)) for keyword, values in found.items()}
            for host, found in options.items()
        },
    )


def _install(folder: Path) -> None:
    """By a lock file, so that npm compares the hashes itself."""
    names = {f"ssh-config-{version}": f"npm:ssh-config@{version}" for version in BUILDS}
    packages: dict[str, object] = {"": {"dependencies": names}}
    for version, integrity in BUILDS.items():
        packages[f"node_modules/ssh-config-{version}"] = {
            "name": "ssh-config",
            "version": version,
            "integrity": integrity,
        }
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": names}))
    lock = {"lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    try:
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            capture_output=True,
            check=True,
            text=True,
            timeout=120,
            env={**os.environ, "npm_config_cache": str(folder / "npm")},
        )
        shutil.rmtree(folder / "npm")
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise MissingError(f"npm does not install ssh-config: {said.strip()[:200]}") from error
