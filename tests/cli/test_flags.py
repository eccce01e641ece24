from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import pytest

from kubectl_nodeport.cli.app import run
from kubectl_nodeport.cli.flags import Duration, FilePath


def convert(kind: click.ParamType[Any], value: Any) -> Any:
    return kind.convert(value, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("1m", 60),
        ("1m30s", 90),
        ("1h", 3600),
        ("1h1m1s", 3661),
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("30", 30),
        ("0.5", 0.5),
        ("24h", 86400),
        (12.0, 12),
    ],
)
def test_duration(text: str | float, seconds: float) -> None:
    assert convert(Duration(), text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "s", "0", "0s", "-1s", "-1", "1x", "1 s", " 1s", "1s ", "1s2", "s1", "1.s", ".5s",
     "25h", "1e3", "inf", "nan", "\u0661s", "9" * 400 + "s", "1m\n"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        convert(Duration(), text)


def test_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "id").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert convert(FilePath(exists=True), "id") == str(tmp_path / "id")
    assert convert(FilePath(exists=True), "~/id") == str(tmp_path / "id")
    assert convert(FilePath(exists=True), str(tmp_path / "id")) == str(tmp_path / "id")
    for missing in ("gone", str(tmp_path), "", "x" * 5000, "a\0b"):
        with pytest.raises(click.BadParameter, match="no such file"):
            convert(FilePath(exists=True), missing)
    os.symlink("nowhere", "dangling")  # noqa: PTH211 - relative to the folder we are in
    with pytest.raises(click.BadParameter):
        convert(FilePath(exists=True), "dangling")


@pytest.mark.parametrize("verb", ["expose", "connect"])
@pytest.mark.parametrize("text", ["\u0663\u0661\u0660\u0660\u0660", "0", "65536", "x", ""])
def test_node_port_is_a_port_in_ascii(
    verb: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb, "dev", f"--node-port={text}"]) == 1
    assert "--node-port" in capsys.readouterr().err
