"""Connections to the API server that are made ahead, for the first request and the first exec."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import Request, UnreachableError
from kubectl_nodeport.kube.streams import Exec
from tests.address.servers import Listener, forward, free_port
from tests.kube import make
from tests.kube.server import Answer, Frames, Pair, Received, certificate, serving, tls_for

GET = Request("get", "pods", "find the pod", name="dev", namespace="lab")
SUCCESS = Frames(((3, b'{"metadata":{},"status":"Success"}'),))


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return certificate(tmp_path, "api")


def pod_or_end(received: Received) -> object:
    return SUCCESS if received.all("Upgrade") else Answer(make.BARE_POD)


def closing_after(received: Received) -> object:
    closed = Answer(make.BARE_POD, headers=(("Connection", "close"),))
    return SUCCESS if received.all("Upgrade") else closed


def client(port: int, pair: Pair) -> Api:
    cluster = {"certificate-authority-data": pair.certificate_data}
    connection = make.connection(
        f"https://127.0.0.1:{port}", cluster=cluster, user={"token": "t0p-s3cret"}
    )
    return Api(connection)


def use(api: Api) -> None:
    """One request and one exec, each of which has to go through."""
    assert api.send(GET) == make.BARE_POD
    with contextlib.closing(Exec(api).start("lab", "dev", "main", ("true",))) as session:
        assert session.ask("", until=b"end").exit_code == 0


def test_each_is_used_once(pair: Pair) -> None:
    with serving(pod_or_end, tls_for(pair)) as server:
        api = client(server.port, pair)
        api.prepare()
        use(api)
        assert server.connections == 2
        use(api)  # the request's is kept, exec needs a new one each time
        assert server.connections == 3


def test_both_stand_before_anything_is_asked(pair: Pair) -> None:
    with serving(pod_or_end, tls_for(pair)) as server:
        client(server.port, pair).prepare()
        end = time.monotonic() + 10
        while server.connections < 2 and time.monotonic() < end:
            time.sleep(0.01)
        assert (server.connections, server.received) == (2, [])


def test_one_that_was_not_to_be_had_fails_as_any_other(pair: Pair) -> None:
    api = client(free_port(), pair)
    api.prepare()
    for ask in (lambda: api.send(GET), lambda: Exec(api).start("lab", "dev", "main", ("true",))):
        with pytest.raises(UnreachableError, match="refused the connection"):
            ask()


def closing(port: int, count: int, closed: threading.Semaphore) -> Callable[[socket.socket], None]:
    """Relays connections to the port; so many it closes once their handshake is over."""
    relay, early = forward(port), threading.Semaphore(count)

    def serve(sock: socket.socket) -> None:
        if not early.acquire(blocking=False):
            relay(sock)
            return
        timer = threading.Timer(0.3, sock.shutdown, (socket.SHUT_RDWR,))
        timer.start()
        with contextlib.suppress(OSError):
            relay(sock)
        timer.join()
        closed.release()

    return serve


@pytest.mark.parametrize("count", [1, 2])
def test_one_that_was_closed_meanwhile_is_made_anew(count: int, pair: Pair) -> None:
    """As load balancers do it with those from which no request comes."""
    closed, port = threading.Semaphore(0), free_port()
    with (
        serving(closing_after, tls_for(pair)) as server,
        Listener("127.0.0.1", port, closing(server.port, count, closed)).running() as listener,
    ):
        api = client(port, pair)
        api.prepare()
        assert all(closed.acquire(timeout=10) for _ in range(count))
        use(api)
        assert len(listener.accepted_s) == 2 + count


@pytest.mark.parametrize("which", [1, 2])
def test_one_that_fails_is_made_anew(which: int, pair: Pair) -> None:
    """As where one of several servers behind an address is down."""
    port = free_port()
    with serving(closing_after, tls_for(pair)) as server:
        relay, numbers = forward(server.port), itertools.count(1)

        def serve(sock: socket.socket) -> None:
            if next(numbers) != which:
                relay(sock)

        with Listener("127.0.0.1", port, serve).running() as listener:
            api = client(port, pair)
            api.prepare()
            use(api)
            assert len(listener.accepted_s) == 3
