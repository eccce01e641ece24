"""The client against a server of our own: what is sent, and what becomes of bad answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_nodeport import __version__
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import (
    ApiError,
    ForbiddenError,
    Json,
    NotFoundError,
    Request,
    UnreachableError,
)
from tests.kube import make
from tests.kube.server import DRIP, SILENCE, Answer, Pair, Server, certificate, serving, tls_for

GET = Request("get", "pods", "read the pod", name="dev", namespace="lab")
TOKEN = "t0p-s3cret"
LOGIN = {"token": TOKEN}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return certificate(tmp_path_factory.mktemp("pki"), "api")


def api(
    server: Server | str,
    user: Json | None = None,
    cluster: Json | None = None,
    *,
    timeout_s: float = 10.0,
    trace: list[str] | None = None,
) -> Api:
    url = server if isinstance(server, str) else f"http://127.0.0.1:{server.port}"
    told = trace if trace is not None else []
    return Api(
        make.connection(url, cluster=cluster, user=user), timeout_s=timeout_s, trace=told.append
    )


def failure(client: Api, request: Request = GET) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        client.send(request)
    assert TOKEN not in caught.value.message + caught.value.hint
    return caught.value


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda _r: Answer(make.BARE_POD)) as running:
        yield running


def test_get_is_sent_as_is(server: Server) -> None:
    trace: list[str] = []
    client = api(server, {"token": TOKEN}, trace=trace)
    assert client.send(GET) == make.BARE_POD
    (sent,) = server.received
    assert (sent.method, sent.path) == ("GET", "/api/v1/namespaces/lab/pods/dev")
    assert sent.all("Authorization") == [], "the server is asked without TLS"
    assert sent.all("User-Agent") == [f"kubectl-nodeport/{__version__}"]
    assert sent.all("Accept") == ["application/json"]
    assert sent.body == b""
    assert trace == ["GET /api/v1/namespaces/lab/pods/dev -> 200"]


@pytest.mark.parametrize(
    ("verb", "method", "content_type"),
    [
        ("create", "POST", "application/json"),
        ("patch", "PATCH", "application/merge-patch+json"),
        ("delete", "DELETE", "application/json"),
    ],
)
def test_bodies(verb: str, method: str, content_type: str, server: Server) -> None:
    body = {"metadata": {"labels": {"a": None, "é": "ü"}}}
    api(server).send(Request(verb, "pods", "x", name="dev", namespace="lab", body=body))
    (sent,) = server.received
    assert sent.method == method
    assert sent.all("Content-Type") == [content_type]
    assert json.loads(sent.body) == body


STATUS = {
    "kind": "Status",
    "message": 'pods "dev" is forbidden: User "jane" cannot get resource "pods" in API group "" '
    'in the namespace "lab"',
    "reason": "Forbidden",
}


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (Answer({"message": "Unauthorized"}, 401), ApiError, "does not accept the credentials"),
        (Answer(STATUS, 403), ForbiddenError, "the right to get pods -n lab is missing"),
        (Answer({"message": "gone"}, 404), NotFoundError, "refused to read the pod: gone"),
        (Answer("<html>", 502), ApiError, "refused to read the pod: HTTP status 502"),
        (Answer("not json"), UnreachableError, 'answered with text, "not json"'),
        (Answer("[]"), UnreachableError, "answered with JSON that is no object"),
        (Answer(""), UnreachableError, "answered with nothing"),
        (
            Answer({"kind": "Status", "status": "Success"}),
            *(UnreachableError, "answered with another object than the one asked for to read the"),
        ),
        (Answer(b"[" * 100_000), UnreachableError, "answered with damaged JSON"),
        (Answer(make.BARE_POD, announced=5000), UnreachableError, "broke off its answer"),
        (None, UnreachableError, "broke off its answer"),
    ],
)
def test_bad_answers(answer: Answer | None, kind: type[NodeportError], message: str) -> None:
    trace: list[str] = []
    with serving(lambda _r: answer) as running:
        told = failure(api(running, {"token": TOKEN}, trace=trace))
        assert len(running.received) == 1, "asked once, as kubectl does"
    assert isinstance(told, kind)
    assert message in told.message
    assert TOKEN not in "".join(trace)


def test_redirect_is_not_followed() -> None:
    with serving(lambda _r: Answer(make.BARE_POD)) as other:
        there = f"http://127.0.0.1:{other.port}/"
        with serving(lambda _r: Answer("", 302, (("Location", there),))) as running:
            assert "HTTP status 302" in failure(api(running, {"token": TOKEN})).message
        assert other.received == []


def test_refused_connection() -> None:
    with socket.socket() as held:  # bound, not listening
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        told = failure(api(f"http://127.0.0.1:{port}"))
    assert told.message == (
        f'the API server of context "kind-dev" at http://127.0.0.1:{port} refused the connection'
    )
    assert told.hint == "is the cluster running? kubectl version"


def test_slow_server_is_left_after_the_timeout() -> None:
    with serving(lambda _r: SILENCE) as running:
        told = failure(api(running, timeout_s=0.2))
    assert isinstance(told, UnreachableError)
    assert told.message.endswith("did not answer in time")


def test_answer_that_stops_half_way_is_left_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = api(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)

        def half() -> None:
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            done.wait(10)
            connection.close()

        done = threading.Event()
        thread = threading.Thread(target=half, daemon=True)
        thread.start()
        try:
            assert failure(client).message.endswith("did not answer in time")
        finally:
            done.set()
            thread.join()


class TestTls:
    def test_authority_as_data_or_file(self, pair: Pair) -> None:
        with serving(lambda _r: Answer(make.BARE_POD), tls_for(pair)) as running:
            url = f"https://127.0.0.1:{running.port}"
            data = {"certificate-authority-data": pair.certificate_data}
            assert api(url, {"token": TOKEN}, data).send(GET) == make.BARE_POD
            assert (
                api(url, LOGIN, {"certificate-authority": str(pair.certificate)}).send(GET)
                == make.BARE_POD
            )
            assert len(running.received) == 2

    def test_unknown_authority(self, pair: Pair, tmp_path: Path) -> None:
        other = certificate(tmp_path, "other")
        with serving(lambda _r: Answer(make.BARE_POD), tls_for(pair)) as running:
            url = f"https://127.0.0.1:{running.port}"
            cluster = {"certificate-authority-data": other.certificate_data}
            told = failure(api(url, {"token": TOKEN}, cluster))
            assert running.received == []
        assert isinstance(told, UnreachableError)
        assert "failed the TLS check: " in told.message
        assert "certificate" in told.message

    def test_unknown_authority_may_be_waved_through(self, pair: Pair) -> None:
        with serving(lambda _r: Answer(make.BARE_POD), tls_for(pair)) as running:
            url = f"https://127.0.0.1:{running.port}"
            assert api(url, LOGIN, {"insecure-skip-tls-verify": True}).send(GET) == make.BARE_POD

    def test_name_to_check(self, pair: Pair) -> None:
        with serving(lambda _r: Answer(make.BARE_POD), tls_for(pair)) as running:
            url = f"https://127.0.0.1:{running.port}"
            cluster = {"certificate-authority-data": pair.certificate_data}
            assert api(url, LOGIN, {**cluster, "tls-server-name": "api"}).send(GET) == make.BARE_POD
            told = failure(api(url, LOGIN, {**cluster, "tls-server-name": "elsewhere"}))
        assert "failed the TLS check" in told.message

    def test_client_certificate(self, pair: Pair, tmp_path: Path) -> None:
        me = certificate(tmp_path, "jane")
        user = {"client-certificate-data": me.certificate_data, "client-key-data": me.key_data}
        with serving(lambda _r: Answer(make.BARE_POD), tls_for(pair, clients=me)) as running:
            url = f"https://127.0.0.1:{running.port}"
            cluster = {"certificate-authority-data": pair.certificate_data}
            api(url, user, cluster).send(GET)
            assert [r.certificate for r in running.received] == ["jane"]

    def test_plain_http_where_tls_is_spoken(self) -> None:
        with serving(lambda _r: Answer(make.BARE_POD)) as running:
            told = failure(api(f"https://127.0.0.1:{running.port}", LOGIN))
        assert "failed the TLS check" in told.message

    @pytest.mark.parametrize(
        "user",
        [
            {"client-certificate-data": "%%%", "client-key-data": "%%%"},
            {"client-certificate": "/nowhere/x.pem", "client-key": "/nowhere/x.key"},
            {"client-certificate-data": "eA==", "client-key-data": "eA=="},
        ],
    )
    def test_bad_client_certificate(self, user: Json, pair: Pair) -> None:
        with serving(lambda _r: Answer(make.BARE_POD), tls_for(pair)) as running:
            with pytest.raises(NodeportError) as caught:
                api(
                    f"https://127.0.0.1:{running.port}",
                    user,
                    {"certificate-authority-data": pair.certificate_data},
                ).send(GET)
            assert running.received == []
        assert caught.value.hint


def test_server_that_drips_does_not_hold_for_ever() -> None:
    with serving(lambda _r: DRIP) as running:
        told = failure(api(running, timeout_s=0.5))
    assert isinstance(told, UnreachableError)
    assert "did not answer in time" in told.message


def test_password_in_the_url_is_not_shown() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        told = failure(api(f"http://bob:hunter2@127.0.0.1:{port}"))
    assert "hunter2" not in told.message
    assert f"at http://127.0.0.1:{port} " in told.message
