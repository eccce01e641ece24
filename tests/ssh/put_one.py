"""Puts one entry into a config, as a process of its own such as one in another namespace.

``python -m tests.ssh.put_one CONFIG ALIAS [--port N] [--include true|false]``
prints the change, or ``error: …`` and exits with 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.config_file import ConfigFile
from tests.ssh.make import entry_for, key

ROOT = Path(__file__).parents[2]


def command(config: Path, alias: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "tests.ssh.put_one", str(config), alias, *more]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("alias")
    parser.add_argument("--port", type=int, default=31380)
    parser.add_argument("--include", choices=["true", "false"])
    args = parser.parse_args()
    include = None if args.include is None else args.include == "true"
    store = ConfigFile(args.config, warn=lambda text: print(f"warning: {text}"), include=include)
    try:
        print(store.put(entry_for(store, args.alias, port=args.port), [key()]))
    except NodeportError as error:
        print(f"error: {error.message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
