"""connect on the command line."""

from __future__ import annotations

from typing import Any

import click

from kubectl_nodeport.cli import common, connecting, help, offers, output


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

    # Add your public key to the user's authorized_keys in the pod
    kubectl nodeport connect dev --authorize-key

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
@connecting.connect_flags
@common.dry_run
@output.option()
def connect(target: str | None, **options: Any) -> None:
    """Parse what was typed, run the command, print its result."""
    from kubectl_nodeport.cli import editors, ssh_files
    from kubectl_nodeport.cli.render import connect as render

    notes = editors.other_configs(options["ssh_config"])
    done = connecting.connected(target, options, notes)
    config = ssh_files.config_name(options["ssh_config"])
    output.write(
        options["output"],
        text=lambda: render.as_text(done, config),
        document=lambda: render.as_document(done, config),
        names=lambda: [f"host/{done.entry.alias}"],
        hint=f"the Host entry stands: ssh {done.entry.alias}",
    )
