"""Flags that several verbs have, in the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from kubectl_nodeport.cli import argv, flags, offers
from kubectl_nodeport.cli.help import PROGRAM
from kubectl_nodeport.errors import NodeportError

F = TypeVar("F", bound=Callable[..., Any])

node_port = click.option(
    "--node-port",
    type=flags.Number(1, 65535),
    help="The NodePort that the rule has to have; a free one if empty.",
)

ssh_port = click.option(
    "--port",
    type=flags.Port(),
    shell_complete=offers.ports,
    help="The port of the ssh server in the pod, by number or name; ssh, else 22, if empty.",
)

container = click.option(
    "-c", "--container", shell_complete=offers.containers, help="The container with the ssh server."
)

rule_name = click.option(
    "--name",
    default="ssh",
    shell_complete=offers.rules,
    help="The name of the rule: 1 to 20 lower-case letters.",
)

ssh_user = click.option("--ssh-user", help="Whom to log in as; the container's own user if empty.")

identity = click.option(
    "-i", "--identity", type=flags.FilePath(exists=True), help="The private key to offer."
)

host = click.option(
    "--host",
    shell_complete=offers.hosts,
    help="The alias of the Host entry; TARGET.NAMESPACE.CONTEXT if empty.",
)

dry_run = click.option(
    "--dry-run",
    cls=argv.OptionalValue,
    no_value="client",
    type=click.Choice(["none", "client"]),
    default="none",
    help='"none" or "client"; with client, say what would be done and do nothing.',
)


def timeout(default: str | None) -> Callable[[F], F]:
    """How long an address is waited for; without a default the environment decides."""
    how = "" if default else "; up to 60s if empty, less where the tunnel can take its place"
    return click.option(
        "--timeout",
        type=flags.Duration(),
        default=default,
        help=f"How long to wait for an address to answer{how}.",
    )


ssh_config = click.option(
    "--ssh-config",
    type=flags.FilePath(exists=False),
    help="The ssh configuration file with the hosts; ~/.ssh/config if empty.",
)


def selector(help_text: str) -> Callable[[F], F]:
    """Pods by their labels in the place of TARGET."""
    return click.option("-l", "--selector", help=help_text)


one_pod = selector("Choose the pod by its labels, instead of by its name.")
pods = selector("Choose pods by their labels, instead of one by its name.")


def rule_names(what: str) -> Callable[[F], F]:
    """Rules by their names, as many as are meant."""
    return click.option(
        "--name",
        "names",
        multiple=True,
        shell_complete=offers.rules,
        help=f"{what}; may be given repeatedly.",
    )


def no_result(verb: str, *, hint: str) -> Callable[[F], F]:
    """Refuse connect's -o and --dry-run in words of their own, where a verb ends in a program.

    :param hint: where -o is right, if it was meant for that program.
    """

    def refuse(_ctx: click.Context, param: click.Parameter, value: object) -> None:
        if value is None:
            return
        if param.name == "output":
            why, instead = "it prints no result", hint
        else:
            why = "it cannot end in another program and do nothing"
            instead = f"see what it would do first: {PROGRAM} connect TARGET --dry-run"
        raise NodeportError(f"{', '.join(param.opts)} is no flag of {verb}: {why}", hint=instead)

    def option(*names: str, **kind: Any) -> Callable[[F], F]:
        help_text = f"Not for {verb}."
        return click.option(
            *names, hidden=True, expose_value=False, callback=refuse, help=help_text, **kind
        )

    def decorate(command: F) -> F:
        dry_run = option("--dry-run", cls=argv.OptionalValue, no_value="client")
        return option("-o", "--output")(dry_run(command))

    return decorate
