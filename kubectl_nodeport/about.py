"""What this program is: its version, the commit it was made from, and what it runs on.

Whoever builds something to be installed, a wheel or an archive, writes BUILD_FILE into the package:
a JSON object with the commit and, where the kubernetes package goes along, its version. A checkout
has no such file, and asks git.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from kubectl_nodeport import __version__

PACKAGE = Path(__file__).resolve().parent
BUILD_FILE = "build.json"
UNKNOWN = "unknown"
_GIT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class About:
    """Versions as text, each "unknown" where nobody can tell.

    :ivar commit: 12 digits, and "-dirty" where there were changes besides.
    :ivar kubernetes: of the kubernetes package.
    """

    version: str
    commit: str
    python: str
    kubernetes: str


def about(package: Path = PACKAGE) -> About:
    """This program."""
    built = _built(package)
    commit = built.get("commit") or commit_of(package.parent)
    kubernetes = built.get("kubernetes") or _installed("kubernetes")
    return About(__version__, commit, ".".join(map(str, sys.version_info[:3])), kubernetes)


def commit_of(checkout: Path) -> str:
    """The commit of a checkout, "unknown" if it is none, or there is no git to ask.

    A folder below somebody else's checkout, as a home kept in git, is none.
    """
    if not (checkout / ".git").exists():
        return UNKNOWN
    words = ("describe", "--always", "--dirty", "--exclude=*", "--abbrev=12")
    try:
        done = subprocess.run(
            ("git", "-C", checkout, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return done.stdout.strip() or UNKNOWN


def build_file(commit: str, kubernetes: str = "") -> str:
    """The text of BUILD_FILE."""
    known = {"commit": commit, "kubernetes": kubernetes}
    return json.dumps({name: value for name, value in known.items() if value}) + "\n"


def _built(package: Path) -> dict[str, str]:
    try:
        text = (package / BUILD_FILE).read_text(encoding="utf-8")
    except OSError:
        return {}
    return {name: str(value) for name, value in json.loads(text).items()}


def _installed(distribution: str) -> str:
    from importlib import metadata  # late: it takes as long as half of Python's start

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return UNKNOWN
