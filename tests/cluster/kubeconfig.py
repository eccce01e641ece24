"""Kubeconfig files, as the JSON that is also YAML."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any


def build(
    server: str,
    ca: Path,
    token: str,
    *,
    context: str = "test",
    cluster: str = "test",
    user: str = "test",
    namespace: str | None = None,
) -> dict[str, Any]:
    """A kubeconfig with one context, which is the current one."""
    authority = base64.b64encode(ca.read_bytes()).decode()
    inner = {"cluster": cluster, "user": user} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [
            {
                "name": cluster,
                "cluster": {"server": server, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": context, "context": inner}],
    }
