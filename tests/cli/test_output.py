from __future__ import annotations

import json

import pytest
import yaml

from kubectl_nodeport.cli.output import formatted, write

DOCUMENT = {
    "kind": "Thing",
    "notes": ["no", "2026-01-01", "ä\x1b[2J\x7f\x9b\u202e", "a: b", ""],
    "port": 22,
}


@pytest.mark.parametrize("chosen", ["json", "yaml"])
def test_document_survives_and_is_harmless(chosen: str) -> None:
    text = formatted(chosen, DOCUMENT)
    assert (json.loads(text) if chosen == "json" else yaml.safe_load(text)) == DOCUMENT
    assert text.isascii()
    assert text.replace("\n", "").isprintable()


def test_text_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    said = "a\x1b[2J\r\u202e\x7f\n\tb"
    for chosen in ("text", "name"):
        write(chosen, text=lambda: said, document=dict, names=lambda: [said], hint="")
    assert capsys.readouterr().out == "a?[2J???\n\tb\na?[2J???\n?b\n"


def test_yaml_repeats_what_is_the_same_object() -> None:
    same = ["x"]
    assert "&" not in formatted("yaml", {"a": same, "b": same})


@pytest.mark.parametrize(
    ("chosen", "printed"),
    [
        ("text", "as text\n"),
        ("name", "host/a\nhost/b\n"),
        ("json", '{\n  "kind": "Thing"\n}\n'),
        ("yaml", "kind: Thing\n"),
    ],
)
def test_write(chosen: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        chosen,
        text=lambda: "as text",
        document=lambda: {"kind": "Thing"},
        names=lambda: ["host/a", "host/b"],
        hint="",
    )
    assert capsys.readouterr() == (printed, "")
