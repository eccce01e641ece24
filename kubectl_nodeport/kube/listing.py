"""Lists, page by page. Pure: it is handed what sends a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json, Request

_PAGE = 500
_MOST_PAGES = 40


def everything(send: Callable[[Request], Json], request: Request) -> list[Mapping[str, Any]]:
    """All objects of a collection.

    :raises NodeportError: there are more than can be looked through.
    """
    found: list[Mapping[str, Any]] = []
    query = (*request.query, ("limit", str(_PAGE)))
    more: tuple[tuple[str, str], ...] = ()
    for _ in range(_MOST_PAGES):
        page = send(replace(request, query=(*query, *more)))
        items = page.get("items")
        found += [i for i in items if isinstance(i, Mapping)] if isinstance(items, list) else []
        metadata = page.get("metadata")
        token = metadata.get("continue") if isinstance(metadata, Mapping) else None
        if not token:
            return found
        more = (("continue", str(token)),)
    raise NodeportError(
        f"there are more than {_MOST_PAGES * _PAGE} {request.resource} to look through",
        hint="use another namespace",
    )
