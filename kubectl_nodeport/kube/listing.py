"""Lists, page by page. Pure: it is handed what sends a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ApiError, Json, Request

# As many as kubectl asks for at once.
_PAGE = 500
_MOST_PAGES = 40
_GONE = 410


def everything(send: Callable[[Request], Json], request: Request) -> list[Mapping[str, Any]]:
    """All objects of a collection.

    A list is a picture of one moment, which the server keeps for some minutes. Where that was too
    short, the list is begun anew, once.
    https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks

    :raises NodeportError: there are more than can be looked through.
    """
    try:
        return list(_pages(send, request))
    except ApiError as err:
        if err.status != _GONE:
            raise
    return list(_pages(send, request))


def first(send: Callable[[Request], Json], request: Request, most: int) -> list[Mapping[str, Any]]:
    """The first objects of a collection, in one request; ``most`` of them at most."""
    page = send(replace(request, query=(*request.query, ("limit", str(most)))))
    return _items(page)


def _items(page: Json) -> list[Mapping[str, Any]]:
    items = page.get("items")
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _pages(send: Callable[[Request], Json], request: Request) -> Iterator[Mapping[str, Any]]:
    query = (*request.query, ("limit", str(_PAGE)))
    more: tuple[tuple[str, str], ...] = ()
    for _ in range(_MOST_PAGES):
        page = send(replace(request, query=(*query, *more)))
        yield from _items(page)
        metadata = page.get("metadata")
        token = metadata.get("continue") if isinstance(metadata, Mapping) else None
        if not token or not isinstance(token, str):
            return
        more = (("continue", token),)
    raise NodeportError(
        f"there are more than {_MOST_PAGES * _PAGE} {request.resource} to look through",
        hint="use another namespace",
    )
