"""Keys, origins and entries from a few words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from kubectl_nodeport.ssh import block
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.origin import Origin

ALIAS = "dev.default.docker-desktop"


def wire(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def key(seed: int = 1) -> HostKey:
    return HostKey("ssh-ed25519", wire(b"ssh-ed25519", bytes([seed]) * 32))


def origin(**changes: object) -> Origin:
    plain = Origin(
        cluster="sha256:0123",
        context="docker-desktop",
        kubeconfig=("/home/me/.kube/config",),
        namespace="default",
        target="pod/dev",
        pod_uid="7a5a0f4e-8a3c-4a43-9d0c-0d9f2b7f2f11",
        rule="ssh",
        service="np-dev-ssh",
        creation="x1y2",
        made_rule=True,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def entry(alias: str = ALIAS, **changes: object) -> HostEntry:
    plain = HostEntry(
        alias=alias,
        hostname="127.0.0.1",
        port=31380,
        user="root",
        known_hosts_file=f"~/.ssh/kubectl-nodeport/{alias}.known_hosts",
        identity_file=None,
        origin=origin(),
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def entry_for(store: ConfigFile, alias: str = ALIAS, **changes: object) -> HostEntry:
    return entry(alias, known_hosts_file=store.known_hosts_path(alias), **changes)


def without_block(text: str) -> str:
    """The text around the markers, found without the code that put them there."""
    start = text.index(block.BEGIN)
    end = text.index(block.END) + len(block.END)
    newline = "\r\n" if text[start:].split("\n", 1)[0].endswith("\r") else "\n"
    if end == len(text):
        return text[:start].removesuffix(newline)
    return text[:start] + text[end:].removeprefix(newline)


def beside(path: Path) -> set[str]:
    """What stands in the folder; the lock file and backups, which stay on purpose, left out."""
    names = {found.name for found in path.parent.iterdir()}
    return {name for name in names if not name.endswith((".lock", ".bak"))}
