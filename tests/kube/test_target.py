from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.target import Target, near_matches, parse


@pytest.mark.parametrize(
    ("text", "flag", "target"),
    [
        ("dev", None, Target("dev")),
        ("pod/dev", None, Target("dev")),
        ("pods/dev", None, Target("dev")),
        ("po/dev", None, Target("dev")),
        ("Pod/dev", None, Target("dev")),
        ("me@dev", None, Target("dev", "me")),
        ("me@pod/dev", None, Target("dev", "me")),
        ("dev", "me", Target("dev", "me")),
        ("me@dev", "me", Target("dev", "me")),
        ("me@corp.com@dev", None, Target("dev", "me@corp.com")),
        ("web.v1-0", None, Target("web.v1-0")),
        ("a" * 253, None, Target("a" * 253)),
    ],
)
def test_parse(text: str, flag: str | None, target: Target) -> None:
    assert parse(text, flag) == target


@pytest.mark.parametrize(
    ("text", "flag", "message"),
    [
        ("", None, '"" is not a name that a pod can have'),
        ("pod/", None, '"" is not a name'),
        ("/dev", None, "/dev is not a pod"),
        ("svc/dev", None, "svc/dev is not a pod, and connect takes a pod by its name"),
        ("deploy/web", None, "deploy/web is not a pod"),
        ("pod/dev/x", None, '"dev/x" is not a name'),
        ("@dev", None, '"@dev" has no user before the @'),
        ("me@", None, '"" is not a name'),
        ("me@dev", "you", "two users are given: me and you"),
        ("Dev", None, '"Dev" is not a name'),
        ("dev\n", None, "is not a name"),
        ("-dev", None, "is not a name"),
        ("a" * 254, None, "is not a name"),
    ],
)
def test_bad_targets(text: str, flag: str | None, message: str) -> None:
    with pytest.raises(NodeportError) as caught:
        parse(text, flag)
    assert message in caught.value.message


@settings(deadline=None)
@given(st.text(), st.none() | st.text())
def test_parse_raises_nothing_else(text: str, flag: str | None) -> None:
    try:
        target = parse(text, flag)
    except NodeportError:
        return
    assert target.name in text


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("dev", ["dev-0", "dev-1"]),
        ("deb", []),
        ("dev-00", ["dev-0"]),
        ("api", ["api-7d9f-x2", "api-7d9f-x3", "api-7d9f-x4"]),
        ("zzz", []),
    ],
)
def test_near_matches(name: str, near: list[str]) -> None:
    names = ["dev-0", "dev-1", "api-7d9f-x2", "api-7d9f-x3", "api-7d9f-x4", "api-7d9f-x5"]
    assert near_matches(name, iter(names))[: len(near) or None] == near
    assert len(near_matches(name, names)) <= 3
