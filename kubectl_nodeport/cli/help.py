"""Help in kubectl's layout: what it does, examples, options, and usage last."""

from __future__ import annotations

import inspect
from typing import Any

import click

PROGRAM = "kubectl nodeport"


class Command(click.Command):
    """A verb. ``examples`` are lines as they are typed, with comments above them."""

    def __init__(self, *args: Any, examples: str, usage: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = inspect.cleandoc(examples)
        self.usage = usage

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """The whole help text."""
        options = [p for p in self.params if isinstance(p, click.Option) and not p.hidden]
        described = "\n\n".join(
            f"    {_spelling(option)}:\n\t{option.help}"
            for option in sorted(options, key=_long_name)
        )
        examples = "\n".join(f"  {line}".rstrip() for line in self.examples.splitlines())
        return (
            f"{inspect.cleandoc(self.help or '')}\n\n"
            f"Examples:\n{examples}\n\n"
            f"Options:\n{described}\n\n"
            f"Usage:\n  {PROGRAM} {self.usage}"
        )


class Program(click.Group):
    """The program itself: its help lists the verbs."""

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """The whole help text."""
        width = max(len(name) for name in self.commands)
        verbs = "\n".join(
            f"  {name:<{width}}  {command.short_help}" for name, command in self.commands.items()
        )
        return (
            f"{inspect.cleandoc(self.help or '')}\n\n"
            f"Available Commands:\n{verbs}\n\n"
            f"Usage:\n  {PROGRAM} COMMAND [options]\n\n"
            f'Use "{PROGRAM} COMMAND --help" for more information about a given command.'
        )


def _long_name(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")


def _spelling(option: click.Option) -> str:
    """``-n, --namespace=''``, as kubectl spells a flag with its default."""
    names = sorted(option.opts, key=len)
    if option.is_flag:
        return f"{', '.join(names)}=false"
    default = option.default
    shown = str(default) if isinstance(default, int) else f"'{default}'"
    if not isinstance(default, (int, str)):  # click has a sentinel of its own for "no default"
        shown = "''"
    return f"{', '.join(names)}={shown}"
