"""What is told beside a result, on stderr: notes, and a failure as ``error:`` and ``hint:``."""

from __future__ import annotations

import sys
import traceback

from kubectl_nodeport.cli.render.terminal import safe, short
from kubectl_nodeport.errors import NodeportError


def tell(line: str) -> None:
    """Print a line beside the result; it may be indented."""
    indent = " " * (len(line) - len(line.lstrip(" ")))
    print(f"{indent}{short(line)}", file=sys.stderr)


def tell_notes(notes: list[str]) -> None:
    """Print the notes so far, each once, and forget them."""
    for note in dict.fromkeys(notes):
        tell(f"note: {note}")
    notes.clear()


def report(err: NodeportError, verbosity: int) -> None:
    """Print the failure; from verbosity 9 on with the traceback of what is being handled."""
    print(f"error: {short(err.message)}", file=sys.stderr)
    if err.detail:
        print(safe(err.detail.rstrip("\n"), keep="\n\t"), file=sys.stderr)
    print(f"hint: {short(err.hint)}", file=sys.stderr)
    if verbosity >= 9:
        print(_traceback(), file=sys.stderr)


def _traceback() -> str:
    """Of what is being handled. The code is ours; what was said of a failure is one line each."""
    failure = sys.exc_info()[1]
    if failure is None:
        return ""
    chunks = traceback.TracebackException.from_exception(failure).format()
    code = ("Traceback (most recent call last):", "  ")
    return "\n".join(
        safe(chunk.rstrip("\n"), keep="\n") if chunk.startswith(code) else short(chunk)
        for chunk in chunks
    )


def unexpected(err: Exception) -> NodeportError:
    """A failure that nobody has thought of."""
    return NodeportError(
        f"this should not have happened: {type(err).__name__}: {err}",
        hint="run it again with -v=9 and report what it prints",
    )
