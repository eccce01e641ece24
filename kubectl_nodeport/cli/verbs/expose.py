"""expose on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from kubectl_nodeport.cli import common, flags, help, offers, output
from kubectl_nodeport.cli.connection import connection_flags
from kubectl_nodeport.errors import NodeportError


@click.command(
    "expose",
    cls=help.Command,
    short_help="Open a port of a pod, or a Service, on every node",
    usage="expose TARGET [options]",
    examples="""
    # Open port 25 of the pod dev under the name smtp
    kubectl nodeport expose dev --name smtp --port 25

    # Open the port that the pod's manifest calls http, at a NodePort of your choice
    kubectl nodeport expose deploy/web --name web --port http --node-port 30080

    # Turn a Service of type ClusterIP into a NodePort; its ClusterIP, ports and selector stay
    kubectl nodeport expose svc/mysql
    """,
    help="""
    Open a port of a pod on every node, under a name, and print where it is reached from here.

    A rule is a NodePort Service that reaches this pod alone; a pod may have several. A rule of a
    deployment or replica set with one replica, and of a pod of a stateful set, stays when the pod
    is replaced; any other ends with its pod.

    A Service is not copied but changed: svc/NAME of type ClusterIP becomes a NodePort, with all its
    ports, until "kubectl nodeport delete svc/NAME" gives it its former type back.
    """,
)
@click.argument("target", required=False, shell_complete=offers.targets)
@common.one_pod
@click.option(
    "--name",
    shell_complete=offers.rules,
    help="The name of the rule: 1 to 20 lower-case letters; the port's own if empty.",
)
@click.option(
    "--port",
    type=flags.Port(),
    shell_complete=offers.ports,
    help="The container port, by number or name; the one named like the rule if empty.",
)
@common.node_port
@click.option(
    "--protocol",
    type=click.Choice(["TCP", "UDP", "SCTP"], case_sensitive=False),
    help="The protocol of the port; TCP if empty.",
)
@common.timeout("5s")
@common.dry_run
@output.option()
@connection_flags
def expose(target: str | None, **options: Any) -> None:
    """Parse what was typed, run the command, print its result."""
    from kubectl_nodeport.cli import picker, wiring
    from kubectl_nodeport.cli.render import expose as render
    from kubectl_nodeport.cli.render import rules
    from kubectl_nodeport.commands.expose import ExposeRequest
    from kubectl_nodeport.commands.expose import expose as command
    from kubectl_nodeport.commands.open_service import OpenRequest, open_service

    named = wiring.target(target, options)
    with wiring.world(options) as edges:
        wanted = named or picker.ask_target(edges)
        given = {
            "port": options["port"],
            "node_port": options["node_port"],
            "timeout_s": options["timeout"],
            "dry_run": options["dry_run"] == "client",
        }
        if wanted.kind == "service":
            _check_service(options)
            opening = OpenRequest(wanted.name, protocol=options["protocol"], **given)
            opened = open_service(opening, edges)
        else:
            protocol = options["protocol"] or "TCP"
            asked = ExposeRequest(wanted, options["name"], protocol=protocol, **given)
            opened = command(asked, edges)
    output.write(
        options["output"],
        text=lambda: render.as_text(opened),
        document=lambda: rules.rule_list(opened.listed),
        names=lambda: rules.names(opened.listed),
        hint="kubectl nodeport get shows what stands",
    )


def _check_service(options: Mapping[str, Any]) -> None:
    if options["name"] is not None:
        raise NodeportError(
            "a Service has no rule name: it is changed itself",
            hint="leave --name out, or name a pod of the Service instead",
        )
