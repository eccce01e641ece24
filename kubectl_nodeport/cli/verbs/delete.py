"""delete on the command line."""

from __future__ import annotations

from typing import Any

import click

from kubectl_nodeport.cli import common, help, offers, output
from kubectl_nodeport.cli.connection import connection_flags


@click.command(
    "delete",
    cls=help.Command,
    short_help="Delete rules, or give a Service its former type back",
    usage="delete TARGET [--name RULE | --all] [options]",
    examples="""
    # Delete the rule smtp of the pod dev
    kubectl nodeport delete dev --name smtp

    # Delete all rules of a deployment and of its pods
    kubectl nodeport delete deploy/api --all

    # Delete every rule of the namespace
    kubectl nodeport delete --all

    # Give a Service that expose has changed its former type back
    kubectl nodeport delete svc/mysql
    """,
    help="""
    Delete rules by their names, or give a Service its former type back.

    Only what kubectl nodeport made is deleted. The rule's Service goes, and its label and
    annotation on the pod with it. A pod that is gone may be named all the same.

    A Service is never deleted, unless it is itself a rule of kubectl nodeport: svc/NAME gets the
    type back that it had before "kubectl nodeport expose svc/NAME".
    """,
)
@click.argument("target", required=False, shell_complete=offers.targets)
@common.pods
@common.rule_names("The name of a rule")
@click.option(
    "--all",
    "all_rules",
    is_flag=True,
    help="All rules of TARGET; without one, those of the namespace.",
)
@common.dry_run
@output.option()
@connection_flags
def delete(target: str | None, **options: Any) -> None:
    """Parse what was typed, run the command, print its result."""
    from kubectl_nodeport.cli import report, wiring
    from kubectl_nodeport.cli.render import delete as render
    from kubectl_nodeport.commands.delete import DeleteRequest
    from kubectl_nodeport.commands.delete import delete as command
    from kubectl_nodeport.kube.target import parse

    is_named = target is not None or options["selector"] is not None
    request = DeleteRequest(
        target=parse(target, None, options["selector"]) if is_named else None,
        names=options["names"],
        all=options["all_rules"],
        dry_run=options["dry_run"] == "client",
    )
    with wiring.world(options) as edges:
        done = command(request, edges)
        if not (done.rules or done.closed or done.left):
            report.tell("No rules to delete.")
        output.write(
            options["output"],
            text=lambda: render.as_text(done),
            document=lambda: render.as_document(done),
            names=lambda: render.names(done),
            hint="kubectl nodeport get shows what is left",
        )
        if done.left is not None:
            report.tell_notes(edges.notes)  # of those that are gone
            raise done.left
