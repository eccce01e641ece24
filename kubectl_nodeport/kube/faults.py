"""What can go wrong on the way to the API server, and how that is said in plain words.

Names of urllib3 are looked up where it is loaded already: who has not loaded it meets none of its
errors, and a tunnel, which needs nothing else of it, does not wait for its loading.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Sequence

import websocket

Kinds = tuple[type[BaseException], ...]


def faults() -> Kinds:
    """What the libraries raise where a request or a stream fails."""
    return OSError, websocket.WebSocketException, *_of("urllib3.exceptions", "HTTPError")


def what_happened(err: BaseException) -> str:
    """The reason in the words of the innermost error, which says it best: "refused the connection".

    A sentence's end, of which the server is the beginning.
    """
    causes = _causes(err)
    told = next(filter(None, map(_plain_words, reversed(causes))), "")
    if any(isinstance(cause, _of("urllib3.exceptions", "ProxyError")) for cause in causes):
        return f"is behind a proxy that {told or f'fails: {_last_words(causes)}'}"
    return told or f"could not be asked: {_last_words(causes)}"


def _of(module: str, *names: str) -> Kinds:
    """The classes of a module; none where it is not loaded, or another thread is at it."""
    loaded = sys.modules.get(module)
    return tuple(getattr(loaded, name) for name in names if hasattr(loaded, name))


def _words() -> tuple[tuple[Kinds, str], ...]:
    """The first that fits, so the special before the general."""
    http, urllib3 = "http.client", "urllib3.exceptions"
    return (
        ((ConnectionRefusedError,), "refused the connection"),
        ((socket.gaierror,), "has a name that cannot be resolved"),
        ((TimeoutError, *_of(urllib3, "TimeoutError")), "did not answer in time"),
        ((websocket.WebSocketTimeoutException,), "did not answer in time"),
        (_of(http, "RemoteDisconnected"), "broke off its answer"),
        (_of(http, "BadStatusLine", "LineTooLong"), "answered with what is no HTTP"),
        (_of(urllib3, "DecodeError"), "sent an answer that cannot be unpacked"),
        (_of(http, "HTTPException") + _of(urllib3, "ProtocolError"), "broke off its answer"),
        ((websocket.WebSocketConnectionClosedException,), "broke off its answer"),
        ((websocket.WebSocketException,), "answered with what is no websocket"),
    )


def _causes(err: BaseException) -> list[BaseException]:
    causes: list[BaseException] = [err]
    while len(causes) < 10:
        last = causes[-1]
        inner = getattr(last, "reason", None)
        following = inner if isinstance(inner, BaseException) else last.__cause__
        following = following or last.__context__
        if following is None:
            break
        causes.append(following)
    return causes


def _plain_words(cause: BaseException) -> str:
    if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return "broke off its answer"
    if isinstance(cause, ssl.SSLError):
        reason = getattr(cause, "verify_message", "") or cause.reason or str(cause)
        return f"failed the TLS check: {reason.replace('_', ' ')}"
    return next((words for kinds, words in _words() if isinstance(cause, kinds)), "")


def _last_words(causes: Sequence[BaseException]) -> str:
    last = causes[-1]
    return (last.strerror if isinstance(last, OSError) else None) or str(last)
