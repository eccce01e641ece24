"""Help in kubectl's layout: what it does, examples, options, and usage last."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import click

from kubectl_nodeport.cli.connection import connection_flags

PROGRAM = "kubectl nodeport"

_OPTIONS = (
    f'Use "{PROGRAM} options" for a list of global command-line options (applies to all commands).'
)


class Command(click.Command):
    """A verb. ``examples`` are lines as they are typed, with comments above them.

    ``passes_on`` says that what stands behind ``--`` is for another program.
    """

    def __init__(
        self, *args: Any, examples: str, usage: str, passes_on: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.passes_on = passes_on
        self.examples = inspect.cleandoc(examples)
        self.usage = usage

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """The whole help text."""
        everywhere = {name for option in global_options() for name in option.opts}
        own = [
            param
            for param in self.params
            if isinstance(param, click.Option) and everywhere.isdisjoint(param.opts)
        ]
        options = f"Options:\n{described(own)}\n\n" if own else ""
        examples = "\n".join(f"  {line}".rstrip() for line in self.examples.splitlines())
        return (
            f"{inspect.cleandoc(self.help or '')}\n\n"
            f"Examples:\n{examples}\n\n"
            f"{options}"
            f"Usage:\n  {PROGRAM} {self.usage}\n\n"
            f"{_OPTIONS}"
        )


class Program(click.Group):
    """The program itself: its help lists the verbs."""

    def get_help(self, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """The whole help text."""
        shown = {name: one for name, one in self.commands.items() if not one.hidden}
        width = max(map(len, shown))
        verbs = "\n".join(f"  {name:<{width}}  {one.short_help}" for name, one in shown.items())
        return (
            f"{inspect.cleandoc(self.help or '')}\n\n"
            f"Available Commands:\n{verbs}\n\n"
            f"Usage:\n  {PROGRAM} COMMAND [options]\n\n"
            f'Use "{PROGRAM} COMMAND --help" for more information about a given command.\n'
            f"{_OPTIONS}"
        )


def global_options() -> list[click.Option]:
    """The flags that every verb takes."""

    @click.command
    @connection_flags
    def any_verb(**_given: object) -> None:
        """Stand for a verb."""

    return [param for param in any_verb.params if isinstance(param, click.Option)]


def described(options: Iterable[click.Option]) -> str:
    """Flags as kubectl lists them, but for those that are hidden."""
    return "\n\n".join(
        f"    {_spelling(option)}:\n\t{option.help}"
        for option in sorted(options, key=_long_name)
        if not option.hidden
    )


def _long_name(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")


def _spelling(option: click.Option) -> str:
    """``-n, --namespace=''``, as kubectl spells a flag with its default."""
    names = sorted(option.opts, key=len)
    if option.is_flag:
        return f"{', '.join(names)}=false"
    if option.multiple:
        return f"{', '.join(names)}=[]"
    default = option.default
    shown = str(default) if isinstance(default, int) else f"'{default}'"
    if not isinstance(default, (int, str)):  # click has a sentinel of its own for "no default"
        shown = "''"
    return f"{', '.join(names)}={shown}"
