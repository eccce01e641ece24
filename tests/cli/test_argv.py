"""argv is read as pflag reads it: what is expected here was recorded from pflag 1.0.6 itself."""

from __future__ import annotations

from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.cli import argv as pflag
from kubectl_nodeport.cli import help
from kubectl_nodeport.cli.app import program
from kubectl_nodeport.errors import NodeportError


@click.group(invoke_without_command=True, context_settings={"help_option_names": pflag.HELP})
@click.option("--version", is_flag=True)
def root(version: bool) -> str:
    """A program with the flags that pflag was given."""
    return "version" if version else "help"


@root.command(context_settings={"help_option_names": []})
@click.option("-o", "--output")
@click.option("-n", "--namespace")
@click.option("--context")
@click.option("-w", "--watch", is_flag=True, default=None)
@click.option("-A", "--all", is_flag=True, default=None)
@click.option("-h", "--help", is_flag=True, default=None)
@click.option("--dry-run", cls=pflag.OptionalValue, no_value="client")
@click.option("--as-group", multiple=True)
@click.option("-v", "--v")
@click.argument("words", nargs=-1)
def check(words: tuple[str, ...], **flags: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what was given."""
    shown = {k.replace("_", "-"): _as_pflag(v) for k, v in flags.items() if v not in (None, ())}
    return shown, list(words)


def _as_pflag(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return list(value) if isinstance(value, tuple) else value


def run(argv: list[str]) -> Any:
    return root.main(pflag.normalise(argv, root), standalone_mode=False)


def split(argv: str | list[str]) -> list[str]:
    return argv.split() if isinstance(argv, str) else argv


READ: list[tuple[str | list[str], dict[str, Any], list[str]]] = [
    ([], {}, []),
    ("dev", {}, ["dev"]),
    ("-n lab dev", {"namespace": "lab"}, ["dev"]),
    ("dev -n lab", {"namespace": "lab"}, ["dev"]),
    ("-n=lab", {"namespace": "lab"}, []),
    ("-nlab", {"namespace": "lab"}, []),
    ("--namespace lab", {"namespace": "lab"}, []),
    ("--namespace=lab", {"namespace": "lab"}, []),
    ("--namespace=", {"namespace": ""}, []),
    ("--namespace=a=b", {"namespace": "a=b"}, []),
    ("-n=a=b", {"namespace": "a=b"}, []),
    ("-n=", {"namespace": "="}, []),
    ("-n==", {"namespace": "="}, []),
    ("-na=b", {"namespace": "a=b"}, []),
    ("-w", {"watch": "true"}, []),
    ("-wA", {"all": "true", "watch": "true"}, []),
    ("-Aw", {"all": "true", "watch": "true"}, []),
    ("-wAnlab", {"all": "true", "namespace": "lab", "watch": "true"}, []),
    ("-wAn lab", {"all": "true", "namespace": "lab", "watch": "true"}, []),
    ("-wAn=lab", {"all": "true", "namespace": "lab", "watch": "true"}, []),
    ("-Aojson", {"all": "true", "output": "json"}, []),
    ("-ojson", {"output": "json"}, []),
    ("-o=json", {"output": "json"}, []),
    ("-o json", {"output": "json"}, []),
    ("-onw", {"output": "nw"}, []),
    ("-w=true", {"watch": "true"}, []),
    ("-w=false", {"watch": "false"}, []),
    ("-w=1", {"watch": "true"}, []),
    ("-w=0", {"watch": "false"}, []),
    ("-w=T", {"watch": "true"}, []),
    ("-w=F", {"watch": "false"}, []),
    ("-Aw=false", {"all": "true", "watch": "false"}, []),
    ("--watch", {"watch": "true"}, []),
    ("--watch=true", {"watch": "true"}, []),
    ("--watch=false", {"watch": "false"}, []),
    ("--watch=t", {"watch": "true"}, []),
    ("--watch=f", {"watch": "false"}, []),
    ("--watch=TRUE", {"watch": "true"}, []),
    ("--watch=FALSE", {"watch": "false"}, []),
    ("--watch=True", {"watch": "true"}, []),
    ("--watch=False", {"watch": "false"}, []),
    ("--watch false", {"watch": "true"}, ["false"]),
    ("--watch --watch=false", {"watch": "false"}, []),
    ("--watch=false --watch", {"watch": "true"}, []),
    ("-w -w=0", {"watch": "false"}, []),
    ("--dry-run", {"dry-run": "client"}, []),
    ("--dry-run=client", {"dry-run": "client"}, []),
    ("--dry-run=none", {"dry-run": "none"}, []),
    ("--dry-run client", {"dry-run": "client"}, ["client"]),
    ("--dry-run=", {"dry-run": ""}, []),
    ("--dry-run dev -n lab", {"dry-run": "client", "namespace": "lab"}, ["dev"]),
    ("dev --dry-run -w", {"dry-run": "client", "watch": "true"}, ["dev"]),
    ("-v6", {"v": "6"}, []),
    ("-v=6", {"v": "6"}, []),
    ("-v 6", {"v": "6"}, []),
    ("--v=6", {"v": "6"}, []),
    ("-v -v", {"v": "-v"}, []),
    ("-vv", {"v": "v"}, []),
    ("-n a -n b", {"namespace": "b"}, []),
    ("--namespace=a -n b", {"namespace": "b"}, []),
    ("--as-group a --as-group b", {"as-group": ["a", "b"]}, []),
    ("--as-group=a,b --as-group c", {"as-group": ["a,b", "c"]}, []),
    ("--as-group a --as-group=", {"as-group": ["a", ""]}, []),
    ("-n -v=6", {"namespace": "-v=6"}, []),
    ("-n --dry-run", {"namespace": "--dry-run"}, []),
    ("--namespace -n=x", {"namespace": "-n=x"}, []),
    ("-n -", {"namespace": "-"}, []),
    ("-n --", {"namespace": "--"}, []),
    ("-n -- dev", {"namespace": "--"}, ["dev"]),
    ("-o -1", {"output": "-1"}, []),
    ("--namespace -- dev", {"namespace": "--"}, ["dev"]),
    ("-- -n x", {}, ["-n", "x"]),
    ("dev -- -n=x --dry-run", {}, ["dev", "-n=x", "--dry-run"]),
    ("-n lab -- -v=6", {"namespace": "lab"}, ["-v=6"]),
    ("-- dev -- x", {}, ["dev", "--", "x"]),
    ("dev --", {}, ["dev"]),
    ("- -n x", {"namespace": "x"}, ["-"]),
    ("dev -", {}, ["dev", "-"]),
    ("-w -", {"watch": "true"}, ["-"]),
    ("-namespace lab", {"namespace": "amespace"}, ["lab"]),
    ("-h", {"help": "true"}, []),
    ("--help", {"help": "true"}, []),
    ("--help=false", {"help": "false"}, []),
    ("-hw", {"help": "true", "watch": "true"}, []),
    ("dev -h", {"help": "true"}, ["dev"]),
    ("-wh", {"help": "true", "watch": "true"}, []),
    ("-- -h", {}, ["-h"]),
    ("-n --help", {"namespace": "--help"}, []),
    (["-n", ""], {"namespace": ""}, []),
    (["", "dev"], {}, ["", "dev"]),
    (["-n=a b"], {"namespace": "a b"}, []),
    (["--context", "a b", "x y"], {"context": "a b"}, ["x y"]),
    ("--context=", {"context": ""}, []),
    (["-n", "", "--watch"], {"namespace": "", "watch": "true"}, []),
    ("é", {}, ["é"]),
    ("--context=é", {"context": "é"}, []),
]  # fmt: skip

REFUSED: list[tuple[str | list[str], str]] = [
    ("-w=maybe", 'invalid argument "maybe" for "-w, --watch" flag'),
    ("-w=", "unknown shorthand flag: '=' in -="),
    ("-w=tRUE", 'invalid argument "tRUE" for "-w, --watch" flag'),
    ("-w=trueA", 'invalid argument "trueA" for "-w, --watch" flag'),
    ("--watch=yes", 'invalid argument "yes" for "-w, --watch" flag'),
    ("--watch=", 'invalid argument "" for "-w, --watch" flag'),
    ("-n", "flag needs an argument: 'n' in -n"),
    ("--namespace", "flag needs an argument: --namespace"),
    ("-wn", "flag needs an argument: 'n' in -n"),
    ("dev --namespace", "flag needs an argument: --namespace"),
    ("--as-group a --as-group", "flag needs an argument: --as-group"),
    ("--nope", "unknown flag: --nope"),
    ("--nope=x", "unknown flag: --nope"),
    ("--nope x", "unknown flag: --nope"),
    ("-z", "unknown shorthand flag: 'z' in -z"),
    ("-z=x", "unknown shorthand flag: 'z' in -z=x"),
    ("-wz", "unknown shorthand flag: 'z' in -z"),
    ("-zw", "unknown shorthand flag: 'z' in -zw"),
    ("--name", "unknown flag: --name"),
    ("---x", "bad flag syntax: ---x"),
    ("--=x", "bad flag syntax: --=x"),
    ("--n", "unknown flag: --n"),
    ("--w", "unknown flag: --w"),
    ("-=x", "unknown shorthand flag: '=' in -=x"),
    ("--é", "unknown flag: --é"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "flags", "words"), READ)
def test_flags_and_words(argv: str | list[str], flags: dict[str, Any], words: list[str]) -> None:
    assert run(["check", *split(argv)]) == (given_to_click(flags), words)


def given_to_click(flags: dict[str, Any]) -> dict[str, Any]:
    """A flag that is set to false is for click one that was not given."""
    return {name: value for name, value in flags.items() if value != "false"}


@pytest.mark.parametrize(("argv", "flags", "words"), READ)
def test_the_reading_itself(argv: str | list[str], flags: dict[str, Any], words: list[str]) -> None:
    line = pflag.read(split(argv), pflag.options_of([check]))
    read: dict[str, Any] = {}
    for option, value in line.given:
        name = pflag.long_name(option).lstrip("-")
        if option.multiple:
            read.setdefault(name, []).append(value)
        else:
            read[name] = {"1": "true", "0": "false"}.get(value, value)
            if option.is_flag:
                read[name] = "true" if value[0] in "1tT" else "false"
    assert (read, line.words, line.problems, line.waiting) == (flags, words, [], None)


@pytest.mark.parametrize(
    ("argv", "flags"), [(argv, flags) for argv, flags, words in READ if flags and not words]
)
def test_flags_before_the_verb(argv: str | list[str], flags: dict[str, Any]) -> None:
    assert run([*split(argv), "check", "dev"]) == (given_to_click(flags), ["dev"])


@pytest.mark.parametrize(("argv", "problem"), REFUSED)
def test_what_pflag_refuses(argv: str | list[str], problem: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        run(["check", *split(argv)])
    assert caught.value.message.removesuffix(": give true or false") == problem
    assert caught.value.ctx is not None
    assert caught.value.ctx.command_path == "kubectl nodeport check"


@pytest.mark.parametrize(
    ("argv", "canonical"),
    [
        ("connect dev", "connect -- dev"),
        ("connect", "connect --"),
        ("-n lab connect dev", "connect --namespace=lab -- dev"),
        ("--context x connect", "connect --context=x --"),
        ("-n connect connect dev", "connect --namespace=connect -- dev"),
        ("-n -- connect dev", "connect --namespace=-- -- dev"),
        ("connect dev --dry-run", "connect --dry-run=client -- dev"),
        ("--dry-run connect dev", "connect --dry-run=client -- dev"),
        ("-h connect", "connect --help --"),
        ("connect -h", "connect --help --"),
        ("connect -- -h", "connect -- -h"),
        ("help connect", "connect --help"),
        ("help connect dev", "connect --help"),
        ("help -n x connect", "connect --help"),
        ("-n x help connect", "connect --help"),
        ("help", "--help"),
        ("", ""),
        ("--help", ""),
        ("-n x", ""),
        ("--version", "--version"),
        ("-n x --version", "--version"),
        ("--version=false", ""),
        ("-- connect", ""),
        ("--", ""),
    ],
)
def test_verb(argv: str, canonical: str) -> None:
    assert pflag.normalise(argv.split(), only("connect")) == canonical.split()


def only(*verbs: str) -> click.Group:
    commands = {name: program.commands[name] for name in verbs}
    return click.Group("nodeport", commands=commands, params=program.params)


@pytest.mark.parametrize(
    ("argv", "problem", "command"),
    [
        ("--nope", "unknown flag: --nope", "kubectl nodeport"),
        ("--nope connect", "unknown flag: --nope", "kubectl nodeport connect"),
        ("--nope=x connect dev", "unknown flag: --nope", "kubectl nodeport connect"),
        ("-z connect", "unknown shorthand flag: 'z' in -z", "kubectl nodeport connect"),
        ("-n", "flag needs an argument: 'n' in -n", "kubectl nodeport"),
        ("-zn x connect", "unknown shorthand flag: 'z' in -zn", "kubectl nodeport"),
        ("--version connect", "unknown flag: --version", "kubectl nodeport connect"),
        ("connect --version", "unknown flag: --version", "kubectl nodeport connect"),
    ],
)
def test_refused_with_the_help_of_the_verb(argv: str, problem: str, command: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        pflag.normalise(argv.split(), program)
    assert caught.value.message == problem
    assert caught.value.ctx is not None
    assert caught.value.ctx.command_path == command


@pytest.mark.parametrize(
    ("argv", "verb", "hint"),
    [
        (["conect", "dev"], "conect", "did you mean: connect"),
        (["-n", "x", "expos"], "expos", "did you mean: expose"),
        (["help", "vers"], "vers", "did you mean: version"),
        (["con"], "con", "did you mean: connect"),
        (["zzz"], "zzz", "kubectl nodeport --help"),
        ([""], "", "kubectl nodeport --help"),
        (["-"], "-", "kubectl nodeport --help"),
    ],
)
def test_unknown_verb(argv: list[str], verb: str, hint: str) -> None:
    with pytest.raises(NodeportError) as caught:
        pflag.normalise(argv, only("connect", "expose", "version"))
    assert caught.value.message == f'unknown command "{verb}" for "kubectl nodeport"'
    assert caught.value.hint == hint


def test_a_name_means_the_same_kind_of_flag_in_every_verb() -> None:
    kinds: dict[str, set[tuple[object, ...]]] = {}
    for command in program.commands.values():
        for name, option in pflag.options_of([command]).items():
            kind = (option.is_flag, pflag.optional_value(option))
            kinds.setdefault(name, set()).add(kind)
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}
    assert "--context" in kinds


WORDS = st.sampled_from(
    [*("-", "--", "-n", "-w", "-wA", "-Aojson", "-n=x", "--watch=false", "--nope", "--dry-run"),
     *("--namespace", "--context=a", "", "dev", "check", "-=", "---", "help", "--help")]
) | st.text(max_size=4)  # fmt: skip


@given(st.lists(WORDS, max_size=6))
def test_every_line_is_read_or_refused(argv: list[str]) -> None:
    options = pflag.options_of([root, check])
    line = pflag.read(argv, options)
    assert len(line.words) <= len(argv)
    at = pflag.find_verb(argv, options)
    assert (at is None) or argv[at] in line.words
    try:
        words = pflag.normalise(argv, root)
    except (click.UsageError, NodeportError):
        return
    assert line.problems == [] or argv[at or 0] == "help"
    assert words[:1] in ([], ["check"], ["--help"], ["--version"])


@given(st.lists(WORDS, max_size=5), st.lists(WORDS, max_size=5))
def test_a_line_reads_the_same_wherever_it_is_cut(left: list[str], right: list[str]) -> None:
    """The verb is found by reading what stands before it."""
    options = pflag.options_of([check])
    first = pflag.read(left, options)
    if first.waiting is None and not first.ended:
        second, whole = pflag.read(right, options), pflag.read([*left, *right], options)
        assert whole.words == first.words + second.words
        assert whole.given == first.given + second.given


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], None),
        (["--authorize-key"], ""),
        (["--authorize-key", "dev"], ""),
        ([f"--authorize-key={__file__}"], __file__),
    ],
)
def test_key_to_authorize_follows_an_equals_sign(words: list[str], value: str | None) -> None:
    name, *rest = pflag.normalise(["connect", *words], program)
    assert program.commands[name].make_context(name, rest).params["authorize_key"] == value


@pytest.mark.parametrize(
    ("words", "include"),
    [
        ([], None),
        (["--include"], True),
        (["--include=true"], True),
        (["--include=false"], False),
        (["--include", "--include=0"], False),
    ],
)
def test_include_that_is_not_given_is_not_false(words: list[str], include: bool | None) -> None:
    """It stays as it was; click's own flags of true and false lose a false on the way."""
    name, *rest = pflag.normalise(["connect", "dev", *words], program)
    assert program.commands[name].make_context(name, rest).params["include"] is include


@root.command(cls=help.Command, examples="", usage="", passes_on=True)
@click.option("-n", "--namespace")
@click.argument("target", required=False)
@click.argument("words", nargs=-1)
def log_in(target: str | None, words: tuple[str, ...], namespace: str | None) -> object:
    """Return what was given, as a verb does that passes words on."""
    return namespace, *pflag.parted(target, words)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ("dev", (None, "dev", ())),
        ("dev --", (None, "dev", ())),
        ("dev -- ls -n x", (None, "dev", ("ls", "-n", "x"))),
        ("dev -n lab -- ls", ("lab", "dev", ("ls",))),
        ("-n lab -- ls -l", ("lab", None, ("ls", "-l"))),
        ("--", (None, None, ())),
        ("", (None, None, ())),
        ("dev -- -- ls", (None, "dev", ("--", "ls"))),
        ("-- -- ls", (None, None, ("--", "ls"))),
        ("dev -- ls -- x", (None, "dev", ("ls", "--", "x"))),
        ("-n -- dev", ("--", "dev", ())),
        ("dev -- -h", (None, "dev", ("-h",))),
    ],
)
def test_words_that_are_passed_on(argv: str, expected: object) -> None:
    line = pflag.normalise(["log-in", *argv.split()], root)
    assert root.main(line, standalone_mode=False) == expected


@pytest.mark.parametrize("argv", ["dev ls", "dev ls -- x", "dev ls --"])
def test_words_that_no_dashes_pass_on(argv: str) -> None:
    with pytest.raises(click.UsageError, match=r"extra argument \(ls\).* behind --"):
        root.main(pflag.normalise(["log-in", *argv.split()], root), standalone_mode=False)


@given(st.lists(st.text(max_size=5)))
def test_whatever_is_passed_on_stays_as_it_is(words: list[str]) -> None:
    line = pflag.normalise(["log-in", "dev", "-n", "x", "--", *words], root)
    assert root.main(line, standalone_mode=False) == ("x", "dev", tuple(words))
