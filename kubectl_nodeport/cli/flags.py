"""The command line, read as kubectl reads it.

kubectl's flags are pflag's, which click does not follow: ``-n=x``, ``--flag=false``, flags before
the verb, and flags whose value is optional and only ever follows an ``=``. argv is therefore put
into click's form first. https://pkg.go.dev/github.com/spf13/pflag#hdr-Command_line_flag_syntax
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


class Duration(click.ParamType[float]):
    """A Go duration (``60s``, ``1m30s``) or a plain number of seconds, above zero; in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the text; click reports what fails."""
        if isinstance(value, float):
            return value
        parts = _DURATION_PART.findall(value)
        if "".join(number + unit for number, unit in parts) == value and parts:
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        elif re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
            seconds = float(value)
        else:
            self.fail(f"{value!r} is not a duration like 30s or 1m30s", param, ctx)
        if not 0 < seconds <= 24 * 3600:
            self.fail(f"{value!r} is not between 0 and 24h", param, ctx)
        return seconds


class FilePath(click.ParamType[str]):
    """A file's path, made absolute; ``exists`` says that the file has to be there."""

    name = "file"

    def __init__(self, *, exists: bool) -> None:
        self._exists = exists

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Make the path absolute and look for the file; click reports what fails."""
        try:
            path = Path(value).expanduser().absolute()
            found = path.is_file() or not self._exists
        except (OSError, RuntimeError):  # a name that is too long, the home of an unknown user
            found = False
        if not found:
            self.fail(f"no such file: {value}", param, ctx)
        return str(path)


def normalise(argv: Sequence[str], commands: Mapping[str, click.Command]) -> list[str]:
    """argv in the form that click reads as pflag would have read the original.

    Flags before the verb are put behind it. What is behind ``--`` is left alone.
    """
    options = {
        name: option
        for command in commands.values()
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    before: list[str] = []
    rest = list(argv)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        token = rest.pop(0)
        before.append(token)
        if _takes_next(token, options) and rest:
            before.append(rest.pop(0))
    verb, rest = rest[:1], rest[1:]
    ours, dashes, others = _partition(before + rest)
    return [*verb, *_each(ours, options), *dashes, *others]


def _partition(tokens: list[str]) -> tuple[list[str], list[str], list[str]]:
    if "--" not in tokens:
        return tokens, [], []
    at = tokens.index("--")
    return tokens[:at], ["--"], tokens[at + 1 :]


def _takes_next(token: str, options: Mapping[str, click.Option]) -> bool:
    """Whether the flag's value is the token after it."""
    option = options.get(token)
    return option is not None and not option.is_flag and optional_value(option) is None


def optional_value(option: click.Option) -> str | None:
    """The value that a flag has when it is given without one (pflag's NoOptDefVal)."""
    value = getattr(option, "no_value", None)
    return value if isinstance(value, str) else None


def _each(tokens: list[str], options: Mapping[str, click.Option]) -> list[str]:
    read: list[str] = []
    waiting = list(tokens)
    while waiting:
        token = waiting.pop(0)
        read += _one(token, options)
        if _takes_next(token, options) and waiting:
            read.append(waiting.pop(0))
    return read


def _one(token: str, options: Mapping[str, click.Option]) -> list[str]:
    name, equals, value = token.partition("=")
    option = options.get(name)
    if option is None or not token.startswith("-"):
        return [token]
    if option.is_flag and equals:
        if value.lower() in _TRUE:
            return [name]
        if value.lower() in _FALSE:
            return []
        raise click.UsageError(f"invalid argument {value!r} for {name}: give true or false")
    bare = optional_value(option)
    if bare is not None and not equals:
        return [option.opts[-1] + "=" + bare]
    if equals and not name.startswith("--"):
        return [name, value]
    return [token]


class OptionalValue(click.Option):
    """An option whose value follows ``=`` or is left out, then meaning ``no_value``."""

    def __init__(self, *args: Any, no_value: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.no_value = no_value
