"""The API server: plain JSON over the kubernetes package.

Its generated models, and what checks them, cost most of a second of start-up, so requests are made
as JSON through its HTTP client alone; who asks and by which way is in login.py.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import websocket

from kubectl_nodeport import background
from kubectl_nodeport.kube import retry
from kubectl_nodeport.kube.answer import instead_of_object, object_of
from kubectl_nodeport.kube.config import REQUEST_TIMEOUT_S
from kubectl_nodeport.kube.faults import faults, what_happened
from kubectl_nodeport.kube.fitting import fits
from kubectl_nodeport.kube.login import Login
from kubectl_nodeport.kube.request import (
    IS_IT_THE_SERVER,
    ApiError,
    Json,
    Request,
    UnreachableError,
    refusal,
)
from kubectl_nodeport.limited_socket import LimitedSocket

if TYPE_CHECKING:
    import urllib3

    from kubectl_nodeport.kube.config import Connection

# A page of 500 large Services is a few megabytes; JSON takes many times its size in memory.
_LARGEST_ANSWER = 16 << 20
# A stream carries what a command prints, and its end; more than that is an attack.
_LARGEST_STREAM = 8 << 20
# One object of a watch; etcd takes 1.5 MB, which JSON makes longer.
_LARGEST_LINE = 4 << 20
_READ = 64 << 10
_READS = ("get", "list", "watch")

T = TypeVar("T")
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer. Of a stream that was not refused, ``rest`` has the body, which is to come."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes
    login: Headers
    rest: urllib3.BaseHTTPResponse


class Api:
    """Sends requests to the API server of one connection.

    :param timeout_s: how long one request may take; the connection's own limit if None.
    :param trace: is told each request and the status of its answer, never a header.
    :param step: is told, by a context, what is waited for. A login is not: it may ask a person.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        timeout_s: float | None = None,
        trace: Callable[[str], None] = lambda _line: None,
        step: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._connection = connection
        self._timeout_s = connection.request_timeout_s if timeout_s is None else timeout_s
        self._trace = trace
        self._step = step
        self._login = Login(connection)

    def send(self, request: Request) -> Json:
        """Send one request and return the object that the server answers with.

        Where a busy server asks to come back later, it is sent again in time, as kubectl does.

        :raises ApiError: the server refused.
        :raises UnreachableError: no whole answer came in time, or one that is no object.
        """
        answer = self._ask(request)
        found = object_of(answer.body)
        if found is None:
            told = instead_of_object(_without_secret(answer.body, answer.login))
            raise self._unreachable(f"answered with {told}", hint=IS_IT_THE_SERVER)
        if not fits(request, found):
            told = f"another object than the one asked for to {request.purpose}"
            raise self._unreachable(f"answered with {told}", hint=IS_IT_THE_SERVER)
        return found

    def stream(self, request: Request, *, silence_s: float) -> Generator[bytes, None, None]:
        """Send one request and return an iterator over the lines of its answer, as they come.

        It ends where the server ends it; a last line that is not whole is left out. Closing the
        iterator closes the connection.

        :param silence_s: the longest time in which nothing comes.
        :raises ApiError: the server refused.
        :raises UnreachableError: it did not answer; from the iterator: the answer broke off.
        """
        return self._lines(self._ask(request, silence_s).rest)

    def _lines(self, response: urllib3.BaseHTTPResponse) -> Generator[bytes, None, None]:
        rest = b""
        try:
            while data := response.read1(_READ):
                *lines, rest = (rest + data).split(b"\n")
                yield from lines
                if len(rest) > _LARGEST_LINE:
                    raise self._unreachable(f"sent a line of more than {_LARGEST_LINE >> 20} MB")
        except faults() as err:
            raise self._unreachable(what_happened(err)) from err
        finally:
            response.close()

    def _ask(self, request: Request, silence_s: float | None = None) -> _Answer:
        """Send it until its answer is final. ``silence_s``: the body is not waited for."""
        limit_s = self._timeout_s
        if limit_s is None and request.verb not in _READS:
            # Ctrl-C waits until a change is whole, so a change has to end by itself.
            limit_s = REQUEST_TIMEOUT_S
        self.load()  # which is no part of the time that the server has
        ends = None if limit_s is None else time.monotonic() + limit_s
        for attempt in itertools.count(1):
            left_s = None if ends is None else max(ends - time.monotonic(), 0.01)
            answer = self._within(left_s, partial(self._send, request, left_s, silence_s))
            asked = answer.headers.get("Retry-After")
            wait_s = retry.wait_s(request, answer.status, asked, attempt)
            if wait_s is None or (ends is not None and time.monotonic() + wait_s >= ends):
                break
            self._trace(f"{request} -> {answer.status}, sent again after {wait_s:.0f} s")
            with self._step(f"waiting {wait_s:.0f} s, as {self._named} asks"):
                time.sleep(wait_s)
        if _is_success(answer.status):
            self._trace(f"{request} -> {answer.status}")
            return answer
        told = _without_secret(answer.body, answer.login)
        raise self._refused(request, answer.status, told, answer.headers.get("Location", ""))

    def _send(self, request: Request, timeout_s: float | None, silence_s: float | None) -> _Answer:
        login = self._login.headers()
        with self._step(f"waiting for {self._named} to {request.purpose}"):
            return self._exchanged(request, login, timeout_s, silence_s)

    def _exchanged(
        self, request: Request, login: Headers, timeout_s: float | None, silence_s: float | None
    ) -> _Answer:
        import urllib3  # late, as the next: a tunnel needs none of it

        from kubectl_nodeport.kube.package import ApiException

        try:
            response = self._login.client.request(
                request.method,
                self._connection.server + request.path,
                headers=urllib3.HTTPHeaderDict([*request.headers.items(), *login]),
                body=request.body,
                _request_timeout=timeout_s if silence_s is None else (timeout_s, silence_s),
            ).response
        except ApiException as err:  # in the place of urllib3's SSLError
            raise urllib3.exceptions.HTTPError(str(err.reason)) from err.__context__
        body = b""
        if silence_s is None or not _is_success(response.status):
            body = response.read(_LARGEST_ANSWER + 1)
            if len(body) > _LARGEST_ANSWER:
                response.close()  # its rest would be the answer to the next request
                raise self._unreachable(f"answered with more than {_LARGEST_ANSWER >> 20} MB")
            response.release_conn()
        return _Answer(response.status, response.headers, body, login, response)

    def open_websocket(self, request: Request, *subprotocols: str) -> websocket.WebSocket:
        """Open a streaming subresource (exec, portforward); the server chooses the subprotocol.

        :raises ApiError: the server refused; :raises UnreachableError: it did not answer.
        """
        stream = self._within(self._timeout_s, partial(self._upgraded, request, subprotocols))
        self._trace(f"{request} -> 101")
        return stream

    def prepare(self) -> None:
        """Connect for the first request and the first :meth:`open_websocket`, and load meanwhile
        what requests are made with.

        To be called when both are but moments away: a connection without a request is soon closed.

        :raises NodeportError: the credentials cannot be renewed.
        """
        self._login.headers()  # renewed before, so that these show the certificate of today
        self._login.prepare(2, self._timeout_s)
        self.load()

    def load(self) -> None:
        """Load what requests are made with, which the first of them would do.

        To be called before something else is loaded beside it, for which it would have to wait.
        """
        _ = self._login.client

    def _upgraded(self, request: Request, subprotocols: Sequence[str]) -> websocket.WebSocket:
        sock = self._login.open_socket(self._timeout_s)
        login = self._login.headers()
        stream = websocket.WebSocket()
        try:
            stream.connect(
                "ws" + self._connection.server.removeprefix("http") + request.path,
                # The library knows a socket by what it can do, not by its class.
                socket=cast("socket.socket", LimitedSocket(sock, _LARGEST_STREAM)),
                header=[f"{key}: {value}" for key, value in login],
                subprotocols=list(subprotocols),
                suppress_origin=True,
                timeout=self._timeout_s,
                redirect_limit=0,  # whoever is named there must not get the credentials
            )
        except websocket.WebSocketBadStatusException as err:
            # Its text holds the whole answer, in which a proxy may send our own headers back.
            told = _without_secret(err.resp_body or b"", login)
            raise self._refused(request, err.status_code, told) from None
        except websocket.WebSocketException:
            redirect = stream.handshake_response
            if redirect is None:
                raise
            location = redirect.headers.get("location", "")
            raise self._refused(request, redirect.status, b"", location) from None
        return stream

    def _within(self, timeout_s: float | None, work: Callable[[], T]) -> T:
        """Do it in this time at most; what goes wrong is told in plain words."""
        # The libraries' timeouts are for one read each; a server that drips would hold us for ever.
        working = background.start(work)
        try:
            return working(timeout=timeout_s)
        except faults() as err:
            raise self._unreachable(what_happened(err)) from err

    def _refused(self, request: Request, status: int, told: bytes, location: str = "") -> ApiError:
        self._trace(f"{request} -> {status}")
        return refusal(request, status, told, self._connection.context, location=location)

    def _unreachable(
        self, what: str, *, hint: str = "is the cluster running? kubectl version"
    ) -> UnreachableError:
        message = f"{self._named} at {self._connection.server_shown} {what}"
        return UnreachableError(message, hint=hint)

    @property
    def _named(self) -> str:
        return f'the API server of context "{self._connection.context}"'


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _without_secret(body: bytes, login: Headers) -> bytes:
    """The body of a failure to be shown: some servers repeat the request in it."""
    secret = dict(login).get("Authorization", "").rpartition(" ")[2]
    return body.replace(secret.encode(), b"***") if secret else body
