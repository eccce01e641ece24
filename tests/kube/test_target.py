from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.target import Target, is_name, near_matches, parse


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
        ("deploy/web", None, Target("web", kind="deployment")),
        ("Deployments.apps/web", None, Target("web", kind="deployment")),
        ("me@sts/db", None, Target("db", "me", "statefulset")),
        ("ds/agent", None, Target("agent", kind="daemonset")),
        ("rs/web-7d9f", None, Target("web-7d9f", kind="replicaset")),
        ("rc/old", None, Target("old", kind="replicationcontroller")),
        ("jobs.batch/train", None, Target("train", kind="job")),
        ("svc/mysql", "me", Target("mysql", "me", "service")),
        ("deploy.v1.apps/deploy", None, Target("deploy", kind="deployment")),
    ],
)
def test_parse(text: str, flag: str | None, target: Target) -> None:
    assert parse(text, flag) == target
    assert parse(text, flag, "") == target


@pytest.mark.parametrize(
    ("text", "flag", "message", "hint"),
    [
        (None, None, "a pod is needed", "name one: kubectl get pods lists them"),
        (None, "me", "a pod is needed", "name one"),
        ("", None, '"" is not a name that a pod can have', "kubectl get pods lists them"),
        ("pod/", None, '"" is not a name that a pod can have', "kubectl get pods"),
        ("svc/", None, '"" is not a name that a service can have', "kubectl get services"),
        ("/dev", None, '"/dev": "" is not a kind', "The kinds are pod, deployment, "),
        ("deplyment/web", None, '"deplyment/web": "deplyment" is not a kind', "did you mean depl"),
        ("dep/web", None, '"dep" is not a kind that can be a target', "did you mean deployment?"),
        ("cronjob/web", None, '"cronjob" is not a kind', "replicationcontroller, job and service"),
        ("deploy.batch/web", None, '"deploy.batch" is not a kind', "did you mean deployment?"),
        ("pod/dev/x", None, '"dev/x" is not a name', "kubectl get pods"),
        ("@dev", None, '"@dev" has no user before the @', "name one: USER@dev"),
        ("me@", None, '"" is not a name', "kubectl get pods"),
        ("me@dev", "you", "two users are given: me and you", "give one: me@dev"),
        ("Dev", None, '"Dev" is not a name', "kubectl get pods"),
        ("dev\n", None, "is not a name", "kubectl get pods"),
        ("-dev", None, "is not a name", "kubectl get pods"),
        ("a" * 254, None, "is not a name", "kubectl get pods"),
    ],
)
def test_bad_targets(text: str | None, flag: str | None, message: str, hint: str) -> None:
    with pytest.raises(NodeportError) as caught:
        parse(text, flag)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "flag", "user"), [(None, None, None), (None, "me", "me"), ("me@", None, "me")]
)
def test_selector(text: str | None, flag: str | None, user: str | None) -> None:
    target = parse(text, flag, " app in (web,  api) ")
    assert target == Target(user=user, selector="app in (web, api)")


@pytest.mark.parametrize(
    ("text", "selector", "message"),
    [
        ("dev", "app=web", "both a name and a selector are given: dev and -l app=web"),
        ("me@pod/dev", "app", "both a name and a selector are given: pod/dev and -l app"),
        (None, "app=web=x", '"app=web=x" is no part of a selector (-l)'),
        (None, "app=\x1b[2J", "the selector has control characters or is too long"),
        (None, " ", "a pod is needed"),
    ],
)
def test_bad_selectors(text: str | None, selector: str, message: str) -> None:
    with pytest.raises(NodeportError) as caught:
        parse(text, None, selector)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (Target("dev", "me"), "pod/dev"),
        (Target("web", kind="deployment"), "deployment/web"),
        (Target(selector="app in (a)"), "-l 'app in (a)'"),
    ],
)
def test_shown_as_kubectl_would_take_it(target: Target, shown: str) -> None:
    assert str(target) == shown


@settings(deadline=None)
@given(st.text(), st.none() | st.text(), st.none() | st.text())
def test_parse_raises_nothing_else(text: str, flag: str | None, selector: str | None) -> None:
    try:
        target = parse(text, flag, selector)
    except NodeportError:
        return
    assert target.name in text
    assert is_name(target.name) is not bool(target.selector)


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
