"""The command line, read as kubectl reads it.

kubectl's flags are pflag's, which click does not follow: ``-n=x``, ``--flag=false``, flags before
the verb, and flags whose value is optional and only ever follows an ``=``. argv is therefore put
into click's form first. https://pkg.go.dev/github.com/spf13/pflag#hdr-Command_line_flag_syntax
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")


class OptionalValue(click.Option):
    """An option whose value follows ``=`` or is left out, then meaning ``no_value``."""

    def __init__(self, *args: Any, no_value: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.no_value = no_value


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
