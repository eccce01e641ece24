"""Things that take long to build, kept by the content they were built from."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_KEEP_S = 7 * 24 * 3600
"""For so long a thing is kept that nobody uses any more."""


def cache_root() -> Path:
    """Where everything of the harness lives on disk, its clusters' state included."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(base).resolve() / "kubectl-nodeport-tests"
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    return root


def folder(name: str, ingredients: Iterable[str]) -> Path:
    """The folder in the cache for a thing made of these ingredients, whether it exists or not."""
    digest = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()[:12]
    return cache_root() / f"{name}-{digest}"


def cached(name: str, ingredients: Iterable[str], build: Callable[[Path], None]) -> Path:
    """The folder of a thing, built first if need be: by one process at a time, whole or not at all.

    `build` fills the folder it is given. The folder moves once, when it is complete.
    """
    target = folder(name, ingredients)
    if target.is_dir():
        os.utime(target)  # it is of use
        return target
    with locked(cache_root() / f"{name}.lock"):
        if target.is_dir():
            return target
        unused = [path for path in cache_root().glob(f"{name}-*") if _age_s(path) > _KEEP_S]
        for path in (*cache_root().glob(f".{name}-*"), *unused):  # .NAME-*: a killed run's
            shutil.rmtree(path)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache_root()))
        try:
            build(unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_mtime


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file; raises BlockingIOError if it is held elsewhere and wait is off."""
    import fcntl  # late: Windows has none, and loads this for the fixtures of tests/conftest.py

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
