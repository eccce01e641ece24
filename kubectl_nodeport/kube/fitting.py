"""Whether an answer can be one to what was asked. Pure.

What stands before an API server may answer with 200 and any object. Believed, a rule would be taken
for made, or for gone, that is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubectl_nodeport.kube.request import Json, Request


def fits(request: Request, answer: Json) -> bool:
    """Whether the answer is of the object that was named, created or changed.

    Lists are read entry by entry, and a delete is answered with a Status or with the object.
    """
    wanted = request.name if request.verb in ("get", "patch") else _created(request)
    if not wanted or request.subresource:
        return True
    metadata = _mapping(answer.get("metadata"))
    if metadata.get("name") != wanted:
        return False
    uid = metadata.get("uid")
    return request.verb != "create" or (isinstance(uid, str) and bool(uid))


def _created(request: Request) -> str:
    """The name of what is created; "" where the server chooses it, or nothing is stored."""
    if request.verb != "create":
        return ""
    return str(_mapping((request.body or {}).get("metadata")).get("name", ""))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
