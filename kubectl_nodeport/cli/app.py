"""The command line: argv in, exit code out. With its neighbours the only place that knows click."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from kubectl_nodeport import __version__
from kubectl_nodeport.cli import argv as pflag
from kubectl_nodeport.cli import flags, help, hints
from kubectl_nodeport.cli.render.terminal import one_line, safe
from kubectl_nodeport.errors import NodeportError

F = TypeVar("F", bound=Callable[..., Any])

_INTERRUPTED = 130
_LONGEST_LINE = 2000


def run(argv: Sequence[str]) -> int:
    """Run one command line: 0 done, 1 failed with one ``error:`` line, 130 interrupted."""
    verbosity = 0
    try:
        words = pflag.normalise(argv, program.commands)
        verbosity = _verbosity(words)
        outcome = program.main(words, prog_name=help.PROGRAM, standalone_mode=False)
    except NodeportError as err:
        _report(err, verbosity)
        return 1
    except click.UsageError as err:
        where = err.ctx.command_path if err.ctx else help.PROGRAM
        _report(NodeportError(_usage(err), hint=f"{where} --help"), verbosity)
        return 1
    except (KeyboardInterrupt, click.Abort) as err:
        print("interrupted", file=sys.stderr)
        _report_left_behind(err, verbosity)
        return _INTERRUPTED
    except SystemExit as leaving:  # a signal, see __main__
        _report_left_behind(leaving, verbosity)
        return leaving.code if isinstance(leaving.code, int) else 1
    except BrokenPipeError:  # the reader of our output has gone, as in `… | head`
        sys.stderr.close()
        return 1
    except Exception as err:
        _report(_unexpected(err), verbosity)
        return 1
    return outcome if isinstance(outcome, int) else 0


def _usage(err: click.UsageError) -> str:
    """What is wrong with the command line, in kubectl's words where it has some."""
    if isinstance(err, click.NoSuchOption):
        return f"unknown flag: {err.option_name}"
    message = err.format_message().rstrip(".")
    return message[:1].lower() + message[1:]


def _verbosity(words: Sequence[str]) -> int:
    """-v's number, known before click has read the line: a usage error may want a traceback too."""
    for at, word in enumerate(words):
        follows = word == "-v" and at + 1 < len(words)
        value = words[at + 1] if follows else word[2:] if word.startswith("-v") else ""
        if value.isdecimal():
            return int(value)
    return 0


def _report(err: NodeportError, verbosity: int) -> None:
    print(f"error: {_short(err.message)}", file=sys.stderr)
    if err.detail:
        print(safe(err.detail.rstrip("\n"), keep="\n\t"), file=sys.stderr)
    print(f"hint: {_short(err.hint)}", file=sys.stderr)
    if verbosity >= 9:
        print(safe(traceback.format_exc(), keep="\n"), file=sys.stderr)


def _short(text: str) -> str:
    """One safe line; a cluster's word for a failure may be megabytes."""
    line = one_line(text[: 2 * _LONGEST_LINE])
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _report_left_behind(interruption: BaseException, verbosity: int) -> None:
    """What a clean-up could not remove: the cause, behind click's own Abort where it is one."""
    cause = interruption.__cause__
    if isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__
    if isinstance(cause, NodeportError):
        _report(cause, verbosity)


def _unexpected(err: Exception) -> NodeportError:
    return NodeportError(
        f"this should not have happened: {type(err).__name__}: {err}",
        hint="run it again with -v=9 and report what it prints",
    )


def _tell(line: str) -> None:
    print(_short(line), file=sys.stderr)


def connection_flags(command: F) -> F:
    """kubectl's flags that say which cluster, as whom."""
    for option in (
        click.option("-v", "verbosity", type=int, default=0, metavar="0",
                     help="Log level: 6 shows the requests, 9 tracebacks too."),
        click.option("-n", "--namespace", help="The namespace of the pod; the context's if empty."),
        click.option("--kubeconfig", help="Path to the kubeconfig file to use."),
        click.option("--context", help="The name of the kubeconfig context to use."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group(
    cls=help.Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
    Reach a pod by ssh, also from VS Code: expose its port through a NodePort Service,
    find the address that answers from this machine, and write a Host entry.
    """,
)
@click.pass_context
def program(ctx: click.Context) -> None:
    """Show the help where no verb is given."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@program.command(
    cls=help.Command,
    short_help="Make a pod reachable by ssh under an alias of its own",
    usage="connect [USER@]POD [options]",
    examples="""
    # Make the pod dev reachable by ssh, and show it in VS Code's Remote-SSH host picker
    kubectl nodeport connect dev

    # Log in as another user than the container's own, with a key of your choice
    kubectl nodeport connect ubuntu@dev -i ~/.ssh/work

    # A pod in another namespace, whose ssh server listens on port 2222
    kubectl nodeport connect dev -n lab --port 2222

    # Say what would be done, and do nothing
    kubectl nodeport connect dev --dry-run
    """,
    help="""
    Make a pod reachable by ssh under an alias of its own.

    A NodePort Service exposes the pod's ssh port. The addresses at which it may answer from this
    machine are tried; the one whose host key is the pod's goes into a Host entry of ~/.ssh/config,
    with that key pinned. Running it again changes nothing, or repairs what has changed.
    """,
)
@click.argument("target", metavar="[USER@]POD")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="The port of the ssh server in the pod; the one named ssh, else 22, if empty.",
)
@click.option("-c", "--container", help="The container with the ssh server.")
@click.option("--name", default="ssh", help="The name of the rule: 1 to 20 lower-case letters.")
@click.option("--ssh-user", help="Whom to log in as; the container's own user if empty.")
@click.option(
    "-i", "--identity", type=flags.FilePath(exists=True), help="The private key to offer."
)
@click.option("--host", help="The alias to write; POD.NAMESPACE.CONTEXT if empty.")
@click.option(
    "--ssh-config",
    type=flags.FilePath(exists=False),
    help="The ssh configuration file to write; ~/.ssh/config if empty.",
)
@click.option(
    "--timeout",
    type=flags.Duration(),
    default="60s",
    help="How long to wait for an address to answer.",
)
@click.option(
    "--dry-run",
    cls=pflag.OptionalValue,
    no_value="client",
    type=click.Choice(["none", "client"]),
    default="none",
    help='"none" or "client"; with client, say what would be done and do nothing.',
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Output format: text or json.",
)
@connection_flags
def connect(target: str, **options: Any) -> None:  # fmt: skip
    """Parse what was typed, run the command, print its result."""
    from kubectl_nodeport.cli import wiring
    from kubectl_nodeport.cli.render import connect as render
    from kubectl_nodeport.commands.connect import ConnectRequest
    from kubectl_nodeport.commands.connect import connect as command
    from kubectl_nodeport.kube.config import Flags
    from kubectl_nodeport.kube.target import parse

    request = ConnectRequest(
        target=parse(target, options["ssh_user"]),
        rule_name=options["name"],
        port=options["port"],
        container=options["container"],
        identity_file=options["identity"],
        host=options["host"],
        timeout_s=options["timeout"],
        dry_run=options["dry_run"] == "client",
    )
    where = Flags(options["kubeconfig"], options["context"], options["namespace"])
    ssh_config = options["ssh_config"]
    try:
        world = wiring.edges(where, ssh_config, _tell, verbosity=options["verbosity"])
        done = command(request, world)
    except NodeportError as err:
        err.hint = hints.with_flags(err.hint, where)
        raise
    for note in done.notes:
        _tell(f"note: {note}")
    write = render.as_json if options["output"] == "json" else render.as_text
    try:
        click.echo(write(done, wiring.config_name(ssh_config)))
    except BrokenPipeError:
        raise
    except OSError as err:
        raise NodeportError(
            f"the Host entry stands, but the result cannot be printed: {err.strerror}",
            hint=f"ssh {done.entry.alias}",
        ) from err


@program.command(
    cls=help.Command,
    short_help="Print the version",
    usage="version",
    examples="""
    # Print the version of this plugin
    kubectl nodeport version
    """,
    help="Print the version of this plugin.",
)
def version() -> None:
    """Print the version."""
    click.echo(f"kubectl-nodeport {__version__}")
