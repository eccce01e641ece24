"""What goes into the bundle, and what is left out of it.

Of the kubernetes package a handful of modules is used (kubectl_nodeport/kube/package.py); the
models of its API are most of its 100 MB. Other libraries load some of what they could use only
where it is asked for, and nobody asks here.
"""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "kubectl_nodeport"

_NEVER_ASKED_FOR = (
    "aiohttp",
    "attr",
    "curses",
    "dateutil",
    "invoke",
    "markdown_it",
    "oauthlib",
    "pydantic",
    "pydantic_core",
    "pygments",
    "readline",  # GNU's, on Linux, is under the GPL, and no line is edited here
    "requests",
    "setuptools",
    "sqlite3",
    "tkinter",
    "unittest",
)


def left_out() -> list[str]:
    """Modules that are not collected, though something imports them."""
    code = (
        "import sys, kubectl_nodeport.kube.package\n"
        "print(*(m for m in sys.modules if m.startswith('kubernetes.')))"
    )
    done = subprocess.run(
        (sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True
    )
    kubernetes = find_spec("kubernetes")
    if kubernetes is None or kubernetes.origin is None:
        raise ModuleNotFoundError("kubernetes")
    used = frozenset(done.stdout.split())
    return [*_NEVER_ASKED_FOR, *_beside("kubernetes", Path(kubernetes.origin).parent, used)]


def _beside(package: str, folder: Path, used: frozenset[str]) -> Iterator[str]:
    """The modules of a package, whole packages by their name alone, that are not used."""
    for one in pkgutil.iter_modules([str(folder)]):
        name = f"{package}.{one.name}"
        if name not in used:
            yield name
        elif one.ispkg:
            yield from _beside(name, folder / one.name, used)


def modules() -> list[str]:
    """Every module of ours, by its whole name."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def imported() -> list[str]:
    """Every module that ours import, at their top or late, by its whole name."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    return sorted(found - {"__future__"})
