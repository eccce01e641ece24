"""get on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from kubectl_nodeport.cli import common, help, offers, output
from kubectl_nodeport.cli.connection import connection_flags
from kubectl_nodeport.errors import NodeportError

if TYPE_CHECKING:
    from kubectl_nodeport.commands.scope import GetRequest
    from kubectl_nodeport.rule.listed import Listed

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

    # The same, and a line for each rule that changes, until Ctrl-C
    kubectl nodeport get -w

    # The hosts that ssh knows by connect, of all clusters; no cluster is asked
    kubectl nodeport get hosts

    # The node port of a rule, for a script
    kubectl nodeport get dev -o json | jq '.items[0].spec.nodePort'
    """,
    help="""
    List rules, and the Host entries that connect wrote.

    What kubectl nodeport did not make is marked: (crater) for rules of the Crater platform,
    (other) for other Services with node ports. ADDRESS is where a rule answered connect, else its
    pod's node; nothing is tried now.

    A pod that is called hosts or rules is named pod/hosts.
    """,
)
@click.argument(
    "target",
    metavar="[TARGET]",
    required=False,
    shell_complete=offers.either(
        {_RULES: "The rules of the namespace", _HOSTS: "The hosts that ssh knows by connect"},
        offers.targets,
    ),
)
@click.option("-A", "--all-namespaces", is_flag=True, help="List the rules of all namespaces.")
@common.selector("List the rules of the pods with these labels.")
@click.option(
    "-w", "--watch", is_flag=True, help="After listing the rules, print those that change."
)
@common.ssh_config
@output.option("wide")
@connection_flags
def get(target: str | None, **options: Any) -> None:
    """Parse what was typed, run the command, print its result."""
    if target == _HOSTS:
        _print_hosts(options)
        return
    from kubectl_nodeport.commands.scope import GetRequest
    from kubectl_nodeport.kube.target import parse

    typed, selector = None if target == _RULES else target, options["selector"]
    named = None if typed is None and selector is None else parse(typed, None, selector)
    request = GetRequest(named, options["all_namespaces"])
    if options["watch"]:
        _print_changes(request, options)
    else:
        _print_rules(request, options)


def _print_rules(request: GetRequest, options: Mapping[str, Any]) -> None:
    from kubectl_nodeport.cli import report, wiring
    from kubectl_nodeport.cli.render import rules as render
    from kubectl_nodeport.commands.get import get as command

    with wiring.world(options) as edges:
        found = command(request, edges)
        namespace = edges.connection.namespace
    if not found and options["output"] not in ("json", "yaml"):
        everywhere = request.all_namespaces
        report.tell(f"No rules found{'' if everywhere else f' in {namespace} namespace.'}")
    output.write(
        options["output"],
        text=lambda: render.table(
            found,
            datetime.now(timezone.utc),
            wide=options["output"] == "wide",
            with_namespace=request.all_namespaces,
        ),
        document=lambda: render.rule_list(found),
        names=lambda: render.names(found),
        hint=_NOTHING_LOST,
    )


def _print_changes(request: GetRequest, options: Mapping[str, Any]) -> None:
    """Until Ctrl-C."""
    from kubectl_nodeport.cli import report, wiring
    from kubectl_nodeport.commands.changes import changes

    columns: tuple[int, ...] = ()
    told: set[str] = set()
    with wiring.world(options) as edges:
        for rows in changes(request, edges, wiring.watch(edges)):
            for note in edges.notes:
                if note not in told:
                    report.tell(f"note: {note}")
            told.update(edges.notes)
            edges.notes.clear()
            if rows:
                columns = _print_more(rows, columns, options)


def _print_more(
    rows: Sequence[Listed], columns: tuple[int, ...], options: Mapping[str, Any]
) -> tuple[int, ...]:
    """Rows below those before them; a document for each, as kubectl prints what it watches."""
    from kubectl_nodeport.cli.render import rules as render

    chosen = options["output"]
    text, widths = render.more(
        rows,
        columns,
        datetime.now(timezone.utc),
        wide=chosen == "wide",
        with_namespace=options["all_namespaces"],
    )
    if chosen in ("json", "yaml"):
        between = "\n---\n" if chosen == "yaml" else "\n"
        text = between.join(output.formatted(chosen, render.rule(row)) for row in rows)
        text = f"---\n{text}" if columns and chosen == "yaml" else text
    output.write(
        chosen if chosen == "name" else "text",
        text=lambda: text,
        document=dict,
        names=lambda: render.names(rows),
        hint=_NOTHING_LOST,
    )
    return widths


def _print_hosts(options: Mapping[str, Any]) -> None:
    """No cluster is asked and no kubeconfig is read."""
    from kubectl_nodeport.cli import report, ssh_files
    from kubectl_nodeport.cli.render import hosts as render
    from kubectl_nodeport.commands.get import hosts as command
    from kubectl_nodeport.ssh.config_file import ConfigFile
    from kubectl_nodeport.ssh.location import named_config_path

    if options["watch"]:
        raise NodeportError(
            "hosts are not watched: they change with your own commands alone",
            hint="leave out -w: kubectl nodeport get hosts",
        )
    if options["selector"] is not None:
        raise NodeportError(
            "hosts have no labels, so -l selects none of them",
            hint="kubectl nodeport get -l SELECTOR lists rules with their hosts",
        )
    named = options["ssh_config"]
    file = ConfigFile(named_config_path(named))
    seen = command(file, options["context"], options["namespace"])
    found = seen.entries
    if not (found or seen.left) and options["output"] not in ("json", "yaml"):
        report.tell(f"No hosts found in {ssh_files.config_name(named)}.")
    output.write(
        options["output"],
        text=lambda: render.table(found, wide=options["output"] == "wide"),
        document=lambda: render.host_list(found),
        names=lambda: render.names(found),
        hint=_NOTHING_LOST,
    )
    if seen.left is not None:
        raise seen.left
