"""The account that a pod has in its own cluster.

https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#without-using-a-proxy
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet puts it."""


@dataclass(frozen=True, slots=True)
class Account:
    """A pod's account, in kubeconfig's terms.

    :param namespace: the pod's own, empty where it is not told.
    """

    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    namespace: str


def account(environ: Mapping[str, str], folder: Path) -> Account | None:
    """The account of the pod that this runs in; None outside of a pod."""
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT", "")
    token = folder / "token"
    if not (host and port and token.is_file()):
        return None
    cluster = {"server": f"https://{f'[{host}]' if ':' in host else host}:{port}"}
    authority = folder / "ca.crt"
    if authority.is_file():
        cluster["certificate-authority"] = str(authority)
    return Account(cluster, {"tokenFile": str(token)}, _namespace(environ, folder))


def _namespace(environ: Mapping[str, str], folder: Path) -> str:
    try:
        of_account = (folder / "namespace").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        of_account = ""
    return environ.get("POD_NAMESPACE") or of_account
