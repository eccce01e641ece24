"""What our documents have in common, in Kubernetes' form; docs/output.md has the fields. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

API_VERSION = "kubectl-nodeport/v1"


def item(kind: str, metadata: dict[str, Any], **fields: dict[str, Any]) -> dict[str, Any]:
    """One object."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, **fields}


def listing(kind: str, items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A list of objects, in the order given."""
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {}, "items": list(items)}
