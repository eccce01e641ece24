"""Connection flags to and from an entry's origin: what a tunnel needs to ask the same cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Flags
from kubectl_nodeport.ssh.origin import FLAGS, Origin

_TRUE = "true"


def refuse_secrets(flags: Flags) -> None:
    """A tunnel asks again later, and what it asks with would have to stand in the entry.

    :raises NodeportError: a token was given, or a password in the server's URL.
    """
    if _holds_password(flags.server or ""):
        raise NodeportError(
            "--server with a login in it cannot be given for a tunnel: secrets cannot go with the "
            "entry",
            hint="put the login into the kubeconfig: kubectl config set-credentials NAME",
        )
    if flags.token:
        raise NodeportError(
            "--token cannot be given for a tunnel: secrets cannot go with the entry",
            hint="put it into the kubeconfig: kubectl config set-credentials NAME --token=…",
        )


def kept_flags(flags: Flags) -> tuple[tuple[str, str], ...]:
    """The flags that an entry's origin keeps, in the order of kube.config.Flags; paths absolute.

    A token is never kept, nor a server's URL with a login in it.
    """
    return tuple(
        (field.name, _text(field.name, value))
        for field in fields(Flags)
        if field.name in FLAGS
        for value in _values(getattr(flags, field.name))
        if not (field.name == "server" and _holds_password(value))
    )


def flags_of(origin: Origin) -> Flags:
    """The reverse of :func:`kept_flags`, with the origin's context and namespace.

    The kubeconfig's files go by :func:`environment_of`, since there may be several.
    """
    given: dict[str, Any] = {}
    for name, text in origin.flags:
        if name in ("as_group", "as_user_extra"):
            given[name] = (*given.get(name, ()), text)
        else:
            given[name] = True if name == "insecure_skip_tls_verify" else text
    context = origin.context if origin.has_context else None
    return Flags(context=context, namespace=origin.namespace, **given)


def environment_of(origin: Origin, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables with the origin's kubeconfig, and its credential plugin's folder on PATH."""
    changed = dict(environ)
    if origin.kubeconfig:
        changed["KUBECONFIG"] = os.pathsep.join(origin.kubeconfig)
    if origin.plugin_folder:
        path = environ.get("PATH", "")
        changed["PATH"] = f"{path}{os.pathsep if path else ''}{origin.plugin_folder}"
    return changed


def _holds_password(url: str) -> bool:
    """Whether there is anything before the host."""
    return "@" in url.rpartition("://")[2].partition("/")[0]


def _values(value: object) -> tuple[Any, ...]:
    if isinstance(value, tuple):
        return value
    return (value,) if value else ()


def _text(name: str, value: object) -> str:
    if value is True:
        return _TRUE
    is_path = name in ("certificate_authority", "client_certificate", "client_key")
    return str(Path(str(value)).absolute()) if is_path else str(value)
