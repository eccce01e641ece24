"""Which version of Kubernetes an API server is."""

from __future__ import annotations

import re

from kubectl_nodeport.commands.edges import Api
from kubectl_nodeport.kube.request import Request

_VERSION = re.compile(r"v1\.[0-9]{1,3}\.[0-9]{1,3}[A-Za-z0-9.+-]{0,60}")


def server_version(api: Api) -> str:
    """As it says itself, such as ``v1.34.4``; "" if it says nothing of that kind.

    :raises NodeportError: it refuses, or does not answer.
    """
    answer = api.send(Request("get", "", "ask for its version", raw="/version"))
    told = str(answer.get("gitVersion"))
    return told if _VERSION.fullmatch(told) else ""


def minor_of(version: str) -> int:
    """34 of ``v1.34.4``."""
    return int(version.split(".")[1])
