"""What the verbs that connect have in common: their flags, and the way to the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kubectl_nodeport.cli import argv, common, flags
from kubectl_nodeport.cli.connection import connection_flags

if TYPE_CHECKING:
    from kubectl_nodeport.commands.connect import Connected

F = TypeVar("F", bound=Callable[..., Any])


def connect_flags(command: F) -> F:
    """Give a verb the flags that say to what is connected, and how."""
    for option in (
        common.one_pod,
        common.ssh_port,
        common.node_port,
        click.option(
            "--address",
            type=flags.Address(),
            help="The only address to try; found by itself if empty.",
        ),
        click.option(
            "--via",
            type=click.Choice(["auto", "nodeport", "tunnel"]),
            default="auto",
            help="How the pod is reached: by a NodePort, by a tunnel through the API server, or "
            "auto, which takes the tunnel where no NodePort answers.",
        ),
        common.container,
        common.rule_name,
        common.ssh_user,
        common.identity,
        common.host,
        click.option(
            "--ssh-config",
            type=flags.FilePath(exists=False),
            help="The ssh configuration file to write; ~/.ssh/config if empty.",
        ),
        click.option(
            "--include",
            cls=argv.OptionalValue,
            no_value="true",
            type=bool,
            help="Keep the Host entries in a file of their own, which the ssh configuration file "
            "includes in its first lines; =false moves them back. Stays as it was if empty.",
        ),
        click.option(
            "--accept-new-host-key",
            is_flag=True,
            help="Pin the host key that answers although nobody vouches for it, as where the "
            "rights to pods/exec and pods/portforward are missing. A key that the entry has is "
            "never replaced so.",
        ),
        click.option(
            "--authorize-key",
            cls=argv.OptionalValue,
            no_value="",
            type=flags.FilePath(exists=True, or_empty=True),
            help="Add a public key to the user's authorized_keys in the pod, if it is not there: "
            "that of the file after =, else the one that ssh would offer. A pod that is replaced "
            "gets it again, from connect.",
        ),
        click.option(
            "--with-sshd",
            cls=argv.OptionalValue,
            no_value="true",
            type=bool,
            help="Where nothing listens on the ssh port, start an ssh server of kubectl "
            "nodeport's own in the container, as its user, for your ssh key alone. It needs sh "
            "there, and no root. disconnect ends it; after a restart of the container connect "
            "starts it again. A terminal is asked where this is left out; =false starts none.",
        ),
        common.timeout(None),
        connection_flags,
    ):
        command = option(command)
    return command


def connected(
    target: str | None, options: Mapping[str, Any], notes: Sequence[str] = ()
) -> Connected:
    """Connect as these flags say; what is worth telling is told on stderr.

    :param target: as it was typed; without one a terminal shows a list to choose from.
    :param notes: what is worth telling besides.
    :raises NodeportError: there is no target, or it cannot be connected to.
    """
    from kubectl_nodeport.cli import picker, wiring
    from kubectl_nodeport.cli.doctor_hint import pointing_to_doctor
    from kubectl_nodeport.commands.connect import ConnectRequest, connect

    named = wiring.target(target, options)
    with wiring.world(options) as edges:
        wanted = named or picker.ask_target(edges, options["ssh_user"])
        wiring.warm_up(edges)
        edges.notes.extend(notes)
        request = ConnectRequest(
            target=wanted,
            rule_name=options["name"],
            port=options["port"],
            node_port=options["node_port"],
            address=options["address"],
            via=options["via"],
            container=options["container"],
            identity_file=options["identity"],
            host=options["host"],
            timeout_s=options["timeout"],
            dry_run=options.get("dry_run") == "client",
            with_sshd=options["with_sshd"],
            authorize_key=options["authorize_key"],
            accept_new_host_key=options["accept_new_host_key"],
        )
        with pointing_to_doctor(wanted, edges.connection.namespace):
            return connect(request, edges)


def check_found_by_ssh(done: Connected, ssh_config: str | None) -> None:
    """Before ssh is run, or what runs it.

    :raises NodeportError: the entry stands in a file that the configuration does not include yet.
    """
    from kubectl_nodeport.cli.ssh_files import config_name
    from kubectl_nodeport.errors import NodeportError

    lies = done.lies
    if lies.missing:
        raise NodeportError(
            f"ssh does not find {done.entry.alias} yet: {config_name(ssh_config)} is read-only, "
            f"and does not include {lies.own}",
            hint=f"add this line by hand, as its first, and run this again: {lies.missing}",
        )
