"""By which words this program is started again, long after this run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from kubectl_nodeport.bundle import IS_BUNDLE
from kubectl_nodeport.errors import NodeportError


def own_words(
    argv0: str | None = None,
    environ: Mapping[str, str] = os.environ,
    executable: str = sys.executable,
    version: tuple[int, ...] = tuple(sys.version_info[:2]),
    is_bundle: bool = IS_BUNDLE,
) -> tuple[str, ...]:
    """The absolute path that it was started by, links unresolved, else Python and the module.

    A bundle is found by its own path at least.

    The link of a plugin manager stays when the version behind it is replaced. kubectl starts a
    plugin by its path.

    :raises NodeportError: it was started as a module, by a Python that would take another module of
        that name from the folder in which ssh is run.
    """
    started = sys.argv[0] if argv0 is None else argv0
    found = shutil.which(started, path=environ.get("PATH")) if started else None
    path = Path(os.path.abspath(found)) if found else None  # noqa: PTH100 - resolve() follows links
    if path is not None and path.is_file() and path.name.startswith("kubectl-nodeport"):
        return (str(path),)
    if is_bundle:
        return (executable,)
    if version < (3, 11):
        raise NodeportError(
            "a tunnel's entry has to name this program, which was started as a Python module",
            hint="install it, and run kubectl-nodeport: in the checkout, pipx install .",
        )
    return (executable, "-P", "-m", "kubectl_nodeport")
