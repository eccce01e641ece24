"""Exec over a websocket, against a server that speaks just the frames asked for."""

from __future__ import annotations

import contextlib
import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import ApiError, ForbiddenError, Json, UnreachableError
from kubectl_nodeport.kube.streams import Exec, ExecError, Output
from tests.kube import make
from tests.kube.server import (
    SILENCE,
    Answer,
    Frames,
    Peer,
    Received,
    Talk,
    certificate,
    serving,
    tls_for,
)

TOKEN = "t0p-s3cret"
SUCCESS = (3, b'{"metadata":{},"status":"Success"}')


def ended(code: int | str) -> tuple[int, bytes]:
    """The Status for a command that ended with another code than 0."""
    status = {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
    return 3, json.dumps(status).encode()


def run(
    behaviour: object,
    command: tuple[str, ...] = ("sh", "-c", "id"),
    *,
    timeout_s: float = 10.0,
    user: Json | None = None,
    seen: list[Received] | None = None,
) -> Output:
    answer: Callable[[Received], object] = lambda _r: behaviour  # noqa: E731
    with serving(answer) as server:
        connection = make.connection(f"http://127.0.0.1:{server.port}", user=user)
        try:
            edge = Exec(Api(connection, timeout_s=timeout_s), timeout_s=timeout_s)
            with contextlib.closing(edge.start("lab", "dev", "main", command)) as session:
                return session.ask("", until=b"end")
        finally:
            if seen is not None:
                seen += server.received


def failure(behaviour: object, *, timeout_s: float = 10.0) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        run(behaviour, timeout_s=timeout_s, user={"token": TOKEN})
    assert TOKEN not in caught.value.message + caught.value.hint
    return caught.value


def test_output_and_success() -> None:
    frames = Frames(((1, b"one "), (2, b"warn"), (1, b"two"), (1, b""), SUCCESS))
    assert run(frames) == Output(b"one two", b"warn", 0)


def test_request_is_what_kubectl_sends() -> None:
    seen: list[Received] = []
    user = {"token": TOKEN, "as": "jane", "as-groups": ["dev", "ops"]}
    run(Frames((SUCCESS,)), ("sh", "-c", "echo a&b\n"), user=user, seen=seen)
    (sent,) = seen
    url = urlsplit(sent.path)
    assert sent.method == "GET"
    assert url.path == "/api/v1/namespaces/lab/pods/dev/exec"
    assert parse_qs(url.query) == {
        "container": ["main"],
        "stdin": ["true"],
        "stdout": ["true"],
        "stderr": ["true"],
        "command": ["sh", "-c", "echo a&b\n"],
    }
    assert sent.all("Sec-WebSocket-Protocol") == ["v4.channel.k8s.io"]
    assert sent.all("Authorization") == [], "the server is asked without TLS"
    assert sent.all("Impersonate-User") == ["jane"]
    assert sent.all("Impersonate-Group") == ["dev", "ops"]
    assert sent.all("Origin") == []


def test_exit_code() -> None:
    assert run(Frames(((1, b"x"), ended(42)))) == Output(b"x", b"", 42)


def test_answers_up_to_their_last_line() -> None:
    """The command runs on; what it says later belongs to the next question."""
    frames = Frames(
        ((1, b"one\nen"), (1, b"d\n"), (1, b"end\n"), (1, b"x\nend\n"), (2, b"!")), hang=True
    )
    with serving(lambda _r: frames) as server:
        api = Api(make.connection(f"http://127.0.0.1:{server.port}"), timeout_s=5)
        with contextlib.closing(Exec(api).start("lab", "dev", "main", ("sh",))) as session:
            assert session.ask("", until=b"end") == Output(b"one\nend\n", b"", None)
            assert session.ask("0016", until=b"end") == Output(b"end\n", b"", None)
            assert session.ask("0016", until=b"end") == Output(b"x\nend\n", b"", None)


def test_what_was_said_before_the_end_is_heard_though_more_is_sent() -> None:
    """As where there is no shell: what is written to it then cannot be sent any more."""

    def container(peer: Peer) -> None:
        peer.send(2, b"no such program")
        peer.send(*ended(127))

    with serving(lambda _r: Talk(container)) as server:
        api = Api(make.connection(f"http://127.0.0.1:{server.port}"), timeout_s=5)
        with contextlib.closing(Exec(api).start("lab", "dev", "main", ("sh",))) as session:
            said = session.send(bytes(16 * 1024 * 1024), until=b"end")
    assert said == Output(b"", b"no such program", 127)


def test_much_is_sent_in_frames_as_it_is() -> None:
    data, heard = bytes(range(256)) * 1000, bytearray()

    def container(peer: Peer) -> None:
        while len(heard) < len(data):
            _, message = peer.receive()
            assert message[0] == 0
            assert len(message) <= 32 * 1024 + 1
            heard.extend(message[1:])
        peer.send(1, b"got\nend\n")

    with serving(lambda _r: Talk(container)) as server:
        api = Api(make.connection(f"http://127.0.0.1:{server.port}"), timeout_s=5)
        with contextlib.closing(Exec(api).start("lab", "dev", "main", ("sh",))) as session:
            assert session.send(data, until=b"end") == Output(b"got\nend\n", b"", None)
    assert bytes(heard) == data


def test_large_messages_in_several_frames() -> None:
    frames = Frames(((1, b"a" * 200), (1, b"b" * 70_000), SUCCESS))
    assert len(run(frames).stdout) == 70_200


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            b'{"status":"Failure","message":"error executing command in container: sh: not found"}',
            "sh: not found",
        ),
        (b'{"status":"Failure"}', "exec in container main of pod dev failed"),
        (b"not json", "its end was not told"),
        (b"[]", "its end was not told"),
        (b"\xff", "its end was not told"),
        (b'{"details":[1]}', "its end was not told"),
        (b'{"details":{"causes":[1]}}', "its end was not told"),
        (ended("many")[1], "its end was not told"),
        (b"[" * 100_000, "its end was not told"),
    ],
)
def test_failures_on_the_error_channel(status: bytes, message: str) -> None:
    told = failure(Frames(((3, status),)))
    assert isinstance(told, ExecError)
    assert message in told.message
    assert "\n" not in told.message
    assert told.hint == "does this work? kubectl exec dev -n lab -c main -- sh -c true"


def test_broken_off() -> None:
    told = failure(Frames(((1, b"half"),)))
    assert "exec in container main of pod dev failed" in told.message
    assert "broke off" in told.message


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03\xf3going away"])
def test_close_frame_is_not_taken_for_the_end_of_the_command(payload: bytes) -> None:
    """A close code's first byte is 3, like the number of the error channel."""
    told = failure(Frames(((1, b"half"),), close=payload))
    assert "broke off" in told.message


def test_unknown_channels_are_passed_over() -> None:
    frames = Frames(((9, b"x"), (0, b"y"), (1, b"out"), SUCCESS))
    assert run(frames) == Output(b"out", b"", 0)


def test_endless_output_is_cut_and_left() -> None:
    before = time.monotonic()
    told = failure(Frames(((1, b"x" * 60_000),), endless=True), timeout_s=4)
    assert "sends more than it could have to say" in told.message
    assert time.monotonic() - before < 5


def test_output_is_capped() -> None:
    many = tuple((1, b"x" * 100_000) for _ in range(30))
    assert len(run(Frames((*many, SUCCESS))).stdout) == 1 << 20


def test_silence_is_left_after_the_timeout() -> None:
    told = failure(Frames(((1, b"x"),), hang=True), timeout_s=0.3)
    assert isinstance(told, ExecError)
    assert "it did not answer in" in told.message


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (
            Answer(
                {
                    "message": 'pods "dev" is forbidden: User "jane" cannot get resource '
                    '"pods/exec" in API group "" in the namespace "lab"'
                },
                403,
            ),
            ForbiddenError,
            "the right to get pods/exec -n lab is missing",
        ),
        (
            Answer(
                {
                    "message": 'pods "dev" is forbidden: User "jane" cannot create resource '
                    '"pods/exec" in API group "" in the namespace "lab"'
                },
                403,
            ),
            ForbiddenError,
            "the right to create pods/exec -n lab is missing",
        ),
        (Answer("", 401), ApiError, "does not accept the credentials (401)"),
        (Answer({"message": "container not found"}, 400), ApiError, "container not found"),
        (Answer("<html>", 502), ApiError, "HTTP status 502"),
        (Answer({}, 200), ApiError, "HTTP status 200"),
        (None, UnreachableError, "kind-dev"),
    ],
)
def test_refused_upgrade(answer: Answer | None, kind: type[NodeportError], message: str) -> None:
    told = failure(answer)
    assert isinstance(told, kind)
    assert message in told.message


def test_upgrade_that_is_not_answered() -> None:
    told = failure(SILENCE, timeout_s=0.3)
    assert isinstance(told, (UnreachableError, ExecError)), "whichever clock rings first"
    assert "did not answer in time" in told.message or "it did not answer in" in told.message


def test_redirect_is_not_followed() -> None:
    with serving(lambda _r: Frames((SUCCESS,))) as other:
        there = f"ws://127.0.0.1:{other.port}/"
        told = failure(Answer("", 302, (("Location", there),)))
        assert other.received == []
    assert isinstance(told, ApiError)
    assert told.message.endswith("HTTP status 302, a redirect to 127.0.0.1 that is not followed")


def test_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("pki")
    pair, other = certificate(folder, "api"), certificate(folder, "other")
    with serving(lambda _r: Frames((SUCCESS,)), tls_for(pair)) as server:
        for trusted in (pair, other):
            connection = make.connection(
                f"https://127.0.0.1:{server.port}",
                cluster={"certificate-authority-data": trusted.certificate_data},
                user={"token": TOKEN},
            )
            edge = Exec(Api(connection))
            if trusted is pair:
                session = edge.start("lab", "dev", "main", ("true",))
                assert session.ask("", until=b"end").exit_code == 0
                session.close()
            else:
                with pytest.raises(UnreachableError, match="failed the TLS check"):
                    edge.start("lab", "dev", "main", ("true",))
        (sent,) = server.received
        assert sent.all("Authorization") == [f"Bearer {TOKEN}"]


def test_proxy_that_sends_our_headers_back_is_in_no_traceback(tmp_path: Path) -> None:
    pair = certificate(tmp_path, "api")

    def echo(received: Received) -> Answer:
        return Answer(str(received.headers), 403, (("X-Seen", received.all("Authorization")[0]),))

    with serving(echo, tls_for(pair)) as server:
        connection = make.connection(
            f"https://127.0.0.1:{server.port}",
            cluster={"certificate-authority-data": pair.certificate_data},
            user={"token": TOKEN},
        )
        with pytest.raises(ApiError) as caught:
            Exec(Api(connection)).start("lab", "dev", "main", ("true",))
        assert server.received
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
