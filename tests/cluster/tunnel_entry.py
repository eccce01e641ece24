"""Turns a Host entry that connect wrote into one of a tunnel, on the laptop.

``python -m tests.cluster.tunnel_entry ALIAS PORT WORD…``: the pod's port, and the ProxyCommand's
words in front of the alias.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from kubectl_nodeport.ssh.config_file import ConfigFile, user_config_path
from kubectl_nodeport.ssh.known_hosts import parse_public_keys
from tests.cluster.laptop import REPOSITORY, Laptop


def make_tunnel(laptop: Laptop, alias: str, *, port: int = 22) -> None:
    """Let the entry go through ``kubectl-nodeport proxy`` as it is on the laptop's PATH."""
    found = laptop.run(["which", "kubectl-nodeport"], check=True).stdout.strip()
    words = [sys.executable, "-m", "tests.cluster.tunnel_entry", alias, str(port), found, "proxy"]
    laptop.run(words, env={"PYTHONPATH": str(REPOSITORY)}, check=True)


def _main(alias: str, port: int, program: tuple[str, ...]) -> None:
    file = ConfigFile(user_config_path())
    entry = next(entry for entry in file.entries() if entry.alias == alias)
    known = Path(entry.known_hosts_file).expanduser().read_text().splitlines()
    keys = parse_public_keys("\n".join(line.partition(" ")[2] for line in known))
    file.put(dataclasses.replace(entry, hostname=alias, port=port, program=program), keys)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), tuple(sys.argv[3:]))
