"""Files to try things out with, far from the user's own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder to try things out in, far from the user's files.

    :raises NodeportError: when it cannot be made.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="kubectl-nodeport-", ignore_cleanup_errors=True)
    except OSError as error:
        raise _untried(Path(tempfile.gettempdir()), error) from error
    with made as name:
        yield Path(name)


def draft(inside: Path, name: str, data: bytes) -> Path:
    """A file with this content in a folder of :func:`folder`.

    :raises NodeportError: when it cannot be written.
    """
    path = inside / name
    try:
        path.touch(mode=0o600)
        path.write_bytes(data)
    except OSError as error:
        raise _untried(inside.parent, error) from error
    return path


def _untried(where: Path, error: OSError) -> NodeportError:
    return NodeportError(
        f"the new text cannot be tried out in {where}: {error.strerror}",
        hint=f"look at `df {typed(where)}`, or set TMPDIR to another folder",
    )
