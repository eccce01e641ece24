"""The shell's question, what may come next, answered in cobra's protocol.

A line for each word that fits, its description behind a tab, and a last line with a colon and a
sum of flags that says what the shell may do besides:
https://github.com/spf13/cobra/blob/v1.9.1/site/content/completions/_index.md
kubectl asks the same of ``kubectl_complete-nodeport``, from 1.26 on.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from kubectl_nodeport import background
from kubectl_nodeport.cli import argv as pflag
from kubectl_nodeport.cli import help, offers
from kubectl_nodeport.cli.argv import Line, Options
from kubectl_nodeport.cli.connection import flags_of
from kubectl_nodeport.cli.render.terminal import one_line

# cobra's ShellCompDirective; files are offered unless this says otherwise.
_NO_SPACE, _NO_FILES = 2, 4
_LONGEST = 120
# Nobody waits longer at a prompt.
_TIMEOUT_S = 2.0


def answer(words: Sequence[str], program: click.Group, timeout_s: float = _TIMEOUT_S) -> str:
    """The answer to the words behind the program's name, of which the last may be unfinished.

    Whatever fails is passed over: then nothing is offered.

    :param timeout_s: how long it may take in all.
    """
    asking = background.start(lambda: _answer(words, program))
    try:
        return asking(timeout=timeout_s)
    except Exception:  # somebody is typing: there is no place for an error
        return f":{_NO_FILES}\n"


def _answer(words: Sequence[str], program: click.Group) -> str:
    *before, typed = _rejoined(words) or [""]
    # kubectl's script for bash would put a name in the place of "@" and what is typed of the name.
    is_lost = list(words[-2:-1]) == ["@"]
    fitting = [] if is_lost else _offers(before, typed, program)
    found = [one for one in fitting if str(one.value).isprintable()]
    lines = [_line(one, _cut(words, typed)) for one in found if one.type == "plain"]
    directive = 0 if any(one.type == "file" for one in found) else _NO_FILES
    if found and all(str(one.value).endswith("/") for one in found):
        directive |= _NO_SPACE
    return "".join(f"{line}\n" for line in [*lines, f":{directive}"])


def _offers(before: Sequence[str], typed: str, program: click.Group) -> list[CompletionItem]:
    every = pflag.options_of([program, *program.commands.values()])
    at = pflag.find_verb(before, every)
    verb = "" if at is None else before[at]
    command = _command(verb, program)
    if command is None:
        return []
    options = pflag.options_of([command])
    line = pflag.read(before if at is None else [*before[:at], *before[at + 1 :]], options)
    ctx = command.make_context(verb, pflag.as_click(line, command), resilient_parsing=True)
    ctx.obj = flags_of(ctx.params)
    if line.waiting:
        return line.waiting.shell_complete(ctx, typed)
    if line.ended or not typed.startswith("-"):
        is_ours = not line.ended or (verb and not pflag.passes_on(command))
        return _words(ctx, len(line.words), typed) if is_ours else []
    name, equals, value = typed.partition("=")
    if equals:
        return options[name].shell_complete(ctx, value) if name in options else []
    return _flags(line, options, typed)


def _command(verb: str, program: click.Group) -> click.Command | None:
    """The verb; where there is none yet, the flags that all verbs have and the verbs themselves."""
    if verb not in ("", "help"):
        return program.commands.get(verb)
    word = click.Argument(["word"], shell_complete=_verbs(program))
    root = [] if verb else program.params
    return click.Command(verb, params=[*root, *help.global_options(), word])


def _shown(program: click.Group) -> dict[str, click.Command]:
    return {name: one for name, one in program.commands.items() if not one.hidden}


def _verbs(program: click.Group) -> offers.Source:
    described = {name: one.short_help or "" for name, one in _shown(program).items()}
    return offers.either({**described, "help": "Help about any command"})


def _words(ctx: click.Context, place: int, typed: str) -> list[CompletionItem]:
    """What the argument at this place may be."""
    for argument in ctx.command.params:
        if isinstance(argument, click.Argument):
            if argument.nargs < 0 or place < argument.nargs:
                return argument.shell_complete(ctx, typed)
            place -= argument.nargs
    return []


def _flags(line: Line, options: Options, typed: str) -> list[CompletionItem]:
    """The flags that begin as typed, but for those that were given and count once."""
    given = {id(option) for option, _ in line.given if not option.multiple}
    return [
        CompletionItem(name, help=inspect.cleandoc(option.help or "").partition("\n")[0])
        for name, option in sorted(options.items(), key=lambda each: each[0].lstrip("-"))
        if name.startswith(typed) and id(option) not in given and not option.hidden
    ]


def _line(one: CompletionItem, cut: int) -> str:
    described = one_line(one.help or "")[:_LONGEST]
    word = str(one.value)[cut:]
    return f"{word}\t{described}" if described else word


def _rejoined(words: Sequence[str]) -> list[str]:
    """The words with ``USER``, ``@`` and ``NAME`` made one again.

    bash takes @ for a border between words, and kubectl's script for it leaves them apart.
    """
    joined: list[str] = []
    for place, word in enumerate(words):
        if place and "@" in (word, words[place - 1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _cut(words: Sequence[str], typed: str) -> int:
    """How much of the word bash has set apart and will not replace."""
    return len(typed) - len(words[-1]) if words else 0
