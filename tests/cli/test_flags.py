from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import pytest

from kubectl_nodeport.cli.app import program
from kubectl_nodeport.cli.argv import normalise
from kubectl_nodeport.cli.flags import Duration, FilePath

CHECK = click.Command(
    "check",
    params=[
        click.Argument(["target"]),
        click.Option(["-q", "--quiet"], is_flag=True),
        click.Option(["-o", "--output"]),
    ],
)


def read(*argv: str) -> list[str]:
    return normalise(argv, {**program.commands, "check": CHECK})


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("", ""),
        ("connect", "connect"),
        ("connect dev", "connect dev"),
        ("connect dev -n lab", "connect dev -n lab"),
        ("connect dev -n=lab", "connect dev -n lab"),
        ("connect dev -nlab", "connect dev -nlab"),
        ("connect dev --namespace lab", "connect dev --namespace lab"),
        ("connect dev --namespace=lab", "connect dev --namespace=lab"),
        ("connect dev --namespace=", "connect dev --namespace="),
        ("connect dev --namespace=a=b", "connect dev --namespace=a=b"),
        ("connect dev -n=a=b", "connect dev -n a=b"),
        ("connect dev -v=6", "connect dev -v 6"),
        ("connect dev -v 6", "connect dev -v 6"),
        ("connect dev -v6", "connect dev -v6"),
        ("connect dev -o=json", "connect dev -o json"),
        # A value is a value, whatever it looks like.
        ("connect dev -n -v=6", "connect dev -n -v=6"),
        ("connect dev -n --dry-run", "connect dev -n --dry-run"),
        ("connect dev --namespace -n=x", "connect dev --namespace -n=x"),
        ("connect dev -n", "connect dev -n"),
        # The value of --dry-run is optional and only ever follows an =.
        ("connect dev --dry-run", "connect dev --dry-run=client"),
        ("connect dev --dry-run=client", "connect dev --dry-run=client"),
        ("connect dev --dry-run=none", "connect dev --dry-run=none"),
        ("connect --dry-run client", "connect --dry-run=client client"),
        ("connect --dry-run dev -n lab", "connect --dry-run=client dev -n lab"),
        # Flags before the verb.
        ("-n lab connect dev", "connect -n lab dev"),
        ("-n=lab connect dev", "connect -n lab dev"),
        ("-nlab connect dev", "connect -nlab dev"),
        ("--namespace=lab --context x connect dev", "connect --namespace=lab --context x dev"),
        ("--dry-run connect dev", "connect --dry-run=client dev"),
        ("-v=9 connect dev -n lab", "connect -v 9 dev -n lab"),
        ("-n connect connect dev", "connect -n connect dev"),
        ("--help", "--help"),
        ("-h connect", "connect -h"),
        ("connect -h", "connect -h"),
        ("-n", "-n"),
        # Unknown flags are left for click to refuse.
        ("connect dev --nope", "connect dev --nope"),
        ("connect dev --nope=x", "connect dev --nope=x"),
        ("connect dev -z=x", "connect dev -z=x"),
        # Behind -- nothing is ours.
        ("connect dev -- -n=x --dry-run", "connect dev -- -n=x --dry-run"),
        ("connect dev -v=6 -- -v=6", "connect dev -v 6 -- -v=6"),
        ("-n=lab connect -- -v=6", "connect -n lab -- -v=6"),
        ("-- connect", "-- connect"),
        ("connect -", "connect -"),
        # Booleans.
        ("check x -q", "check x -q"),
        ("check x --quiet", "check x --quiet"),
        ("check x --quiet=true", "check x --quiet"),
        ("check x --quiet=1", "check x --quiet"),
        ("check x -q=T", "check x -q"),
        ("check x --quiet=false", "check x"),
        ("check x -q=0", "check x"),
        ("-q check x", "check -q x"),
    ],
)
def test_argv_is_read_as_pflag_reads_it(argv: str, words: str) -> None:
    assert read(*argv.split()) == words.split()


def test_words_with_blanks_stay_whole() -> None:
    assert read("connect", "dev", "-n=a b", "") == ["connect", "dev", "-n", "a b", ""]


def test_verb_of_an_empty_word() -> None:
    assert read("", "dev") == ["", "dev"]


def test_flag_that_is_neither_true_nor_false() -> None:
    with pytest.raises(click.UsageError, match="give true or false"):
        read("check", "x", "--quiet=maybe")


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
