"""When the server is asked again: the rules as a table, and the real client that keeps them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import ApiError, Request, UnreachableError
from kubectl_nodeport.kube.retry import wait_s
from tests.kube import make
from tests.kube.server import SILENCE, Answer, Server, in_turn, serving

GET = Request("get", "pods", "read the pod", name="dev", namespace="lab")
CREATE = Request("create", "services", "expose the pod", namespace="lab", body={"a": 1})
PATCH = Request("patch", "pods", "label the pod", name="dev", namespace="lab", body={})
DELETE = Request("delete", "services", "remove the rule", name="x", namespace="lab")
FOUND = {"kind": "Pod", "metadata": {"name": "dev"}}
POD = Answer(FOUND)


@pytest.mark.parametrize(
    ("request_", "status", "retry_after", "attempt", "expected"),
    [
        (GET, 429, "1", 1, 1.0),
        (GET, 429, "0", 1, 0.0),
        (GET, 429, "15", 10, 15.0),
        (GET, 429, "1", 11, None),
        (GET, 429, None, 1, None),
        (GET, 429, "", 1, None),
        (GET, 500, "1", 1, 1.0),
        (GET, 503, "5", 1, 5.0),
        (GET, 599, "5", 1, 5.0),
        (GET, 503, None, 1, None),
        (PATCH, 504, "1", 1, 1.0),
        (DELETE, 503, "1", 1, 1.0),
        # Said before anything was done; a 5xx may be said when the Service is there already.
        (CREATE, 429, "1", 1, 1.0),
        (CREATE, 500, "1", 1, None),
        (CREATE, 504, "1", 1, None),
        # Not the server's trouble, whatever the header says.
        (GET, 200, "1", 1, None),
        (GET, 302, "1", 1, None),
        (GET, 403, "1", 1, None),
        (GET, 409, "1", 1, None),
        # client-go reads a number only.
        (GET, 429, "Wed, 21 Oct 2026 07:28:00 GMT", 1, None),
        (GET, 429, "-1", 1, None),
        (GET, 429, "1.5", 1, None),
        (GET, 429, "9" * 400, 1, None),
        (GET, 429, "\u0661", 1, None),
    ],
)
def test_when_it_is_asked_again(
    request_: Request, status: int, retry_after: str | None, attempt: int, expected: float | None
) -> None:
    assert wait_s(request_, status, retry_after, attempt) == expected


def later(status: int, seconds: int) -> Answer:
    return Answer({"message": "busy"}, status, (("Retry-After", str(seconds)),))


def client(server: Server, trace: list[str], *, timeout_s: float = 10.0) -> Api:
    connection = make.connection(f"http://127.0.0.1:{server.port}")
    return Api(connection, timeout_s=timeout_s, trace=trace.append)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_is_given_the_time_it_asks_for(status: int) -> None:
    trace: list[str] = []
    with serving(in_turn(later(status, 0), later(status, 1), POD)) as server:
        begun = time.monotonic()
        assert client(server, trace).send(GET) == FOUND
        assert 1.0 <= time.monotonic() - begun < 2.0
        assert len(server.received) == 3
        assert server.connections == 1
    line = "GET /api/v1/namespaces/lab/pods/dev -> "
    assert trace == [
        f"{line}{status}, sent again after 0 s",
        f"{line}{status}, sent again after 1 s",
        f"{line}200",
    ]


def test_create_is_sent_again_whole() -> None:
    with serving(in_turn(later(429, 0), POD)) as server:
        client(server, []).send(CREATE)
        first, second = server.received
    assert first.body == second.body == b'{"a": 1}'


def test_create_that_may_have_been_done_is_not_sent_again() -> None:
    with serving(in_turn(later(503, 0), POD)) as server:
        with pytest.raises(ApiError):
            client(server, []).send(CREATE)
        assert len(server.received) == 1


def test_number_of_times_is_bounded() -> None:
    with serving(lambda _r: later(429, 0)) as server:
        with pytest.raises(ApiError, match="refused to read the pod: busy") as caught:
            client(server, []).send(GET)
        assert len(server.received) == 11
    assert caught.value.status == 429


@pytest.mark.parametrize("seconds", [2, 60, 999_999])
def test_no_wait_that_is_longer_than_the_time_left(seconds: int) -> None:
    trace: list[str] = []
    with serving(lambda _r: later(503, seconds)) as server:
        begun = time.monotonic()
        with pytest.raises(ApiError, match="refused to read the pod: busy"):
            client(server, trace, timeout_s=1.5).send(GET)
        assert time.monotonic() - begun < 1.0
        assert len(server.received) == 1
    assert trace == ["GET /api/v1/namespaces/lab/pods/dev -> 503"]


def test_the_waits_count_for_the_time_of_the_request() -> None:
    with serving(lambda _r: later(503, 1)) as server:
        begun = time.monotonic()
        with pytest.raises(ApiError):
            client(server, [], timeout_s=2.5).send(GET)
        assert time.monotonic() - begun < 3.0
        assert len(server.received) == 3


def test_only_what_is_left_of_the_time_is_waited_for_the_next_answer() -> None:
    with serving(in_turn(later(503, 1), SILENCE)) as server:
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match="did not answer in time"):
            client(server, [], timeout_s=1.5).send(GET)
        assert 1.4 <= time.monotonic() - begun < 2.3
        assert len(server.received) == 2


def test_stream_waits_too() -> None:
    lines = Answer(b"one\ntwo\n")
    with serving(in_turn(later(429, 0), lines)) as server:
        found = client(server, []).stream(GET, silence_s=5)
        assert list(found) == [b"one", b"two"]


def test_interrupt_ends_the_wait() -> None:
    code = f"""
    import signal
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.kube.request import Request
    from tests.kube import make
    signal.signal(signal.SIGINT, signal.default_int_handler)
    api = Api(make.connection("http://127.0.0.1:%s"), trace=lambda line: print(line, flush=True))
    try:
        api.send({GET!r})
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    with serving(lambda _r: later(429, 20)) as server:
        running = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code) % server.port],
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
            text=True,
        )
        assert running.stdout is not None
        assert "sent again after 20 s" in running.stdout.readline()
        begun = time.monotonic()
        running.send_signal(signal.SIGINT)
        assert running.stdout.read() == "interrupted\n"
        running.wait(10)
        assert time.monotonic() - begun < 2.0
        assert running.returncode == 0
