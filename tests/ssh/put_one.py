"""Puts one entry into a config, as a process of its own that tests can end, starve or demote.

``python -m tests.ssh.put_one CONFIG ALIAS [--port N] [--uid N] [--file-size BYTES]``
prints the change, or ``error: …`` and exits with 1.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import filelock  # noqa: F401 - imported late by the code under test, when uid may have changed

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.config_file import ConfigFile
from tests.ssh.make import entry_for, key

ROOT = Path(__file__).parents[2]


def command(config: Path, alias: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "tests.ssh.put_one", str(config), alias, *more]


def run(
    config: Path, alias: str, *more: str, through: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*through, *command(config, alias, *more)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("alias")
    parser.add_argument("--port", type=int, default=31380)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--file-size", type=int)
    args = parser.parse_args()
    if args.file_size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (args.file_size, args.file_size))
    if args.uid is not None:
        os.setgroups([])
        os.setgid(args.uid)
        os.setuid(args.uid)
    store = ConfigFile(args.config, warn=lambda text: print(f"warning: {text}"))
    try:
        print(store.put(entry_for(store, args.alias, port=args.port), [key()]))
    except NodeportError as error:
        print(f"error: {error.message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
