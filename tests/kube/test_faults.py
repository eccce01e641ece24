"""What becomes of a server, or of what stands before it, that does everything wrong.

Each fault has to end in one error in plain words, in time, without a word of the credentials; the
same through the whole command line.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import (
    ApiError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    Json,
    NotFoundError,
    Request,
    UnreachableError,
)
from kubectl_nodeport.kube.streams import Exec, ExecError
from tests.kube import make
from tests.kube.server import (
    DRIP,
    SILENCE,
    Answer,
    Chunks,
    Frames,
    Pair,
    Raw,
    certificate,
    serving,
    tls_for,
)

TOKEN = "t0p-s3cret-of-jane"
GET = Request("get", "pods", "read the pod", name="dev", namespace="default")
# The client's limit, that of a command in a container, and what a machine that is busy may add.
LIMIT_S, EXEC_LIMIT_S, GRACE_S = 1.0, 3.0, 7.0

GARBAGE, HUNG_UP, CLOSED = object(), object(), object()
"""No TLS is spoken there; the connection is closed at once; nobody listens there."""

ELSEWHERE = object()
"""Stands for a redirect to another server, which must not be asked."""


def status(code: int, reason: str, message: str, **more: object) -> Answer:
    """A refusal as the API server sends it."""
    body = {"kind": "Status", "status": "Failure", "message": message, "reason": reason, **more}
    return Answer({**body, "code": code}, code)


def page(title: str, code: int, text: str = "") -> Answer:
    """A web page, as proxies and login pages send it."""
    html = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{text}</body></html>"
    return Answer(html, code, (("Content-Type", "text/html"),))


RBAC = (
    'pods "dev" is forbidden: User "jane" cannot get resource "pods" in API group "" '
    'in the namespace "default"'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass(frozen=True)
class Fault:
    """What the server does, and what is told of it.

    ``exec_says``: where the refused exec is told otherwise; a websocket's answer has no body of
    unknown length.
    """

    answer: object
    kind: type[NodeportError]
    says: str
    exec_kind: type[NodeportError] | None = None
    exec_says: str = ""


REFUSED, LOST = "refused to ", UnreachableError
FAULTS = {
    "400": Fault(status(400, "BadRequest", "bad field"), ApiError, "refused to {}: bad field"),
    "401": Fault(status(401, "Unauthorized", "Unauthorized"), ApiError, "does not accept the cred"),
    "401 page": Fault(page("Log in", 401), ApiError, "does not accept the credentials (401)"),
    "403": Fault(status(403, "Forbidden", RBAC), ForbiddenError, "right to get pods -n default is"),
    "403 page": Fault(
        page("Blocked", 403), ForbiddenError, 'refused to {}: HTTP status 403 with a web page, "Bl'
    ),
    "404": Fault(status(404, "NotFound", 'pods "dev" not found'), NotFoundError, "not found"),
    "404 text": Fault(
        Answer("404 page not found\n", 404), ApiError, 'with text, "404 page not found"'
    ),
    "409": Fault(status(409, "Conflict", "was modified"), ConflictError, "{}: was modified"),
    "410": Fault(status(410, "Expired", "too old"), ApiError, "refused to {}: too old"),
    "422": Fault(status(422, "Invalid", "is immutable"), InvalidError, "{}: is immutable"),
    "429": Fault(status(429, "TooManyRequests", "busy"), ApiError, "refused to {}: busy"),
    "500": Fault(status(500, "InternalError", "etcd"), ApiError, "refused to {}: etcd"),
    "500 empty": Fault(Answer("", 500), ApiError, "refused to {}: HTTP status 500"),
    "502 page": Fault(
        page("502 Bad Gateway", 502),
        *(ApiError, 'HTTP status 502 with a web page, "502 Bad Gateway"'),
    ),
    "503 text": Fault(
        Answer("upstream connect error", 503), ApiError, 'with text, "upstream connect error"'
    ),
    "503 later": Fault(
        Answer({"message": "starting"}, 503, (("Retry-After", "60"),)),
        *(ApiError, "refused to {}: starting"),
    ),
    "504": Fault(status(504, "Timeout", "did not complete"), ApiError, "{}: did not complete"),
    "302": Fault(ELSEWHERE, ApiError, "HTTP status 302, a redirect to 127.0.0.1 that is not"),
    "200 page": Fault(
        page("Sign in &mdash; ACME", 200),
        *(LOST, 'answered with a web page, "Sign in — ACME"'),
        *(ApiError, 'HTTP status 200 with a web page, "Sign in — ACME"'),
    ),
    "200 page that moves the cursor": Fault(
        page("\x1b]0;evil\x07\u202e", 200, "<p>hi</p>"),
        *(LOST, 'answered with a web page, "]0;evil"'),
        *(ApiError, 'with a web page, "]0;evil"'),
    ),
    "200 text": Fault(
        Answer("it works"), LOST, 'answered with text, "it works"', ApiError, '"it works"'
    ),
    "200 no text": Fault(
        Answer(b"\x00\xff\xfe"),
        *(LOST, "answered with something that is no text"),
        *(ApiError, "something that is no text"),
    ),
    "200 damaged": Fault(
        Answer('{"kind": "Pod", '), LOST, "answered with damaged JSON", ApiError, "HTTP status 200"
    ),
    "200 list": Fault(Answer("[1]"), LOST, "JSON that is no object", ApiError, "HTTP status 200"),
    "200 null": Fault(Answer("null"), LOST, "JSON that is no object", ApiError, "HTTP status 200"),
    "200 deep": Fault(
        Answer(b"[" * 100_000), LOST, "answered with damaged JSON", ApiError, "HTTP status 200"
    ),
    "200 empty": Fault(Answer(""), LOST, "answered with nothing", ApiError, "HTTP status 200"),
    "204": Fault(
        Raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
        *(LOST, "answered with nothing"),
        *(ApiError, "HTTP status 204"),
    ),
    "hang up": Fault(None, LOST, "broke off its answer"),
    "cut in the headers": Fault(
        Raw(HEAD + b"Content-Le"), LOST, "answered with nothing", LOST, "broke off its answer"
    ),
    "cut in the body": Fault(
        Raw(HEAD + b'Content-Length: 100\r\n\r\n{"kind":'),
        *(LOST, "broke off its answer"),
    ),
    "cut in a refusal": Fault(
        Raw(b'HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n{"message":'),
        *(LOST, "broke off its answer"),
    ),
    "cut in a chunk": Fault(
        Raw(HEAD + b'Transfer-Encoding: chunked\r\n\r\n10\r\n{"kind":'),
        *(LOST, "broke off its answer"),
        *(ApiError, "HTTP status 200"),
    ),
    "cut between chunks": Fault(
        Chunks((b'{"kind":', b'"Pod"}'), "cut"),
        *(LOST, "broke off its answer"),
        *(ApiError, "HTTP status 200"),
    ),
    "chunk of no length": Fault(
        Raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n"),
        *(LOST, "broke off its answer"),
        *(ApiError, "HTTP status 200"),
    ),
    "damaged gzip": Fault(
        Answer(b"\x1f\x8b no gzip", 200, (("Content-Encoding", "gzip"),)),
        *(LOST, "sent an answer that cannot be unpacked"),
        *(ApiError, "something that is no text"),
    ),
    "no HTTP": Fault(
        Raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        *(LOST, "answered with what is no HTTP"),
        *(LOST, "answered with what is no websocket"),
    ),
    "endless header": Fault(
        Raw(HEAD + b"X: " + b"x" * 100_000, hang=True),
        *(LOST, "answered with what is no HTTP"),
        *(LOST, "did not answer in time"),
    ),
    "huge": Fault(
        Answer(b'{"a": "' + b"x" * (17 << 20) + b'"}'),
        *(LOST, "answered with more than 16 MB"),
        *(LOST, "sends more than it could have to say"),
    ),
    "silence": Fault(SILENCE, LOST, "did not answer in time"),
    "half an answer": Fault(
        Raw(HEAD + b"Content-Length: 100\r\n\r\n{", hang=True), LOST, "did not answer in time"
    ),
    "drip": Fault(DRIP, LOST, "did not answer in time"),
    "chunks without end": Fault(
        Chunks((b'{"kind":',), "hang"),
        *(LOST, "did not answer in time"),
        *(ApiError, "HTTP status 200"),
    ),
    "TLS garbage": Fault(GARBAGE, LOST, "failed the TLS check: "),
    "hung up before TLS": Fault(HUNG_UP, LOST, "broke off its answer"),
    "closed port": Fault(CLOSED, LOST, "refused the connection"),
    "token in a Status": Fault(
        status(403, "Forbidden", f"who is Bearer {TOKEN}?"),
        *(ForbiddenError, "refused to {}: who is Bearer ***?"),
    ),
    "token in a page": Fault(
        page(f"{'x' * 150} {TOKEN}", 200), LOST, "answered with a web page", ApiError, "web page"
    ),
}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificate(tmp_path_factory.mktemp("pki"), "api")


@contextlib.contextmanager
def standing(answer: object, pair: Pair) -> Iterator[str]:
    """A server with the fault; its URL. One that was redirected to gets nothing."""
    tls = tls_for(pair)
    if answer is CLOSED:
        with socket.socket() as held:  # bound, not listening
            held.bind(("127.0.0.1", 0))
            yield f"https://127.0.0.1:{held.getsockname()[1]}"
    elif answer in (GARBAGE, HUNG_UP):
        with babbling(b"220 mail.example.com ESMTP\r\n" * 9 if answer is GARBAGE else b"") as port:
            yield f"https://127.0.0.1:{port}"
    elif answer is ELSEWHERE:
        with serving(lambda _r: Answer(make.BARE_POD), tls_for(pair)) as other:
            there = f"https://127.0.0.1:{other.port}/?{TOKEN}"
            with serving(lambda _r: Answer("", 302, (("Location", there),)), tls) as server:
                yield f"https://127.0.0.1:{server.port}"
            assert other.received == [], "nobody else gets the credentials"
    else:
        with serving(lambda _r: answer, tls) as server:
            yield f"https://127.0.0.1:{server.port}"
            assert [r.all("Authorization") for r in server.received[:1]] == [[f"Bearer {TOKEN}"]]


@contextlib.contextmanager
def babbling(words: bytes) -> Iterator[int]:
    """Answers whatever it is told with the same words, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(words)
                except OSError:  # the client has gone, or the test
                    if listener.fileno() < 0:
                        return

        threading.Thread(target=babble, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def client(url: str, pair: Pair, trace: list[str]) -> Api:
    cluster = {"certificate-authority-data": pair.certificate_data}
    connection = make.connection(url, cluster=cluster, user={"token": TOKEN})
    return Api(connection, timeout_s=LIMIT_S, trace=trace.append)


def check_words(*texts: str) -> None:
    """Nothing of what a person must not see, or cannot read."""
    for text in texts:
        assert TOKEN not in text
        assert TOKEN[:10] not in text
        for foreign in ("Traceback", "Error(", "urllib3", "object at", "ConnectionPool", "Errno"):
            assert foreign not in text
        assert all(c.isprintable() for c in text)
        assert len(text) < 500


@pytest.mark.parametrize("name", FAULTS)
def test_request(name: str, pair: Pair) -> None:
    fault, trace = FAULTS[name], list[str]()
    with standing(fault.answer, pair) as url:
        api = client(url, pair, trace)
        begun = time.monotonic()
        with pytest.raises(NodeportError) as caught:
            api.send(GET)
        assert time.monotonic() - begun < LIMIT_S + GRACE_S
    told = caught.value
    assert type(told) is fault.kind
    assert fault.says.format("read the pod") in told.message
    check_words(told.message, told.hint, *trace)


@pytest.mark.parametrize("name", FAULTS)
def test_exec(name: str, pair: Pair) -> None:
    fault, trace = FAULTS[name], list[str]()
    says, kind = fault.exec_says or fault.says, fault.exec_kind or fault.kind
    with standing(fault.answer, pair) as url:
        edge = Exec(client(url, pair, trace), timeout_s=EXEC_LIMIT_S)
        begun = time.monotonic()
        with pytest.raises(NodeportError) as caught:
            edge.start("default", "dev", "main", ("true",)).ask("", until=b"end")
        assert time.monotonic() - begun < EXEC_LIMIT_S + GRACE_S
    told = caught.value
    assert type(told) is kind
    assert says.format("run a command in the container") in told.message
    check_words(told.message, told.hint, *trace)


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (Frames(((1, b"half"),)), "the stream broke off"),
        (Frames(((1, b"half"),), tail=b"\x82"), "the stream broke off"),
        (Frames(((1, b"half"),), tail=b"\x82\x7e\xff\xff\x01abc"), "the stream broke off"),
        (Frames(((1, b"half"),), tail=b"\x82\x7f" + b"\xff" * 8), "the stream broke off"),
        (Frames(tail=b"HTTP/1.1 502 Bad Gateway\r\n\r\n" * 9), "exec in container main of pod dev"),
    ],
)
def test_websocket_that_breaks(frames: Frames, says: str, pair: Pair) -> None:
    with standing(frames, pair) as url:
        edge = Exec(client(url, pair, []), timeout_s=LIMIT_S)
        with pytest.raises(ExecError) as caught:
            edge.start("default", "dev", "main", ("true",)).ask("", until=b"end")
    assert says in caught.value.message
    check_words(caught.value.message, caught.value.hint)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300), st.sampled_from([b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\n"]))
def test_any_bytes_are_an_object_or_an_error_of_ours(data: bytes, head: bytes) -> None:
    with serving(lambda _r: Raw(head + data)) as server:
        api = Api(make.connection(f"http://127.0.0.1:{server.port}"), timeout_s=LIMIT_S)
        with contextlib.suppress(NodeportError):
            assert isinstance(api.send(GET), dict)


def kubeconfig(folder: Path, url: str, pair: Pair) -> Path:
    cluster: Json = {"server": url, "certificate-authority-data": pair.certificate_data}
    user: Json = {"token": TOKEN}
    return make.kubeconfig(folder / "config", "dev", current="dev", cluster=cluster, user=user)


@pytest.mark.parametrize("name", FAULTS)
def test_command_line(name: str, pair: Pair, tmp_path: Path) -> None:
    fault = FAULTS[name]
    with standing(fault.answer, pair) as url:
        words = [*("connect", "dev", "-q", "--request-timeout", f"{LIMIT_S:.0f}s"), "--kubeconfig"]
        words += [str(kubeconfig(tmp_path, url, pair)), "--ssh-config", str(tmp_path / "ssh")]
        done = subprocess.run(
            [sys.executable, "-m", "kubectl_nodeport", *words],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    error, hint = done.stderr.removesuffix("\n").split("\n")
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    check_words(error, hint)
    if fault.kind is not NotFoundError:  # which is told with the names that are near
        assert fault.says.format("read the pod") in error


def test_faults_are_enough() -> None:
    codes = {name.split()[0] for name in FAULTS if name[:3].isdecimal()}
    assert codes >= {"401", "403", "404", "409", "410", "422", "429", "500", "502", "503", "504"}
    assert len(FAULTS) >= 25
