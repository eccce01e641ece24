"""disconnect on the command line."""

from __future__ import annotations

from functools import cache
from typing import Any

import click

from kubectl_nodeport.cli import common, help, offers, output
from kubectl_nodeport.cli.connection import connection_flags


@click.command(
    "disconnect",
    cls=help.Command,
    short_help="Remove hosts that connect made, and their rules",
    usage="disconnect (HOST | TARGET)... | -l SELECTOR | --all [options]",
    examples="""
    # Remove the host of the pod dev, its host keys, and its rule if nobody else needs it
    kubectl nodeport disconnect dev

    # The same by its alias, from wherever the current context leads to
    kubectl nodeport disconnect dev.default.docker-desktop

    # Remove every host of a context that is gone for good
    kubectl nodeport disconnect --all --context minikube

    # Remove the host and leave the rule; no cluster is asked
    kubectl nodeport disconnect dev.default.docker-desktop --keep-rule

    # Say what would be done, and do nothing
    kubectl nodeport disconnect --all --dry-run
    """,
    help="""
    Remove hosts that connect made: the Host entry, its host keys, and its rule.

    The rule is deleted only if this host's own connect made it and no other host needs it. The host
    goes also where its cluster does not answer; then an error names the rule, which may stand.

    HOST is an alias. TARGET is what connect was given, in the current context and namespace. --all
    means the hosts of all contexts; --context and -n limit it.
    """,
)
@click.argument("words", metavar="[HOST | TARGET]", nargs=-1, shell_complete=offers.hosts)
@common.selector("Remove the hosts of the pods with these labels.")
@click.option("--all", "all_hosts", is_flag=True, help="Remove all hosts that connect made.")
@click.option("--keep-rule", is_flag=True, help="Leave the rule as it is, and ask no cluster.")
@common.ssh_config
@common.dry_run
@output.option()
@connection_flags
def disconnect(words: tuple[str, ...], **options: Any) -> None:
    """Parse what was typed, run the command, print its result."""
    from kubectl_nodeport.cli import homes, progress, report, ssh_files, wiring
    from kubectl_nodeport.cli.render import disconnect as render
    from kubectl_nodeport.commands.disconnect import DisconnectRequest
    from kubectl_nodeport.commands.disconnect import disconnect as command
    from kubectl_nodeport.commands.named import Named

    request = DisconnectRequest(
        Named(
            words,
            options["selector"] or "",
            options["all_hosts"],
            options["context"],
            options["namespace"],
        ),
        keep_rule=options["keep_rule"],
        dry_run=options["dry_run"] == "client",
    )
    notes: list[str] = []
    file = ssh_files.config_file(options, notes)
    with progress.of(options) as told:
        here = cache(lambda: wiring.here(options, file, told))
        done = command(request, file, homes.homes(options, file, told), here)
    config = ssh_files.config_name(options["ssh_config"])
    if not done.entries and options["output"] not in ("json", "yaml"):
        report.tell(f"No hosts to disconnect in {config}.")
    output.write(
        options["output"],
        text=lambda: render.as_text(done, ssh_files.entries_name(file, options["ssh_config"])),
        document=lambda: render.as_document(done),
        names=lambda: render.names(done),
        hint="kubectl nodeport get hosts shows what is left",
    )
    report.tell_notes([*notes, *done.notes])
    if done.left is not None:
        raise done.left
