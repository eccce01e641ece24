"""Watching: with a plain function in the stream's place, and through the real client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.request import (
    ApiError,
    ForbiddenError,
    Json,
    Request,
    UnreachableError,
)
from kubectl_nodeport.kube.watch import Event, watch
from tests.kube import make
from tests.kube.server import Answer, Chunks, Server, in_turn, serving

WATCH = Request("watch", "services", "watch the rules", namespace="lab", query=(("a", "b"),))
BROKEN = UnreachableError("the API server broke off its answer", hint="…")
END = object()
"""The server ends its answer."""


def happened(kind: str, version: Any = "7", name: str = "web") -> Json:
    return {"type": kind, "object": {"metadata": {"name": name, "resourceVersion": version}}}


def status(code: Any, message: str = "too old resource version: 7 (99)") -> Json:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": message}}


@dataclass
class FakeStream:
    """Answers of a script, one a request; with its own time, of which each line takes ``pace_s``.

    An error as an answer: it is not opened; in an answer: it breaks off there.
    """

    script: list[Any]
    pace_s: float = 0.0
    asked: list[Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 100.0

    def __call__(self, request: Request, *, silence_s: float) -> Iterator[bytes]:
        assert 60 < silence_s < 300, "longer than between two bookmarks"
        self.asked.append(request)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return self._lines(answer)

    def _lines(self, answer: list[Any]) -> Iterator[bytes]:
        for line in answer:
            self.now += self.pace_s
            if isinstance(line, Exception):
                raise line
            if line is not END:
                yield line if isinstance(line, bytes) else json.dumps(line).encode()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def watch(self, version: str = "5") -> Iterator[Event]:
        return watch(self, WATCH, version, clock=lambda: self.now, sleep=self.sleep)

    @property
    def versions(self) -> list[str | None]:
        return [dict(request.query).get("resourceVersion") for request in self.asked]


def told(fake: FakeStream, count: int, version: str = "5") -> list[tuple[str, str]]:
    found = islice(fake.watch(version), count)
    return [(one.type, one.object["metadata"]["name"]) for one in found]


def failure(fake: FakeStream) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        list(fake.watch())
    assert fake.script == [], "it gave up too early"
    return caught.value


def test_what_is_asked_for() -> None:
    fake = FakeStream([[happened("ADDED")]])
    told(fake, 1)
    assert fake.asked[0].path == (
        "/api/v1/namespaces/lab/services?a=b&allowWatchBookmarks=true&timeoutSeconds=300"
        "&resourceVersion=5&watch=true"
    )


def test_events_in_their_order() -> None:
    fake = FakeStream([[happened(k) for k in ("ADDED", "MODIFIED", "DELETED")]])
    assert told(fake, 3) == [("ADDED", "web"), ("MODIFIED", "web"), ("DELETED", "web")]


def test_from_the_very_beginning() -> None:
    fake = FakeStream([[happened("ADDED", "8"), END], [happened("DELETED", "9")]])
    told(fake, 2, version="")
    assert fake.versions == [None, "8"]


def test_server_that_ends_it_is_asked_at_once_from_what_came_last() -> None:
    fake = FakeStream([[happened("ADDED", "8"), END], [happened("DELETED", "9")]], pace_s=150)
    assert told(fake, 2) == [("ADDED", "web"), ("DELETED", "web")]
    assert (fake.versions, fake.slept) == (["5", "8"], [])


def test_nothing_happens_for_long() -> None:
    fake = FakeStream([[END], [END], [happened("ADDED")]], pace_s=300)
    assert told(fake, 1) == [("ADDED", "web")]
    assert (fake.versions, fake.slept) == (["5", "5", "5"], [])


def test_bookmarks_are_not_told_but_kept_in_mind() -> None:
    mark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "50"}}}
    fake = FakeStream([[mark, BROKEN], [b"", b"  ", happened("ADDED", "51")]], pace_s=60)
    assert told(fake, 1) == [("ADDED", "web")]
    assert fake.versions == ["5", "50"]


@pytest.mark.parametrize("version", [None, 7, "", [], {"a": 1}])
def test_event_without_a_version_leaves_the_one_before(version: Any) -> None:
    fake = FakeStream([[happened("ADDED", "8"), happened("ADDED", version), END], [status(410)]])
    with pytest.raises(ApiError):
        list(fake.watch())
    assert fake.versions == ["5", "8"]


def test_lost_connection_is_made_anew() -> None:
    fake = FakeStream([[happened("ADDED", "8"), BROKEN], [happened("DELETED", "9")]], pace_s=20)
    assert told(fake, 2) == [("ADDED", "web"), ("DELETED", "web")]
    assert (fake.versions, fake.slept) == (["5", "8"], [1.0])


def test_waits_grow_and_begin_anew_after_a_success() -> None:
    gone = [BROKEN] * 7
    again = [[happened("MODIFIED", "9"), BROKEN], BROKEN, [happened("DELETED", "10")]]
    fake = FakeStream([[happened("ADDED", "8"), BROKEN], *gone, *again])
    assert len(told(fake, 3)) == 3
    assert fake.slept == [1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 1.0, 1.0]


def test_it_gives_up_in_the_end() -> None:
    fake = FakeStream([[happened("ADDED", "8"), BROKEN], *[BROKEN] * 10])
    assert failure(fake) is BROKEN
    assert 60 < sum(fake.slept) < 300


@pytest.mark.parametrize("answer", [BROKEN, ApiError("busy", hint="…", status=503)])
def test_what_fails_at_first_is_told_at_once(answer: NodeportError) -> None:
    fake = FakeStream([answer])
    assert failure(fake) is answer
    assert fake.slept == []


@pytest.mark.parametrize("passing", [429, 500, 503, 504])
def test_trouble_that_passes(passing: int) -> None:
    trouble = ApiError("busy", hint="…", status=passing)
    fake = FakeStream([[happened("ADDED", "8"), END], trouble, [happened("DELETED", "9")]])
    assert len(told(fake, 2)) == 2


def test_right_that_is_lost_on_the_way() -> None:
    refused = ForbiddenError("the right to watch services is missing", hint="…", status=403)
    assert failure(FakeStream([[happened("ADDED", "8"), END], refused])) is refused


def test_version_that_is_too_old() -> None:
    """The caller lists again: what was missed is not known here."""
    caught = failure(FakeStream([[happened("ADDED", "8"), status(410)]]))
    assert isinstance(caught, ApiError)
    assert caught.status == 410
    assert caught.message == (
        "the API server refused to watch the rules: too old resource version: 7 (99)"
    )


def test_version_that_is_too_old_from_the_start() -> None:
    gone = ApiError("too old", hint="…", status=410)
    assert failure(FakeStream([gone])) is gone


@pytest.mark.parametrize("code", [500, 0, None, "410", 10**9])
def test_error_of_the_server_is_asked_again(code: Any) -> None:
    fake = FakeStream([[status(code)], [happened("ADDED", "8")]])
    assert told(fake, 1) == [("ADDED", "web")]
    assert fake.slept == [1.0]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"[]", "JSON that is no object"),
        (b"{}", "an object that is no event"),
        (b'{"kind": "ServiceList", "items": []}', "an object that is no event"),
        (b'{"type": "ADDED"}', "an object that is no event"),
        (b'{"type": "ADDED", "object": []}', "an object that is no event"),
        (b'{"type": ["ADDED"], "object": {}}', "an object that is no event"),
        (b'{"type": "MOVED", "object": {}}', "an object that is no event"),
        (b'{"type": "ADD', "damaged JSON"),
        (b"<html><title>Log in, t0ken</title>", "a web page"),
        (b"Authorization: Bearer t0ken", "text"),
        (b"[" * 100_000, "damaged JSON"),
    ],
)
def test_answer_of_something_else(line: bytes, what: str) -> None:
    caught = failure(FakeStream([[happened("ADDED", "8"), line]]))
    assert isinstance(caught, UnreachableError)
    assert caught.message == f"asked to watch the rules, the API server answered with {what}"


def test_answer_that_always_ends_at_once() -> None:
    fake = FakeStream([[END]] * 10)
    assert "ends its answer at once, again and again" in failure(fake).message
    assert len(fake.slept) == 9


def test_event_and_end_again_and_again_is_no_storm() -> None:
    fake = FakeStream([[happened("ADDED", str(n)), END] for n in range(30)])
    assert len(told(fake, 30)) == 30
    assert len(fake.slept) == 29


def test_end_of_the_watch_ends_the_stream() -> None:
    closed: list[bool] = []

    def lines(_request: Request, *, silence_s: float) -> Iterator[bytes]:
        assert silence_s
        try:
            yield json.dumps(happened("ADDED")).encode()
        finally:
            closed.append(True)

    found = watch(lines, WATCH, "5")
    next(found)
    assert closed == []
    found.close()  # type: ignore[attr-defined]
    assert closed == [True]


def client(server: Server, timeout_s: float = 10.0) -> Api:
    url = f"http://127.0.0.1:{server.port}"
    return Api(make.connection(url), timeout_s=timeout_s)


def lines(*events: Json) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def test_through_the_real_client() -> None:
    """Broken off in the middle of a line, busy, ended by the server, held open."""
    added, modified, deleted = (lines(happened("ADDED", str(n))) for n in (8, 9, 10))
    answers = in_turn(
        Chunks((added[:20], added[20:] + modified[:30]), "cut"),
        Answer({"message": "busy"}, 503),
        Chunks((modified, deleted[:-1])),
        Chunks((deleted,), "hang"),
    )
    slept: list[float] = []
    with serving(answers) as server:
        found = watch(client(server).stream, WATCH, "5", sleep=slept.append)
        versions = [one.object["metadata"]["resourceVersion"] for one in islice(found, 3)]
        asked = [received.path.partition("resourceVersion=")[2] for received in server.received]
    assert versions == ["8", "9", "10"]
    assert asked == [f"{version}&watch=true" for version in ("5", "8", "8", "9")]
    assert slept == [1.0, 1.0, 1.0]


def test_refusal_through_the_real_client() -> None:
    refused = {
        "message": 'services is forbidden: User "jane" cannot watch resource "services" in API '
        'group "" in the namespace "lab"'
    }
    with (
        serving(lambda _r: Answer(refused, 403)) as server,
        pytest.raises(ForbiddenError, match="the right to watch services -n lab is missing"),
    ):
        next(watch(client(server).stream, WATCH, "5"))


def test_watch_outlasts_the_time_of_a_request() -> None:
    parts = tuple(lines(happened("ADDED", str(n))) for n in range(3))
    with serving(lambda _r: Chunks(parts, pause_s=0.3)) as server:
        found = watch(client(server, timeout_s=0.4).stream, WATCH, "5")
        assert len(list(islice(found, 3))) == 3
        assert len(server.received) == 1


def test_ctrl_c_ends_it_at_once() -> None:
    code = (
        "import sys\n"
        "from kubectl_nodeport.kube.client import Api\n"
        "from kubectl_nodeport.kube.watch import watch\n"
        "from tests.kube import make\n"
        "from tests.kube.test_watch import WATCH\n"
        "for event in watch(Api(make.connection(sys.argv[1])).stream, WATCH, '5'):\n"
        "    print(event.type, flush=True)\n"
    )
    with serving(lambda _r: Chunks((lines(happened("ADDED")),), "hang")) as server:
        url = f"http://127.0.0.1:{server.port}"
        running = subprocess.Popen(
            [sys.executable, "-c", code, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with running:
            assert running.stdout is not None
            assert running.stdout.readline() == b"ADDED\n"
            running.send_signal(signal.SIGINT)
            _, told = running.communicate(timeout=3)
    assert told.strip().endswith(b"KeyboardInterrupt")
