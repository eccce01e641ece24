"""doctor on the command line."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from kubectl_nodeport.cli import common, help, offers, output
from kubectl_nodeport.cli.connection import connection_flags

if TYPE_CHECKING:
    from kubectl_nodeport.commands.doctor.case import DoctorRequest


@click.command(
    "doctor",
    cls=help.Command,
    short_help="Look for what keeps ssh or VS Code from a pod",
    usage="doctor [[USER@]TARGET] [options]",
    examples="""
    # Why does connect dev not work, or VS Code not open it?
    kubectl nodeport doctor dev

    # What can be looked at without a pod: kubeconfig, server, rights, ssh
    kubectl nodeport doctor

    # For a script: the names of the checks that warn or fail
    kubectl nodeport doctor dev -o name
    """,
    help="""
    Look for what keeps ssh or VS Code from a pod. Nothing is changed, here or in the cluster.

    Checks are made in order, from the kubeconfig to what VS Code needs in the container. Each tells
    ok, warning or fail, what was seen, why it matters, and the command that mends it. What an
    earlier check explains is skipped. The exit code is 1 if a check fails.

    TARGET is as for connect. Without it the checks are made that are about no pod.
    """,
)
@click.argument("target", metavar="[USER@]TARGET", required=False, shell_complete=offers.targets)
@common.one_pod
@common.ssh_port
@common.container
@common.rule_name
@common.ssh_user
@common.identity
@common.host
@common.ssh_config
@common.timeout("5s")
@output.option()
@connection_flags
def doctor(target: str | None, **options: Any) -> int:
    """Parse what was typed, make the checks, print what they found."""
    from kubectl_nodeport.cli import hints, wiring
    from kubectl_nodeport.cli.connection import flags_of
    from kubectl_nodeport.cli.machine import machine
    from kubectl_nodeport.cli.render import doctor as render
    from kubectl_nodeport.cli.render.colour import takes_colour
    from kubectl_nodeport.commands.doctor.case import Case
    from kubectl_nodeport.commands.doctor.doctor import doctor as command

    given = flags_of(options)
    with contextlib.ExitStack() as stack:
        case = Case(
            _request(target, options),
            lambda: stack.enter_context(wiring.world(options)),
            machine(options["ssh_config"]),
        )
        report = command(case)
        if "edges" in vars(case):
            case.edges.notes.clear()  # the checks have told all of it

    def typed(text: str) -> str:
        return hints.with_flags(text, given)

    output.write(
        options["output"],
        text=lambda: render.as_text(report, typed),
        document=lambda: render.as_document(report, typed),
        names=lambda: render.names(report),
        hint="asking changes nothing: run it again when the result can be printed",
        paint=render.coloured if takes_colour(sys.stdout, os.environ) else str,
    )
    return 1 if report.fails else 0


def _request(target: str | None, options: Mapping[str, Any]) -> DoctorRequest:
    from kubectl_nodeport.cli import wiring
    from kubectl_nodeport.commands.doctor.case import DoctorRequest

    named = bool(target or options["selector"] or options["ssh_user"])
    return DoctorRequest(
        target=wiring.target(target, options) if named else None,
        rule_name=options["name"],
        port=options["port"],
        container=options["container"],
        identity_file=options["identity"],
        host=options["host"],
        ssh_config=options["ssh_config"],
        timeout_s=options["timeout"],
    )
