"""Lists of several pages, with a plain function in the API server's place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.listing import everything
from kubectl_nodeport.kube.request import ApiError, ForbiddenError, Json, Request
from tests.kube import make
from tests.kube.server import Answer, Received, serving
from tests.kube.test_retry import client

LIST = Request("list", "services", "list the rules", namespace="lab", query=(("a", "b"),))
EXPIRED = ApiError("the continue parameter is too old", hint="…", status=410, reason="Expired")


def page(*names: str, then: Any = None) -> Json:
    """A page with objects of these names, and the token of the next one."""
    items = [{"metadata": {"name": name}} for name in names]
    return {"kind": "List", "items": items, "metadata": {"continue": then} if then else {}}


class Script:
    """Answers in turn; an error among them is raised."""

    def __init__(self, *answers: Json | Exception) -> None:
        self.left = list(answers)
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Json:
        self.asked.append(request)
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def tokens(self) -> list[str | None]:
        return [dict(request.query).get("continue") for request in self.asked]


def names(send: Callable[[Request], Json]) -> list[str]:
    return [found["metadata"]["name"] for found in everything(send, LIST)]


def test_one_page() -> None:
    script = Script(page("x", "y"))
    assert names(script) == ["x", "y"]
    assert [request.path for request in script.asked] == [
        "/api/v1/namespaces/lab/services?a=b&limit=500"
    ]


def test_pages_in_their_order() -> None:
    script = Script(page("x", then="t1"), page("y", then="t2"), page("z"))
    assert names(script) == ["x", "y", "z"]
    assert script.tokens == [None, "t1", "t2"]
    assert {request.query[:2] for request in script.asked} == {(("a", "b"), ("limit", "500"))}


def test_empty_page_in_the_middle() -> None:
    """Where nothing on a page passes the selector, the server gives an empty one."""
    assert names(Script(page("x", then="t1"), page(then="t2"), page("z"))) == ["x", "z"]


def test_list_that_is_too_old_is_begun_anew() -> None:
    script = Script(page("x", then="t1"), EXPIRED, page("new", then="t2"), page("y"))
    assert names(script) == ["new", "y"], "nothing of the first list, which is another picture"
    assert script.tokens == [None, "t1", None, "t2"]


def test_list_that_is_too_old_twice_is_an_error() -> None:
    script = Script(page("x", then="t1"), EXPIRED, page("x", then="t1"), EXPIRED)
    with pytest.raises(ApiError) as caught:
        names(script)
    assert caught.value is EXPIRED
    assert script.left == []


def test_refusal_on_the_way_is_raised() -> None:
    refused = ForbiddenError("the right to list services is missing", hint="…", status=403)
    script = Script(page("x", then="t1"), refused)
    with pytest.raises(ForbiddenError):
        names(script)
    assert script.left == []


def test_number_of_pages_is_bounded() -> None:
    """A server that hands out tokens for ever."""
    asked: list[Request] = []

    def send(request: Request) -> Json:
        asked.append(request)
        return page("x", then="again")

    with pytest.raises(NodeportError, match="there are more than 20000 services to look through"):
        names(send)
    assert len(asked) == 40


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"items": None},
        {"items": {"a": 1}},
        {"items": "abc"},
        {"items": [None, 7, "x", ["y"]]},
        {"items": [], "metadata": []},
        {"items": [], "metadata": None},
        {"items": [], "metadata": {"continue": None}},
        {"items": [], "metadata": {"continue": ""}},
        {"items": [], "metadata": {"continue": 7}},
        {"items": [], "metadata": {"continue": ["t"]}},
    ],
)
def test_odd_answers_hold_nothing_and_end_the_list(odd: Json) -> None:
    script = Script(page("x", then="t1"), odd)
    assert names(script) == ["x"]
    assert script.left == []


def test_only_mappings_are_given() -> None:
    assert everything(Script({"items": [{}, None, 3, {"a": 1}]}), LIST) == [{}, {"a": 1}]


def test_pages_come_over_one_connection() -> None:
    def answer(received: Received) -> Answer:
        _, _, token = received.path.partition("continue=")
        at = int(token or 0)
        return Answer(page(f"s{at}", then=str(at + 1) if at < 4 else None))

    with serving(answer) as server:
        assert names(client(server, []).send) == ["s0", "s1", "s2", "s3", "s4"]
        assert (len(server.received), server.connections) == (5, 1)


def test_real_documents() -> None:
    document = make.pod("dev")
    assert everything(Script({"items": [document]}), LIST) == [document]
