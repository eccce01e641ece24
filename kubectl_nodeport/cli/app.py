"""The command line: argv in, exit code out. With its neighbours the only place that knows click."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from kubectl_nodeport import __version__
from kubectl_nodeport.cli import argv as pflag
from kubectl_nodeport.cli import help, verbs
from kubectl_nodeport.cli.report import report, unexpected
from kubectl_nodeport.errors import NodeportError

_INTERRUPTED = 130


def run(argv: Sequence[str]) -> int:
    """Run one command line: 0 done, 1 failed with one ``error:`` line, 130 interrupted."""
    verbosity = _verbosity(argv)
    try:
        words = pflag.normalise(argv, program)
        verbosity = _verbosity(words)
        outcome = program.main(words, prog_name=help.PROGRAM, standalone_mode=False)
    except NodeportError as err:
        report(err, verbosity)
        return 1
    except click.UsageError as err:
        where = err.ctx.command_path if err.ctx else help.PROGRAM
        report(NodeportError(_usage(err), hint=f"{where} --help"), verbosity)
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
        report(unexpected(err), verbosity)
        return 1
    return outcome if isinstance(outcome, int) else 0


def _usage(err: click.UsageError) -> str:
    """What is wrong with the command line, in kubectl's words where it has some."""
    message = err.format_message().rstrip(".")
    return message[:1].lower() + message[1:]


def _verbosity(argv: Sequence[str]) -> int:
    """-v's number, known before anything is read: a usage error may want a traceback too."""
    for at, word in enumerate(argv):
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name in ("-v", "--v"):
            value = value if equals else "".join(argv[at + 1 : at + 2])
        elif word.startswith("-v"):
            value = word[2:]
        else:
            continue
        if value.isascii() and value.isdecimal():
            return int(value[:9])
    return 0


def _report_left_behind(interruption: BaseException, verbosity: int) -> None:
    """What a clean-up could not remove: the cause, behind click's own Abort where it is one."""
    cause = interruption.__cause__
    if isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__
    if isinstance(cause, NodeportError):
        report(cause, verbosity)


@click.group(
    cls=help.Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
    Reach a pod by ssh, also from VS Code: expose its port through a NodePort Service,
    find the address that answers from this machine, and write a Host entry.
    """,
)
@click.option("--version", is_flag=True, help="Print the version.")
@click.pass_context
def program(ctx: click.Context, version: bool) -> None:
    """Show the help where no verb is given."""
    if version:
        click.echo(f"kubectl-nodeport {__version__}")
    elif ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for verb in verbs.ALL:
    program.add_command(verb)
