"""The client's connections: answers that come line by line, and what is kept for the next one."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import ForbiddenError, Request, UnreachableError
from tests.kube import make
from tests.kube.server import (
    SILENCE,
    Answer,
    Chunks,
    Raw,
    Server,
    certificate,
    in_turn,
    serving,
    tls_for,
)

GET = Request("get", "pods", "read the pod", name="dev", namespace="lab")
FOUND = {"kind": "Pod", "metadata": {"name": "dev"}}
WATCH = Request("watch", "services", "watch the rules", namespace="lab")


def client(server: Server, *, timeout_s: float = 10.0) -> Api:
    return Api(make.connection(f"http://127.0.0.1:{server.port}"), timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (Chunks((b"one\n", b"two\n")), [b"one", b"two"]),
        (Chunks((b"on", b"e\ntw", b"o\n")), [b"one", b"two"]),
        (Chunks((b"one\ntwo\n",)), [b"one", b"two"]),
        (Chunks(()), []),
        (Answer("one\n\ntwo\n"), [b"one", b"", b"two"]),
        (Answer(""), []),
        (Raw(b"HTTP/1.0 200 OK\r\n\r\none\ntwo\n"), [b"one", b"two"]),
        # Without its end a line may be half of one.
        (Chunks((b"one\n", b"tw")), [b"one"]),
        (Raw(b"HTTP/1.0 200 OK\r\n\r\none\ntw"), [b"one"]),
        (Answer(gzip.compress(b"one\ntwo\n"), 200, (("Content-Encoding", "gzip"),)),
         [b"one", b"two"]),
    ],
)  # fmt: skip
def test_lines(answer: object, lines: list[bytes]) -> None:
    with serving(lambda _r: answer) as server:
        assert list(client(server).stream(WATCH, silence_s=5)) == lines
        assert server.received[0].path == "/api/v1/namespaces/lab/services?watch=true"


def test_lines_come_as_they_are_sent() -> None:
    with serving(lambda _r: Chunks((b"one\n", b"two\nthr"), "hang")) as server:
        found = client(server, timeout_s=1).stream(WATCH, silence_s=5)
        begun = time.monotonic()
        assert [next(found), next(found)] == [b"one", b"two"]
        assert time.monotonic() - begun < 1.0


def test_silence_may_last_longer_than_a_request() -> None:
    with serving(lambda _r: Chunks((b"one\n",), "hang")) as server:
        found = client(server, timeout_s=0.2).stream(WATCH, silence_s=0.8)
        assert next(found) == b"one"
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match="did not answer in time"):
            next(found)
        assert 0.7 <= time.monotonic() - begun < 2.0


@pytest.mark.parametrize("tail", [b"", b"tw"])
def test_cut(tail: bytes) -> None:
    with serving(lambda _r: Chunks((b"one\n" + tail,), "cut")) as server:
        found = client(server).stream(WATCH, silence_s=5)
        assert next(found) == b"one"
        with pytest.raises(UnreachableError, match="broke off its answer"):
            next(found)


def test_endless_line_is_not_kept() -> None:
    with serving(lambda _r: Chunks((b"x" * (1 << 20),) * 20)) as server:
        found = client(server).stream(WATCH, silence_s=5)
        with pytest.raises(UnreachableError, match="sent a line of more than 4 MB"):
            next(found)


def test_refusal_comes_at_the_call() -> None:
    refused = Answer(
        {
            "message": 'services is forbidden: User "jane" cannot watch resource "services" in API '
            'group "" in the namespace "lab"'
        },
        403,
    )
    with (
        serving(lambda _r: refused) as server,
        pytest.raises(ForbiddenError, match="the right to watch services -n lab is missing"),
    ):
        client(server).stream(WATCH, silence_s=5)


def test_server_that_does_not_begin_is_left_in_the_time_of_a_request() -> None:
    with serving(lambda _r: SILENCE) as server:
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match="did not answer in time"):
            client(server, timeout_s=0.3).stream(WATCH, silence_s=60)
        assert time.monotonic() - begun < 1.5


def test_close_lets_the_server_go() -> None:
    with serving(lambda _r: Chunks((b"x\n" * 1000,) * 5000)) as server:
        before = threading.active_count()
        found = client(server).stream(WATCH, silence_s=5)
        next(found)
        found.close()
        ends = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < ends:
            time.sleep(0.01)
        assert threading.active_count() <= before, "the handler still writes to us"


def test_interrupt_ends_it_at_once(tmp_path: Path) -> None:
    code = f"""
    import signal
    from kubectl_nodeport.kube.client import Api
    from kubectl_nodeport.kube.request import Request
    from tests.kube import make
    signal.signal(signal.SIGINT, signal.default_int_handler)
    api = Api(make.connection("http://127.0.0.1:%s"))
    try:
        for line in api.stream({WATCH!r}, silence_s=60):
            print(line, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    with serving(lambda _r: Chunks((b"one\n",), "hang")) as server:
        running = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code) % server.port],
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            text=True,
        )
        assert running.stdout is not None
        assert running.stdout.readline() == "b'one'\n"
        begun = time.monotonic()
        running.send_signal(signal.SIGINT)
        assert running.stdout.read() == "interrupted\n"
        assert running.wait(10) == 0
        assert time.monotonic() - begun < 2.0


@pytest.mark.parametrize("failure", [None, Answer({"message": "gone"}, 404), Answer("no JSON")])
def test_requests_share_a_connection(failure: Answer | None) -> None:
    pod = Answer(FOUND)
    answers = [pod, failure or pod, pod, pod]
    with serving(in_turn(*answers)) as server:
        api = client(server)
        for answer in answers:
            if answer is pod:
                assert api.send(GET) == FOUND
            else:
                with pytest.raises(NodeportError):
                    api.send(GET)
        assert (len(server.received), server.connections) == (4, 1)


def test_requests_go_on_beside_a_stream() -> None:
    answers = in_turn(Chunks((b"one\n", b"two\n"), "hang"), Answer(FOUND))
    with serving(answers) as server:
        api = client(server)
        found = api.stream(WATCH, silence_s=5)
        assert next(found) == b"one"
        assert [api.send(GET), api.send(GET)] == [FOUND] * 2
        assert next(found) == b"two"
        assert server.connections == 2


def test_rest_of_a_huge_answer_is_not_taken_for_the_next_one() -> None:
    huge = Answer(b'{"a": "' + b"x" * (17 << 20) + b'"}')
    with serving(in_turn(huge, Answer(FOUND))) as server:
        api = client(server)
        with pytest.raises(UnreachableError, match="answered with more than 16 MB"):
            api.send(GET)
        assert api.send(GET) == FOUND
        assert server.connections == 2


def test_object_that_holds_the_token_stays_as_it_is(tmp_path: Path) -> None:
    """Only what is shown of a failure is changed."""
    pair = certificate(tmp_path, "api")
    found = {**FOUND, "data": "a t0ken b"}
    with serving(lambda _r: Answer(found), tls_for(pair)) as server:
        connection = make.connection(
            f"https://127.0.0.1:{server.port}",
            cluster={"certificate-authority-data": pair.certificate_data},
            user={"token": "t0ken"},
        )
        assert Api(connection).send(GET) == found
        assert server.received[0].all("Authorization") == ["Bearer t0ken"]
