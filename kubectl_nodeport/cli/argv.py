"""The command line, read as kubectl reads it.

kubectl's flags are pflag's, which click does not follow: ``-n=x``, ``-wA``, ``--flag=false``, flags
before the verb, and flags whose value is optional and only ever follows an ``=``. argv is therefore
read here, and handed to click in a form that it cannot read otherwise.
https://pkg.go.dev/github.com/spf13/pflag#hdr-Command_line_flag_syntax
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from kubectl_nodeport.cli import help
from kubectl_nodeport.errors import NodeportError

Options = Mapping[str, click.Option]

# What Go's strconv.ParseBool takes: https://pkg.go.dev/strconv#ParseBool
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")

HELP = ["-h", "--help"]


class OptionalValue(click.Option):
    """An option whose value follows ``=`` or is left out, then meaning ``no_value``."""

    def __init__(self, *args: Any, no_value: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.no_value = no_value


@dataclass(slots=True)
class Line:
    """A command line, read as far as it goes.

    :ivar given: the flags in their order, each with its value.
    :ivar words: what is no flag.
    :ivar waiting: the flag at the very end whose value is missing.
    :ivar dash: how many words stand before the ``--`` that ended the flags; None without one.
    :ivar problems: what pflag would refuse, in its words.
    """

    given: list[tuple[click.Option, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    waiting: click.Option | None = None
    dash: int | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether ``--`` ended the flags."""
        return self.dash is not None


def options_of(commands: Iterable[click.Command]) -> dict[str, click.Option]:
    """The flags of some verbs by each of their names, ``--help`` among them.

    A name means the same kind of flag in each verb: where a verb has not been found yet, that is
    how its flags are told from it.
    """
    return {
        name: option
        for command in commands
        for option in command.get_params(click.Context(command, help_option_names=HELP))
        if isinstance(option, click.Option)
        for name in option.opts
    }


def read(argv: Iterable[str], options: Options) -> Line:
    """Read a command line by pflag's rules; what it would refuse is told and passed over."""
    line = Line()
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            line.dash = len(line.words)
            line.words += rest
            break
        if word.startswith("--"):
            _read_long(word, rest, options, line)
        elif word.startswith("-") and word != "-":
            _read_short(word, rest, options, line)
        else:
            line.words.append(word)
    return line


def find_verb(argv: Sequence[str], options: Options) -> int | None:
    """Where the verb stands: the first word that is no flag, nor the value of one."""
    for at in range(len(argv)):
        before = read(argv[:at], options)
        if before.ended or (before.waiting is None and argv[at] == "--"):
            return None
        is_flag = argv[at].startswith("-") and argv[at] != "-"
        if before.waiting is None and not is_flag:
            return at
    return None


def normalise(argv: Sequence[str], program: click.Group) -> list[str]:
    """argv in the form that click reads as pflag would have read the original.

    ``help VERB`` becomes ``VERB --help``.

    :raises click.UsageError: what pflag refuses.
    :raises NodeportError: there is no such verb.
    """
    every = options_of([program, *program.commands.values()])
    at = find_verb(argv, every)
    if at is None:
        line = read(argv, every)
        _refuse(line, click.Context(program, info_name=help.PROGRAM))
        return _flags([one for one in line.given if one[0] in program.params])
    above = click.Context(program, info_name=help.PROGRAM)
    verb, others = argv[at], [*argv[:at], *argv[at + 1 :]]
    if verb not in program.commands:
        _refuse(read(argv[:at], every), above)
    if verb == "help":
        verbs = read(others, every).words[:1]
        return [*(_known(name, program) for name in verbs), "--help"]
    command = program.commands[_known(verb, program)]
    line = read(others, options_of([command]))
    _refuse(line, click.Context(command, info_name=verb, parent=above))
    return [verb, *as_click(line, command)]


def _refuse(line: Line, ctx: click.Context) -> None:
    if line.problems:
        raise click.UsageError(line.problems[0], ctx)


def _known(verb: str, program: click.Group) -> str:
    if verb in program.commands:
        return verb
    near = difflib.get_close_matches(verb, program.commands, n=3)
    near += [name for name in program.commands if verb and name.startswith(verb)]
    raise NodeportError(
        f'unknown command "{verb}" for "{help.PROGRAM}"',
        hint=f"did you mean: {', '.join(dict.fromkeys(near))}"
        if near
        else f"{help.PROGRAM} --help",
    )


def optional_value(option: click.Option) -> str | None:
    """The value that a flag has when it is given without one (pflag's NoOptDefVal)."""
    if option.is_flag:
        return "true"
    value = getattr(option, "no_value", None)
    return value if isinstance(value, str) else None


def long_name(option: click.Option) -> str:
    """The longest name of a flag, dashes and all."""
    return max(option.opts, key=len)


def _read_long(word: str, rest: list[str], options: Options, line: Line) -> None:
    name, equals, value = word.partition("=")
    if word[2] in "-=":
        line.problems.append(f"bad flag syntax: {word}")
        return
    option = options.get(name)
    if option is None:
        line.problems.append(f"unknown flag: {name}")
    elif equals:
        _give(option, value, line)
    else:
        _give_next(option, rest, line, name)


def _read_short(word: str, rest: list[str], options: Options, line: Line) -> None:
    """One or more flags of one letter each; the last may have a value."""
    letters = word[1:]
    while letters:
        option = options.get(f"-{letters[0]}")
        if option is None:
            line.problems.append(f"unknown shorthand flag: '{letters[0]}' in -{letters}")
            return
        if len(letters) > 2 and letters[1] == "=":
            _give(option, letters[2:], line)
            return
        if len(letters) == 1 or optional_value(option) is not None:
            _give_next(option, rest, line, f"'{letters[0]}' in -{letters}")
            letters = letters[1:]
        else:
            _give(option, letters[1:], line)
            return


def _give_next(option: click.Option, rest: list[str], line: Line, spelled: str) -> None:
    """Give the flag the value that it has without one, else the next word."""
    bare = optional_value(option)
    if bare is not None:
        _give(option, bare, line)
    elif rest:
        _give(option, rest.pop(0), line)
    else:
        line.waiting = option
        line.problems.append(f"flag needs an argument: {spelled}")


def _give(option: click.Option, value: str, line: Line) -> None:
    if _is_bool(option) and value not in _TRUE + _FALSE:
        names = ", ".join(sorted(option.opts, key=len))
        line.problems.append(f'invalid argument "{value}" for "{names}" flag: give true or false')
        return
    line.given.append((option, value))


def _is_bool(option: click.Option) -> bool:
    return option.is_flag or isinstance(option.type, click.types.BoolParamType)


def as_click(line: Line, command: click.Command) -> list[str]:
    """The line as click takes it; of a flag that is true or false the last one decides.

    For a verb that passes words on, see :class:`help.Command`, the line's own ``--`` stays among
    the words; :func:`parted` takes it out again.
    """
    words = line.words
    if line.dash is not None and passes_on(command):
        words = [*words[: line.dash], "--", *words[line.dash :]]
    return [*_flags(line.given), "--", *words]


def passes_on(command: click.Command) -> bool:
    """Whether what stands behind ``--`` is for another program."""
    return isinstance(command, help.Command) and command.passes_on


def parted(target: str | None, words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """TARGET, which may be left out, and the words behind ``--``, from what click has read.

    :raises click.UsageError: there are more words without a ``--`` before them.
    """
    if target == "--":
        return None, tuple(words)
    if words and words[0] != "--":
        raise click.UsageError(
            f"unexpected extra argument ({words[0]}); what is to be passed on stands behind --",
            click.get_current_context(silent=True),
        )
    return target, tuple(words[1:])


def _flags(given: list[tuple[click.Option, str]]) -> list[str]:
    """The flags as click takes them; of those that are true or false the last decides."""
    last = {id(option): value for option, value in given}
    words: list[str] = []
    for option, value in given:
        name = long_name(option)
        if option.is_flag:
            words += [name] if last.pop(id(option), "false") in _TRUE else []
        elif name.startswith("--"):
            words.append(f"{name}={value}")
        else:
            words += [name, value]
    return words
