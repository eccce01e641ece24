"""address on the command line."""

from __future__ import annotations

from typing import Any

import click

from kubectl_nodeport.cli import common, help, offers, output
from kubectl_nodeport.cli.connection import connection_flags


@click.command(
    "address",
    cls=help.Command,
    short_help="Tell where a NodePort answers from this machine",
    usage="address TARGET [options]",
    examples="""
    # Where the NodePort of the Service mysql answers, such as 127.0.0.1:31696
    kubectl nodeport address svc/mysql

    # Of the rule web of the pod dev, for a script
    curl "http://$(kubectl nodeport address dev --name web)"

    # All addresses that were tried, with what came back
    kubectl nodeport address svc/mysql -o json
    """,
    help="""
    Tell where a NodePort answers from this machine. Nothing is changed.

    TARGET is a Service with node ports, whoever made it, or a pod or workload for all those that
    lead to it. Each candidate is asked until one answers; where the container may be looked into,
    it is made sure that the pod answers and nobody else.
    """,
)
@click.argument("target", required=False, shell_complete=offers.targets)
@common.pods
@common.rule_names("The name of a rule, or of a port of the Service")
@common.timeout("5s")
@output.option()
@connection_flags
def address(target: str | None, **options: Any) -> None:
    """Parse what was typed, run the command, print its result."""
    from kubectl_nodeport.cli import picker, report, wiring
    from kubectl_nodeport.cli.render import address as render
    from kubectl_nodeport.commands.address import AddressRequest, lost
    from kubectl_nodeport.commands.address import address as command

    named = wiring.target(target, options)
    with wiring.world(options) as edges:
        wanted = named or picker.ask_target(edges)
        found = command(AddressRequest(wanted, options["names"], options["timeout"]), edges)
        output.write(
            options["output"],
            text=lambda: render.as_text(found),
            document=lambda: render.as_document(found),
            names=lambda: render.names(found),
            hint="asking changes nothing: run it again when the result can be printed",
        )
        if failure := lost(found):
            report.tell_notes(edges.notes)
            raise failure
