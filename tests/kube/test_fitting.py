from __future__ import annotations

from typing import Any

import pytest

from kubectl_nodeport.kube.fitting import fits
from kubectl_nodeport.kube.request import Json, Request

POD = {"kind": "Pod", "metadata": {"name": "dev", "uid": "1"}}
NAMED: list[Request] = [
    Request("get", "pods", "", name="dev"),
    Request("patch", "pods", "", name="dev", body={}),
    Request("create", "pods", "", body=POD),
]
ALL_FIT = [
    Request("list", "pods", ""),
    Request("delete", "pods", "", name="dev"),
    Request("get", "pods", "", name="dev", subresource="log"),
    Request("create", "pods", "", name="dev", subresource="eviction", body=POD),
    Request("create", "selfsubjectaccessreviews", "", body={"spec": {}}),
    Request("create", "pods", "", body={"metadata": {"generateName": "dev-"}}),
    Request("create", "pods", "", body={"metadata": []}),
    Request("create", "pods", ""),
]


@pytest.mark.parametrize("request_", [*NAMED, *ALL_FIT], ids=str)
def test_true_answer(request_: Request) -> None:
    assert fits(request_, POD)


@pytest.mark.parametrize("request_", NAMED, ids=str)
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"kind": "Status", "status": "Success"},
        {"metadata": {}},
        {"metadata": []},
        {"metadata": "dev"},
        {"metadata": {"name": None, "uid": "1"}},
        {"metadata": {"name": "other", "uid": "1"}},
    ],
)
def test_answer_to_something_else(request_: Request, answer: Any) -> None:
    assert not fits(request_, answer)


@pytest.mark.parametrize("uid", [None, "", 7, {}])
def test_what_was_created_has_an_id(uid: Any) -> None:
    assert not fits(NAMED[2], {"metadata": {"name": "dev", "uid": uid}})


@pytest.mark.parametrize("request_", ALL_FIT, ids=str)
def test_what_names_no_object_is_answered_by_any(request_: Request) -> None:
    nothing: Json = {}
    assert fits(request_, nothing)
