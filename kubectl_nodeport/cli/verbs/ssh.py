"""ssh on the command line."""

from __future__ import annotations

from typing import Any

import click

from kubectl_nodeport.cli import argv, common, connecting, help, offers

_NO_SSH = "install OpenSSH's client; the Host entry is written, other programs can use it"


@click.command(
    "ssh",
    cls=help.Command,
    passes_on=True,
    short_help="Connect to a pod, then log in with ssh",
    usage="ssh [USER@]TARGET [options] [-- ARGUMENT...]",
    examples="""
    # Log in to the pod dev
    kubectl nodeport ssh dev

    # Run a command there; the exit code is its own
    kubectl nodeport ssh dev -- make -C /work test

    # Forward a port, without a shell
    kubectl nodeport ssh dev -- -N -L 8888:localhost:8888

    # As another user, to a pod in another namespace
    kubectl nodeport ssh ubuntu@dev -n lab
    """,
    help="""
    Connect to a pod as "kubectl nodeport connect" does, then run ssh to it.

    What stands behind -- are ssh's own options, and a command. connect's part prints on stderr
    what is new, and nothing where nothing has changed. The exit code is ssh's.
    """,
)
@click.argument("target", metavar="[USER@]TARGET", required=False, shell_complete=offers.targets)
@click.argument("arguments", metavar="[-- ARGUMENT]...", nargs=-1)
@connecting.connect_flags
@common.no_result(
    "ssh", hint="an option of ssh stands behind --, as in: kubectl nodeport ssh TARGET -- -o …"
)
def ssh(target: str | None, arguments: tuple[str, ...], **options: Any) -> int:
    """Parse what was typed, connect, and become ssh."""
    from kubectl_nodeport.cli import handover, report, ssh_files
    from kubectl_nodeport.cli.render import connect as render

    target, passed = argv.parted(target, arguments)
    done = connecting.connected(target, options)
    for line in render.news(done, ssh_files.config_name(options["ssh_config"])):
        report.tell(line)
    connecting.check_found_by_ssh(done, options["ssh_config"])
    words = [*ssh_files.ssh_words(options["ssh_config"]), done.entry.alias, *passed]
    return handover.become(words, hint=_NO_SSH)
