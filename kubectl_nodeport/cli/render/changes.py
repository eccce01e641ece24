"""What disconnect and sync print of Host entries, as documents. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubectl_nodeport.cli.render import document
from kubectl_nodeport.ssh.entry import HostEntry


def change_list(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The changes for a program, in Kubernetes' form; docs/output.md explains the fields."""
    return document.listing("HostChangeList", items)


def change(entry: HostEntry, status: dict[str, Any]) -> dict[str, Any]:
    """What became of one entry."""
    origin = entry.origin
    return document.item(
        "HostChange",
        {"name": entry.alias},
        origin={
            "context": origin.context,
            "namespace": origin.namespace,
            "target": origin.target,
        },
        status=status,
    )
