"""The SVG of a recording: what is seen at which moment, and what is seen without animations."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.pictures.recording import Frame, Run
from tests.pictures.svg import render

SVG = "{http://www.w3.org/2000/svg}"
PROMPT = (Run(0, "$", "green"), Run(2, "ls <a>", bold=True))
FRAMES = (
    Frame(0, (PROMPT, (), ())),
    Frame(1.5, (PROMPT, (Run(0, "waiting"),), ())),
    Frame(4, (PROMPT, (Run(0, "a & b"),), ())),
)


def groups() -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(render(FRAMES, "ls"))
    return {"".join(group.itertext()): group for group in root.iter(f"{SVG}g")}


def test_every_row_once() -> None:
    assert list(groups()) == ["$ls <a>", "waiting", "a & b"]


def test_the_end_is_what_is_seen_without_animations() -> None:
    hidden = [text for text, group in groups().items() if group.get("class") == "gone"]
    assert hidden == ["waiting"]


def test_when_a_row_is_seen() -> None:
    """The whole lasts 10 s: 4 s, and 6 s to read the end."""
    drawn = render(FRAMES, "ls")
    names = {text: group.get("style", "")[-2:] for text, group in groups().items()}
    assert names["$ls <a>"] == "", "from the beginning to the end"
    steps = dict(re.findall(r"@keyframes (\w+)\{(.*)\}", drawn))
    hidden, seen = "{visibility:hidden}", "{visibility:visible}"
    assert steps[names["waiting"]] == f"0%{hidden}15.00%{seen}40.00%,to{hidden}"
    assert steps[names["a & b"]] == f"0%{hidden}40.00%{seen}"


def test_columns_and_rows() -> None:
    """Each run is as wide as its columns, so that any font keeps tables straight."""
    texts = ElementTree.fromstring(render(FRAMES, "ls")).iter(f"{SVG}text")
    first, second, third, _ = list(texts)
    assert (first.get("y"), first.get("class")) == (second.get("y"), "green")
    assert float(second.get("x", "")) - float(first.get("x", "")) == pytest.approx(2 * 8.4)
    assert float(second.get("textLength", "")) == pytest.approx(6 * 8.4)
    assert float(third.get("y", "")) - float(first.get("y", "")) == 19
