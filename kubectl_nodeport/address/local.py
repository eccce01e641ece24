"""The machine this runs on, as far as it matters for where a NodePort answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from kubectl_nodeport.address.facts import LocalFacts, Platform

_SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 (a path)

_PLATFORMS: dict[str, Platform] = {"win32": "win32", "cygwin": "win32", "darwin": "darwin"}


def local_facts(
    environ: Mapping[str, str] | None = None,
    *,
    root: Path = Path("/"),
    platform: str = sys.platform,
) -> LocalFacts:
    """Look at this machine.

    :param environ: the environment; default: the process's own.
    :param root: where /proc and /var are looked for.
    :param platform: as ``sys.platform`` has it.
    """
    environ = os.environ if environ is None else environ
    kind = _PLATFORMS.get(platform, "linux")
    return LocalFacts(
        platform=kind,
        wsl=kind == "linux" and _is_wsl(environ, root),
        in_cluster=_is_in_cluster(environ, root),
    )


def _is_wsl(environ: Mapping[str, str], root: Path) -> bool:
    """WSL_DISTRO_NAME is lost under sudo; the kernel's version names Microsoft all the same."""
    if "WSL_DISTRO_NAME" in environ:
        return True
    try:
        version = (root / "proc/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "microsoft" in version.lower()


def _is_in_cluster(environ: Mapping[str, str], root: Path) -> bool:
    """What the client libraries call in-cluster: the API's address and a service account."""
    token = root / _SERVICE_ACCOUNT_TOKEN.lstrip("/")
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and token.is_file()
