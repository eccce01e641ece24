from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.selector import checked, of_expressions, of_labels


# What `kubectl get pods -l` takes and refuses, tried with k8s.io/apimachinery 0.34.4.
@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        ("  ", ""),
        ("app=web", "app=web"),
        ("app==web", "app==web"),
        (" app  =  web , tier != db ", "app = web , tier != db"),
        ("app=", "app="),
        ("app=,x", "app=,x"),
        ("app", "app"),
        ("!app", "!app"),
        ("! app", "! app"),
        ("app.kubernetes.io/name=web_1.0", "app.kubernetes.io/name=web_1.0"),
        ("app in (web, api),!legacy", "app in (web, api),!legacy"),
        ("app in(web)", "app in(web)"),
        ("app notin ()", "app notin ()"),
        ("app in (,web,,api)", "app in (,web,,api)"),
        ("in in (in, notin)", "in in (in, notin)"),
        ("notin", "notin"),
        ("cpus > 4,cpus<9223372036854775807", "cpus > 4,cpus<9223372036854775807"),
        (f"{'a.' * 126}a/b={'v' * 63}", f"{'a.' * 126}a/b={'v' * 63}"),
    ],
)
def test_selectors(text: str, folded: str) -> None:
    assert checked(text) == folded


@pytest.mark.parametrize(
    "text",
    [
        "app=web,",
        ",app",
        "app,,tier",
        "=web",
        "app web",
        "app in web",
        "app in (web",
        "app in (web))",
        "app in (we b)",
        "appin (web)",
        "!app=web",
        "!!app",
        "! = web",
        "app = = web",
        "app===web",
        "app=!web",
        "app>",
        "app>many",
        "app>9223372036854775808",
        "-app",
        "app=-web",
        "app=web-",
        "a/b/c",
        "/app",
        "app/",
        "Caps.io/app",
        f"{'k' * 64}",
        f"app={'v' * 64}",
        f"{'a.' * 127}a/b",
        "é",
    ],
)
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(NodeportError, match=r"is no part of a selector \(-l\)") as caught:
        checked(text)
    assert "kubectl get pods -l" in caught.value.hint


def test_the_part_that_is_wrong_is_named() -> None:
    with pytest.raises(NodeportError) as caught:
        checked("app in (web, api), tier ~ db,x")
    assert caught.value.message == '"tier ~ db" is no part of a selector (-l)'


@pytest.mark.parametrize("text", ["app=web\n", "app\t=web", "app=\x1b[31m", "a\x00b", "a," * 1001])
def test_control_characters_and_lengths(text: str) -> None:
    with pytest.raises(NodeportError, match="control characters or is too long"):
        checked(text)


@pytest.mark.parametrize(
    "text",
    [
        "a in (" + " ," * 990,
        "a in (" + "( " * 900,
        "a." * 990 + "!",
        "a" * 1990 + "!",
        "a" + "-a" * 900 + "/!",
        "," * 1990,
    ],
)
def test_it_takes_no_long_time(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(NodeportError):
        checked(text)
    assert time.monotonic() - began < 1


@settings(deadline=None)
@given(st.text(alphabet="ab1=!<>(), inot/.-_"))
def test_a_checked_selector_stays_as_it_is(text: str) -> None:
    try:
        once = checked(text)
    except NodeportError:
        return
    assert checked(once) == once
    assert once.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("labels", "selector"),
    [
        ({}, ""),
        ({"b": "2", "a/x": ""}, "a/x=,b=2"),
        ({"a": "x,b=y"}, None),
        ({"a b": "x"}, None),
        ({"": "x"}, None),
        ({"a": "x\n"}, None),
    ],
)
def test_labels(labels: dict[str, str], selector: str | None) -> None:
    assert of_labels(labels) == selector


def expression(operator: Any, *values: Any, key: Any = "app") -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("expressions", "selector"),
    [
        ([], ""),
        ([expression("In", "web", "api")], "app in (api,web)"),
        ([expression("NotIn", "web")], "app notin (web)"),
        ([expression("Exists"), expression("DoesNotExist", key="x/y")], "app,!x/y"),
        ([expression("In")], None),
        ([expression("In", "a,b")], None),
        ([expression("In", 7)], None),
        ([expression("Gt", "4")], None),
        ([expression(["In"], "a")], None),
        ([expression("Exists", key="a,b")], None),
        ([expression("Exists", key=None)], None),
        ([expression("Exists"), "x"], None),
    ],
)
def test_expressions(expressions: list[Any], selector: str | None) -> None:
    assert of_expressions(expressions) == selector
    assert selector is None or checked(selector) == selector
