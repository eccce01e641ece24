"""Entry point of ``kubectl-nodeport`` and of ``python -m kubectl_nodeport``."""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from kubectl_nodeport import bundle

_TERMINATED = 128


def main() -> None:
    """Run the command line and leave with its exit code."""
    if bundle.IS_BUNDLE:
        bundle.give_back(os.environ, bundle.FOLDER)
    if sys.argv[1:2] == ["__complete"]:
        del sys.argv[1]
        complete()
    if sys.stdin is None:  # closed: else a connection would take its number, and be read from
        os.open(os.devnull, os.O_RDONLY)
    # Started with a closed stdout or stderr, as a daemon may: what is printed goes nowhere.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):  # what its encoding lacks is no failure
        sys.stdout.reconfigure(errors="backslashreplace")
    # Nothing here lives long enough to be worth collecting, and imports make a lot of objects.
    gc.disable()
    # A polite kill unwinds like Ctrl-C: what was half made in the cluster is removed.
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, _terminate)
    try:
        from kubectl_nodeport.cli import tunnel

        if words := tunnel.words_of(sys.argv[1:]):
            _leave(tunnel.run(*words))
        from kubectl_nodeport.cli.app import run
    except KeyboardInterrupt:  # while the program is loaded
        print("interrupted", file=sys.stderr)
        _leave(_TERMINATED + signal.SIGINT)
    _leave(run(sys.argv[1:]))


def complete() -> NoReturn:
    """Tell a shell what may come next; in silence, whatever happens, credential plugins included.

    This is ``kubectl_complete-nodeport``, which kubectl runs by that name.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 2)
    gc.disable()
    from kubectl_nodeport.cli.app import program
    from kubectl_nodeport.cli.completion import answer

    sys.stdout.buffer.write(answer(sys.argv[1:], program).encode())
    _leave(0)


def _leave(code: int) -> NoReturn:
    """End the process without taking the interpreter apart.

    With the kubernetes package and paramiko loaded that takes longer than a request to the API
    server. What has to be done at the end is done: exit handlers run, output is flushed.
    """
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # whoever read the output has gone
        code = code or 1
    os._exit(code)


def _terminate(number: int, _frame: FrameType | None) -> None:
    sys.exit(_TERMINATED + number)


if __name__ == "__main__":
    main()
