"""What happens to the objects of a collection, told as it happens.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from kubectl_nodeport.kube.answer import instead_of_object, object_of
from kubectl_nodeport.kube.request import (
    IS_IT_THE_SERVER,
    ApiError,
    Request,
    UnreachableError,
    refusal,
)

_KINDS = ("ADDED", "MODIFIED", "DELETED")
_BOOKMARK = "BOOKMARK"

# The server ends a watch then; the next one goes on where it stopped. As long as client-go's.
_LASTS_S = 300
# The server sends a bookmark each minute. A connection without one may be dead for all we know,
# and asking anew costs one request.
_SILENCE_S = 90.0
# A watch that was of no use is not begun anew at once, as in client-go.
_SHORT_S = 1.0
_LONGEST_WAIT_S = 30.0
_MOST_FAILURES = 10

Clock = Callable[[], float]
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an object: ``type`` is ADDED, MODIFIED or DELETED.

    ``object`` is the object as it is now, or was at last.
    """

    type: str
    object: Mapping[str, Any]


class Stream(Protocol):
    """Sends a request and gives the lines of its answer as they come; see kube.client.Api."""

    def __call__(self, request: Request, /, *, silence_s: float) -> Iterator[bytes]:
        """The lines; ``silence_s`` is the longest time in which nothing comes."""


def watch(
    stream: Stream,
    request: Request,
    version: str,
    *,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> Iterator[Event]:
    """What happens to the objects of a collection after ``version``, without end.

    Where the server ends it, or the connection is lost, it goes on from what came last; it gives
    up after some minutes without a connection.

    :param version: the resourceVersion of the list before it; "" tells of all objects first.
    :raises ApiError: the server refuses; 410: the version is too old, the caller lists again.
    :raises UnreachableError: it does not answer, or what answers is no API server.
    """
    was_open, failures = False, 0
    while True:
        since, came, failure = None, False, None
        try:
            lines = stream(_from(request, version), silence_s=_SILENCE_S)
            was_open, since = True, clock()
            for kind, found in _told(request, lines):
                came, version = True, _version(found) or version
                if kind != _BOOKMARK:
                    yield Event(kind, found)
        except (ApiError, UnreachableError) as err:
            if not (was_open and _may_pass(err)):
                raise
            failure = err
        is_short = since is None or clock() - since < _SHORT_S
        failures = failures + 1 if is_short and not came else 0
        if failures == _MOST_FAILURES:
            raise failure or _ends_at_once(request)
        if is_short or failure:
            sleep(min(2.0 ** max(failures - 1, 0), _LONGEST_WAIT_S))


class _WrongAnswerError(UnreachableError):
    """Something else than an API server answers: asking it again is of no use."""


def _from(request: Request, version: str) -> Request:
    query = (("allowWatchBookmarks", "true"), ("timeoutSeconds", str(_LASTS_S)))
    since = (("resourceVersion", version),) if version else ()
    return replace(request, query=(*request.query, *query, *since))


def _told(request: Request, lines: Iterator[bytes]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The events of one answer, bookmarks too.

    :raises ApiError: an event of type ERROR, of which a Status says what it is.
    """
    for line in lines:
        if not line.strip():
            continue
        event = object_of(line) or {}
        kind, found = event.get("type"), event.get("object")
        if kind not in (*_KINDS, _BOOKMARK, "ERROR") or not isinstance(found, Mapping):
            raise _no_event(request, line)
        if kind == "ERROR":
            raise _error(request, found)
        yield kind, found


def _error(request: Request, status: Mapping[str, Any]) -> ApiError:
    code = status.get("code")
    code = code if isinstance(code, int) and 400 <= code < 600 else 500
    return refusal(request, code, json.dumps(status).encode(), "")


def _may_pass(err: ApiError | UnreachableError) -> bool:
    """Whether it is worth asking again after a failure."""
    if isinstance(err, ApiError):
        return err.status == 429 or err.status >= 500
    return not isinstance(err, _WrongAnswerError)


def _version(found: Mapping[str, Any]) -> str:
    metadata = found.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    return version if isinstance(version, str) else ""


def _no_event(request: Request, line: bytes) -> UnreachableError:
    # Its kind only, not its words: the client knows what in them would be secret.
    told = instead_of_object(line).partition(",")[0]
    told = told if object_of(line) is None else "an object that is no event"
    return _WrongAnswerError(
        f"asked to {request.purpose}, the API server answered with {told}",
        hint=IS_IT_THE_SERVER,
    )


def _ends_at_once(request: Request) -> UnreachableError:
    return UnreachableError(
        f"asked to {request.purpose}, the API server ends its answer at once, again and again",
        hint="kubectl get --raw /readyz says whether the server is well",
    )
