"""get on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from kubectl_nodeport.cli import flags, help, output
from kubectl_nodeport.cli.connection import connection_flags
from kubectl_nodeport.errors import NodeportError

_RULES, _HOSTS = "rules", "hosts"
_NOTHING_LOST = "listing changes nothing: run it again when the result can be printed"


@click.command(
    "get",
    cls=help.Command,
    short_help="List rules, and the Host entries that connect wrote",
    usage="get [rules | hosts | TARGET] [options]",
    examples="""
    # The rules of this namespace, those of Crater and NodePort Services of others among them
    kubectl nodeport get

    # The rules of all namespaces, with their Services and what is wrong with them
    kubectl nodeport get -A -o wide

    # The rules of a pod, of a deployment, and of the pods with a label
    kubectl nodeport get dev
    kubectl nodeport get deploy/api
    kubectl nodeport get -l app=web

    # The hosts that ssh knows by connect, of all clusters; no cluster is asked
    kubectl nodeport get hosts

    # The node port of a rule, for a script
    kubectl nodeport get dev -o json | jq '.items[0].spec.nodePort'
    """,
    help="""
    List rules, and the Host entries that connect wrote.

    What kubectl nodeport did not make is marked: (crater) for rules of the Crater platform,
    (other) for other Services with node ports. ADDRESS is where a rule answered connect, else its
    pod's node; nothing is tried now, which is what kubectl nodeport address does.

    A pod that is called hosts or rules is named pod/hosts.
    """,
)
@click.argument("target", metavar="[TARGET]", required=False)
@click.option("-A", "--all-namespaces", is_flag=True, help="List the rules of all namespaces.")
@click.option("-l", "--selector", help="List the rules of the pods with these labels.")
@click.option(
    "--ssh-config",
    type=flags.FilePath(exists=False),
    help="The ssh configuration file with the hosts; ~/.ssh/config if empty.",
)
@output.option("wide")
@connection_flags
def get(target: str | None, **options: Any) -> None:
    """Parse what was typed, run the command, print its result."""
    if target == _HOSTS:
        _print_hosts(options)
    else:
        _print_rules(None if target == _RULES else target, options)


def _print_rules(target: str | None, options: Mapping[str, Any]) -> None:
    from kubectl_nodeport.cli import wiring
    from kubectl_nodeport.cli.render import rules as render
    from kubectl_nodeport.commands.get import get as command
    from kubectl_nodeport.commands.scope import GetRequest
    from kubectl_nodeport.kube.target import parse

    everywhere, selector = options["all_namespaces"], options["selector"]
    is_all = target is None and selector is None
    named = None if is_all else parse(target, None, selector)
    with wiring.world(options) as edges:
        found = command(GetRequest(named, everywhere), edges)
        namespace = edges.connection.namespace
    if not found and options["output"] not in ("json", "yaml"):
        wiring.tell(f"No rules found{'' if everywhere else f' in {namespace} namespace.'}")
    output.write(
        options["output"],
        text=lambda: render.table(
            found,
            datetime.now(timezone.utc),
            wide=options["output"] == "wide",
            with_namespace=everywhere,
        ),
        document=lambda: render.rule_list(found),
        names=lambda: render.names(found),
        hint=_NOTHING_LOST,
    )


def _print_hosts(options: Mapping[str, Any]) -> None:
    """No cluster is asked and no kubeconfig is read."""
    from kubectl_nodeport.cli import wiring
    from kubectl_nodeport.cli.render import hosts as render
    from kubectl_nodeport.commands.get import hosts as command
    from kubectl_nodeport.ssh.config_file import ConfigFile, user_config_path

    if options["selector"] is not None:
        raise NodeportError(
            "hosts have no labels, so -l selects none of them",
            hint="kubectl nodeport get -l SELECTOR lists rules with their hosts",
        )
    named = options["ssh_config"]
    file = ConfigFile(Path(named) if named else user_config_path())
    found = command(file, options["context"], options["namespace"])
    if not found and options["output"] not in ("json", "yaml"):
        wiring.tell(f"No hosts found in {wiring.config_name(named)}.")
    output.write(
        options["output"],
        text=lambda: render.table(found, wide=options["output"] == "wide"),
        document=lambda: render.host_list(found),
        names=lambda: render.names(found),
        hint=_NOTHING_LOST,
    )
