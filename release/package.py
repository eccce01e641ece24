"""Makes the archive for krew, for the system that it runs on.

    python -m release.package [--output FOLDER]

It wants a Python with what release/requirements.txt names; `make package` sees to that.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from kubectl_nodeport import __version__
from kubectl_nodeport.about import BUILD_FILE, build_file, commit_of
from release import licences, parts, sbom
from release.archive import ArchiveError, pack
from release.parts import ROOT
from sshd import build

PROGRAM = "kubectl-nodeport"
LARGEST = 30_000_000
"""Bytes an archive may have."""

_WORK = ROOT / "build" / "release"
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "windows"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# The beginning of what a zip file can tell, for a build outside of git.
_EPOCH = 315532800


class PackageError(Exception):
    """Why there is no archive, in one line."""


def platform_name() -> str:
    """This system as krew names it, such as ``linux_amd64``; raises PackageError."""
    machine = platform.machine()
    try:
        return f"{_SYSTEMS[sys.platform]}_{_MACHINES[machine.lower()]}"
    except KeyError:
        raise PackageError(f"no archives for {sys.platform} on {machine}") from None


def archive_name(version: str, system: str) -> str:
    return f"{PROGRAM}_v{version}_{system}.tar.gz"


def package(output: Path, work: Path = _WORK) -> Path:
    """Build, check and pack; raises PackageError, and what the steps raise."""
    name = archive_name(__version__, platform_name())
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    build.build(build.PACKAGE_DATA)
    mtime = _commit_time()
    (work / BUILD_FILE).write_text(build_file(commit_of(ROOT), metadata.version("kubernetes")))
    (work / "check.py").write_text(_check())
    bundle = _frozen(work, mtime)
    _checked(bundle)
    collected = json.loads((work / "collected.json").read_text())
    others = licences.collected(collected["modules"], collected["files"])
    shutil.copy(ROOT / "LICENSE", bundle)
    (bundle / "THIRD-PARTY-LICENSES").write_text(licences.document(others), encoding="utf-8")
    output.mkdir(parents=True, exist_ok=True)
    archive = output / name
    pack(bundle, archive, mtime)
    size = archive.stat().st_size
    if size > LARGEST:
        raise PackageError(f"{name} has {size} bytes, more than {LARGEST}")
    listed = sbom.document(others, archive, mtime)
    (output / f"{name}.spdx.json").write_text(listed, encoding="utf-8")
    return archive


def _commit_time() -> int:
    """What SOURCE_DATE_EPOCH says, else when the commit was made."""
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    if not (ROOT / ".git").exists():
        return _EPOCH
    words = ("git", "-C", ROOT, "log", "-1", "--format=%ct")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else _EPOCH


def _check() -> str:
    """A program that loads every module that ours ever load, but for those of other systems."""
    names = sorted({*parts.modules(), *parts.imported()} - {f"{parts.PACKAGE.name}.__main__"})
    here = [name for name in names if _is_of_this_system(name)]
    return (
        f"from importlib import import_module\n\nfor name in {here!r}:\n    import_module(name)\n"
    )


def _is_of_this_system(name: str) -> bool:
    top = name.partition(".")[0]
    return top not in sys.stdlib_module_names or importlib.util.find_spec(top) is not None


def _frozen(work: Path, mtime: int) -> Path:
    """Run PyInstaller; its folder with the programs."""
    environment = os.environ | {
        "NODEPORT_WORK": str(work),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": str(mtime),
        "PYINSTALLER_CONFIG_DIR": str(work / "cache"),
    }
    words = (sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level=WARN")
    folders = ("--distpath", str(work / "dist"), "--workpath", str(work / "work"))
    spec = str(ROOT / "release" / "nodeport.spec")
    done = subprocess.run((*words, *folders, spec), cwd=ROOT, env=environment, check=False)
    if done.returncode != 0:
        raise PackageError(f"PyInstaller ended with exit code {done.returncode}")
    return work / "dist" / PROGRAM


def _checked(bundle: Path) -> None:
    """Load every module in the bundle, and take the program for it away."""
    suffix = ".exe" if os.name == "nt" else ""
    check = bundle / f"check{suffix}"
    nothing = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    for command in ((check,), (bundle / f"{PROGRAM}{suffix}", "--version")):
        done = subprocess.run(command, env=nothing, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PackageError(f"{command[0].name} in the bundle: {done.stderr.strip()[-2000:]}")
    check.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    arguments = parser.parse_args()
    try:
        made = package(arguments.output)
    except (PackageError, ArchiveError, licences.LicenceError, build.BuildError) as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1
    content = made.read_bytes()
    print(f"{made} {len(content) / 1e6:.1f} MB sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
