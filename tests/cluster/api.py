"""A small client of the API server, for the harness itself: JSON in, JSON out, no kubectl start."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.cluster.process import ClusterError

Object = dict[str, Any]


class ApiError(ClusterError):
    """The API server refused."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """Requests over one connection, made anew when it breaks; not for several threads at once."""

    def __init__(self, ca: Path, token: str, connect: Callable[[], socket.socket]) -> None:
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._token = token
        self._connect = connect
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str) -> Object:
        """Read an object or a list; raises ApiError."""
        return self.request("GET", path)

    def create(self, path: str, body: Object) -> Object:
        """POST an object to its collection; raises ApiError."""
        return self.request("POST", path, body)

    def delete(self, path: str, *, grace_s: int | None = None) -> None:
        """Delete an object; raises ApiError."""
        query = "" if grace_s is None else f"?gracePeriodSeconds={grace_s}"
        self.request("DELETE", path + query)

    def patch(self, path: str, body: Object) -> Object:
        """Merge-PATCH an object, or its subresource; raises ApiError."""
        return self.request("PATCH", path, body, "application/merge-patch+json")

    def text(self, path: str) -> str:
        """GET what is not JSON, such as a log; raises ApiError."""
        return self._request("GET", path)

    def request(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        """Send a request and read its JSON; raises ApiError, or ClusterError without an answer."""
        result: Object = json.loads(self._request(method, path, body, kind))
        return result

    def watch(self, path: str) -> Iterator[Object]:
        """The events of a watch, on a connection of its own, until the server ends it."""
        connection = self._open()
        try:
            connection.request("GET", path, headers=self._headers())
            response = connection.getresponse()
            if response.status != 200:
                raise ApiError(response.status, response.read().decode(errors="replace"))
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> str:
        for attempt in (1, 2):  # a connection that went stale is renewed once
            try:
                return self._once(method, path, body, kind)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if attempt == 2:
                    raise ClusterError(f"{method} {path}: {error}") from error
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: Object | None, kind: str) -> str:
        if self._connection is None:
            self._connection = self._open()
        headers = self._headers() | ({} if body is None else {"Content-Type": kind})
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, headers)
        response = self._connection.getresponse()
        text = response.read().decode(errors="replace")
        if response.status >= 400:
            raise ApiError(response.status, f"{method} {path}: {response.status} {text[:4000]}")
        return text

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}

    def _open(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("kubernetes")
        connection.sock = self._tls.wrap_socket(self._connect(), server_hostname="kubernetes")
        connection.sock.settimeout(None)
        return connection


def until(what: str, ready: Callable[[], bool], timeout_s: float = 60) -> None:
    """Ask each 30 ms until it is so; raises ClusterError after timeout_s."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.03)
