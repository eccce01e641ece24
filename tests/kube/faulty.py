"""A small API server behind HTTP, with state, that fails at one request or from there on.

It is the fake of the commands' tests, asked by the real client.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from kubectl_nodeport.kube.request import ApiError, Json, Request
from tests.commands.fake_api import FakeApi
from tests.kube.server import SILENCE, Answer, Raw, Received

_VERBS = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request.

    ``answer`` is what the client gets instead of the answer; the server's own, cut in its middle,
    where it is :data:`HALF`. ``stored``: what was asked for was done all the same.
    """

    answer: object
    stored: bool = False


HALF = object()
"""The true answer, broken off in the middle of its body."""


@dataclass(frozen=True)
class Place:
    """The ``nth`` request of a kind, such as "create services"; counted from 0.

    ``lasting``: and every request that comes after it, whatever it is.
    """

    step: str
    nth: int = 0
    lasting: bool = False

    def __str__(self) -> str:
        return f"{self.step}#{self.nth}" + (" and on" if self.lasting else "")


class Faulty:
    """Behaviour of a :class:`tests.kube.server.Server`: a fake API server, and a fault in it."""

    def __init__(self, api: FakeApi, fault: Fault | None = None, place: Place | None = None):
        self.api = api
        self.asked: list[str] = []
        self.struck = 0
        self.collections_deleted: list[str] = []
        self._fault = fault
        self._place = place
        # Some requests are sent at the same time, and the fake is not made for that.
        self._alone = threading.Lock()

    def __call__(self, received: Received) -> object:
        """Serve one request, or fail at it."""
        request = request_of(received)
        with self._alone:
            self.asked.append(f"{request.verb} {request.resource}")
            if not self._is_struck(self.asked[-1]):
                return self._serve(request)
            assert self._fault is not None
            if not (self._fault.stored or self._fault.answer is HALF):
                return self._fault.answer
            served = self._serve(request)
        if self._fault.answer is not HALF:
            return self._fault.answer
        return replace(served, body=served.raw[: len(served.raw) // 2], announced=len(served.raw))

    def _is_struck(self, step: str) -> bool:
        place, nth = self._place, self.asked.count(step) - 1
        if place is None:
            return False
        if (step, nth) == (place.step, place.nth) or (place.lasting and self.struck):
            self.struck += 1
            return True
        return False

    def _serve(self, request: Request) -> Answer:
        if request.verb == "delete" and not request.name:
            return self._delete_collection(request)
        refused = self.api.refused.get(f"{request.verb} {request.resource}")
        if refused:
            return status(*refused)
        try:
            return Answer(self.api.send(request))
        except ApiError as err:
            message = err.message.removeprefix("the API server refused to : ")
            return status(err.status, err.reason, message)

    def _delete_collection(self, request: Request) -> Answer:
        """As the real one: whoever leaves the name out deletes all there are."""
        self.collections_deleted.append(f"{request.resource} in {request.namespace}")
        gone = [key for key in self.api.objects if key[:2] == (request.resource, request.namespace)]
        for key in gone:
            del self.api.objects[key]
        return Answer({"kind": "Status", "status": "Success"})


def request_of(received: Received) -> Request:
    """The request that the client made this of."""
    url = urlsplit(received.path)
    first, *parts = [unquote(part) for part in url.path.removeprefix("/").split("/")]
    group = "" if first == "api" else "/".join(parts[:2])
    parts = parts[1:] if first == "api" else parts[2:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = (*parts, "", "")[:3]
    query = tuple(parse_qsl(url.query, keep_blank_values=True))
    verb = _VERBS[received.method]
    if verb == "get" and not name:
        verb = "watch" if ("watch", "true") in query else "list"
    body: Json | None = json.loads(received.body) if received.body else None
    return Request(
        *(verb, resource, ""),
        name=name,
        namespace=namespace,
        subresource=subresource,
        query=tuple(pair for pair in query if pair != ("watch", "true")),
        body=body,
        names_only="PartialObjectMetadataList" in (received.headers["Accept"] or ""),
        group=group,
    )


def status(code: int, reason: str, message: str, **headers: Any) -> Answer:
    """A refusal as the API server sends it; ``headers`` with ``_`` for ``-``."""
    body = {"kind": "Status", "status": "Failure", "code": code}
    return Answer(
        {**body, "reason": reason, "message": message},
        code,
        tuple((name.replace("_", "-"), str(value)) for name, value in headers.items()),
    )


def page(title: str, code: int) -> Answer:
    """A web page, as a proxy sends it."""
    return Answer(f"<!DOCTYPE html><html><head><title>{title}</title></head></html>", code)


HANG_UP = Raw(b"")
NOT_DONE = {
    "401": Fault(status(401, "Unauthorized", "Unauthorized")),
    "403 by admission": Fault(status(403, "Forbidden", "admission webhook denied the request")),
    "404 page": Fault(page("404 Not Found", 404)),
    "409": Fault(status(409, "Conflict", "the object has been modified")),
    "422": Fault(status(422, "Invalid", "something is invalid: spec: Forbidden")),
    "429": Fault(status(429, "TooManyRequests", "too many requests")),
    "429, again at once": Fault(status(429, "TooManyRequests", "busy", Retry_After=0)),
    "500": Fault(status(500, "InternalError", "etcdserver: leader changed")),
    "503, again at once": Fault(status(503, "ServiceUnavailable", "starting", Retry_After=0)),
    "302": Fault(Answer("", 302, (("Location", "https://login.example/"),))),
    "hung up": Fault(HANG_UP),
    "cut in the headers": Fault(Raw(b"HTTP/1.1 200 OK\r\nContent-Ty")),
    "200 page": Fault(page("Sign in", 200)),
    "502 page": Fault(page("Bad Gateway", 502)),
    "silence": Fault(SILENCE),
}
"""Faults of which the cluster sees nothing."""

DONE = {
    "500 though stored": Fault(status(500, "InternalError", "timed out"), stored=True),
    "503 though stored": Fault(
        status(503, "ServiceUnavailable", "again", Retry_After=0), stored=True
    ),
    "504 page though stored": Fault(page("Gateway Time-out", 504), stored=True),
    "hung up after it was stored": Fault(HANG_UP, stored=True),
    "cut in the body": Fault(HALF, stored=True),
    "200 page though stored": Fault(page("Welcome", 200), stored=True),
    "200 of nothing": Fault(Answer(""), stored=True),
    "200 of damaged JSON": Fault(Answer('{"kind": '), stored=True),
    "200 of an empty object": Fault(Answer({}), stored=True),
    "200 of a wrong shape": Fault(
        Answer({"metadata": [], "spec": 7, "status": "x", "items": {"a": 1}}), stored=True
    ),
    "200 of nulls": Fault(
        Answer({"metadata": {"name": None, "uid": None}, "spec": None, "items": None}), stored=True
    ),
    "silence after it was stored": Fault(SILENCE, stored=True),
}
"""Faults that hide that it was done."""

FAULTS = {**NOT_DONE, **DONE}

OUTAGES = {
    kind: FAULTS[kind]
    for kind in (
        *("403 by admission", "500", "500 though stored", "502 page", "hung up", "silence"),
        *("hung up after it was stored", "cut in the body", "401"),
    )
}
"""Faults that may well stay; a server that says no to all, or lies, is not one of them."""
