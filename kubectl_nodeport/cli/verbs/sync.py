"""sync on the command line."""

from __future__ import annotations

from typing import Any

import click

from kubectl_nodeport.cli import common, flags, help, offers, output
from kubectl_nodeport.cli.connection import connection_flags


@click.command(
    "sync",
    cls=help.Command,
    short_help="Bring hosts up to date with their clusters",
    usage="sync [HOST]... [options]",
    examples="""
    # Every host of every context: what has changed is written, pods that are gone are removed
    kubectl nodeport sync

    # Say what would be changed, and do nothing
    kubectl nodeport sync --dry-run

    # The hosts of one context, and one host alone
    kubectl nodeport sync --context docker-desktop
    kubectl nodeport sync dev.default.docker-desktop
    """,
    help="""
    Hold the hosts that connect made against their clusters, each by the flags of its own connect.

    A port, an address or host keys that have changed are written; hosts whose pods are gone are
    removed. A cluster that does not answer, a missing right and an unclear answer remove nothing:
    an error tells which hosts were left as they are. Nothing is changed in a cluster; a host whose
    rule is gone takes "kubectl nodeport connect".
    """,
)
@click.argument("hosts", metavar="[HOST]", nargs=-1, shell_complete=offers.hosts)
@common.ssh_config
@click.option(
    "--timeout",
    type=flags.Duration(),
    default="20s",
    help="How long one host may take.",
)
@common.dry_run
@output.option()
@connection_flags
def sync(hosts: tuple[str, ...], **options: Any) -> None:
    """Parse what was typed, run the command, print its result."""
    from kubectl_nodeport.cli import homes, progress, report, ssh_files
    from kubectl_nodeport.cli.render import sync as render
    from kubectl_nodeport.commands.sync import SyncRequest
    from kubectl_nodeport.commands.sync import sync as command

    request = SyncRequest(
        hosts,
        options["context"],
        options["namespace"],
        options["timeout"],
        dry_run=options["dry_run"] == "client",
    )
    notes: list[str] = []
    file = ssh_files.config_file(options, notes)
    with progress.of(options) as told:
        done = command(request, file, homes.homes(options, file, told))
    if not done.hosts and options["output"] not in ("json", "yaml"):
        report.tell(f"No hosts found in {ssh_files.config_name(options['ssh_config'])}.")
    output.write(
        options["output"],
        text=lambda: render.as_text(done),
        document=lambda: render.as_document(done),
        names=lambda: render.names(done),
        hint="kubectl nodeport get hosts shows how they are now",
    )
    said = [f"{one.entry.alias}: {note}" for one in done.hosts for note in one.notes]
    report.tell_notes([*notes, *said])
    if done.left is not None:
        raise done.left
