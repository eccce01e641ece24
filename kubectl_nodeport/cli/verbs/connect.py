"""connect on the command line."""

from __future__ import annotations

from typing import Any

import click

from kubectl_nodeport.cli import argv, common, flags, help, offers, output
from kubectl_nodeport.cli.connection import connection_flags


@click.command(
    "connect",
    cls=help.Command,
    short_help="Make a pod reachable by ssh under an alias of its own",
    usage="connect [USER@]TARGET [options]",
    examples="""
    # Make the pod dev reachable by ssh, and show it in VS Code's Remote-SSH host picker
    kubectl nodeport connect dev

    # Log in as another user than the container's own, with a key of your choice
    kubectl nodeport connect ubuntu@dev -i ~/.ssh/work

    # The pod of a deployment; with one replica the host follows it when it is replaced
    kubectl nodeport connect deploy/api

    # A pod in another namespace, whose ssh server listens on port 2222
    kubectl nodeport connect dev -n lab --port 2222

    # A pod without an ssh server: bring one along, for your key alone
    kubectl nodeport connect dev --with-sshd

    # Open nothing: go through the API server
    kubectl nodeport connect dev --via tunnel

    # Keep all entries in a file of their own; one Include line in ~/.ssh/config leads to it
    kubectl nodeport connect dev --include

    # Say what would be done, and do nothing
    kubectl nodeport connect dev --dry-run
    """,
    help="""
    Make a pod reachable by ssh under an alias of its own.

    A NodePort Service exposes the pod's ssh port. The addresses at which it may answer from this
    machine are tried; the one that proves to be the pod goes into a Host entry of ~/.ssh/config,
    with its host keys pinned. Where none answers, the Service is removed again and the entry goes
    through the API server. Running it again changes nothing, or repairs what has changed.

    TARGET is a pod, or deploy/NAME, sts/NAME, ds/NAME, rs/NAME, job/NAME or svc/NAME for one of
    its pods, the one that kubectl exec takes. Without it, a terminal shows a list to choose from.
    """,
)
@click.argument("target", metavar="[USER@]TARGET", required=False, shell_complete=offers.targets)
@common.one_pod
@click.option(
    "--port",
    type=flags.Port(),
    shell_complete=offers.ports,
    help="The port of the ssh server in the pod, by number or name; ssh, else 22, if empty.",
)
@common.node_port
@click.option(
    "--address",
    type=flags.Address(),
    help="The only address to try; found by itself if empty.",
)
@click.option(
    "--via",
    type=click.Choice(["auto", "nodeport", "tunnel"]),
    default="auto",
    help="How the pod is reached: by a NodePort, by a tunnel through the API server, or auto, "
    "which takes the tunnel where no NodePort answers.",
)
@click.option(
    "-c",
    "--container",
    shell_complete=offers.containers,
    help="The container with the ssh server.",
)
@click.option(
    "--name",
    default="ssh",
    shell_complete=offers.rules,
    help="The name of the rule: 1 to 20 lower-case letters.",
)
@click.option("--ssh-user", help="Whom to log in as; the container's own user if empty.")
@click.option(
    "-i", "--identity", type=flags.FilePath(exists=True), help="The private key to offer."
)
@click.option(
    "--host",
    shell_complete=offers.hosts,
    help="The alias to write; POD.NAMESPACE.CONTEXT if empty.",
)
@click.option(
    "--ssh-config",
    type=flags.FilePath(exists=False),
    help="The ssh configuration file to write; ~/.ssh/config if empty.",
)
@click.option(
    "--include",
    cls=argv.OptionalValue,
    no_value="true",
    type=bool,
    help="Keep the Host entries in a file of their own, which the ssh configuration file includes "
    "in its first lines; =false moves them back. Stays as it was if empty.",
)
@click.option(
    "--accept-new-host-key",
    is_flag=True,
    help="Pin the host key that answers although nobody vouches for it, as where the rights to "
    "pods/exec and pods/portforward are missing. A key that the entry has is never replaced so.",
)
@click.option(
    "--with-sshd",
    is_flag=True,
    help="Where nothing listens on the ssh port, start an ssh server of kubectl nodeport's own in "
    "the container, as its user, for your ssh key alone. It needs sh there, and no root. "
    "disconnect ends it; after a restart of the container connect starts it again.",
)
@common.timeout(None)
@common.dry_run
@output.option()
@connection_flags
def connect(target: str, **options: Any) -> None:  # fmt: skip
    """Parse what was typed, run the command, print its result."""
    from kubectl_nodeport.cli import picker, wiring
    from kubectl_nodeport.cli.doctor_hint import pointing_to_doctor
    from kubectl_nodeport.cli.render import connect as render
    from kubectl_nodeport.commands.connect import ConnectRequest
    from kubectl_nodeport.commands.connect import connect as command

    named = wiring.target(target, options)
    with wiring.world(options) as edges:
        wanted = named or picker.ask_target(edges, options["ssh_user"])
        wiring.warm_up(edges)
        edges.notes.extend(wiring.editor_notes(options["ssh_config"]))
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
            dry_run=options["dry_run"] == "client",
            with_sshd=options["with_sshd"] or None,
            accept_new_host_key=options["accept_new_host_key"],
        )
        with pointing_to_doctor(wanted, edges.connection.namespace):
            done = command(request, edges)
    config = wiring.config_name(options["ssh_config"])
    output.write(
        options["output"],
        text=lambda: render.as_text(done, config),
        document=lambda: render.as_document(done, config),
        names=lambda: [f"host/{done.entry.alias}"],
        hint=f"the Host entry stands: ssh {done.entry.alias}",
    )
