"""Kubeconfigs, connections and pods from a few words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.request import Json

BARE_POD: Json = {"kind": "Pod", "metadata": {"name": "dev"}}
"""What the client takes for an answer to a get of the pod dev."""

UID = "0c3f4f0e-52c7-4a4e-8a58-9a53a2c6f7d1"


def kubeconfig(
    path: Path,
    *names: str,
    current: str = "",
    cluster: Json | None = None,
    user: Json | None = None,
    **context: Any,
) -> Path:
    """A file with a context, a cluster and a user of each name."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "contexts": [{"name": n, "context": {"cluster": n, "user": n, **context}} for n in names],
        "clusters": [
            {"name": n, "cluster": {"server": f"https://{path.stem}.{n}:6443", **(cluster or {})}}
            for n in names
        ],
        "users": [{"name": n, "user": user or {"token": f"{path.stem}-{n}"}} for n in names],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return path


def connection(
    server: str = "https://127.0.0.1:6443",
    *,
    cluster: Json | None = None,
    user: Json | None = None,
    context: str = "kind-dev",
    namespace: str = "default",
) -> Connection:
    return Connection(
        context=context,
        cluster_name=context,
        cluster={"server": server, **(cluster or {})},
        user={"token": "t0ken"} if user is None else user,
        context_extensions=(),
        namespace=namespace,
        kubeconfig_paths=("/home/me/.kube/config",),
    )


def pod(name: str = "dev", **changes: Any) -> Json:
    """A running pod with one container, as the API server gives it.

    ``changes`` replace whole fields of ``metadata``, ``spec`` or ``status``.
    """
    document: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": UID,
            "resourceVersion": "101",
            "labels": {"app": name},
            "annotations": {},
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "main", "image": "debian", "ports": []}],
        },
        "status": {
            "phase": "Running",
            "hostIP": "192.168.5.82",
            "hostIPs": [{"ip": "192.168.5.82"}],
            "podIP": "10.244.0.7",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True"},
            ],
            "containerStatuses": [
                {
                    "name": "main",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
                }
            ],
        },
    }
    for key, value in changes.items():
        part = next(p for p in ("metadata", "spec", "status") if key in _FIELDS[p])
        document[part][key] = value
    return document


_FIELDS = {
    "metadata": ("name", "namespace", "uid", "labels", "annotations", "deletionTimestamp"),
    "spec": ("nodeName", "containers", "hostNetwork"),
    "status": ("phase", "hostIP", "hostIPs", "conditions", "containerStatuses"),
}
