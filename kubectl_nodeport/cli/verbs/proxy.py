"""proxy on the command line."""

from __future__ import annotations

import click

from kubectl_nodeport.cli import flags, help, offers
from kubectl_nodeport.cli.connection import connection_flags


@click.command(
    "proxy",
    cls=help.Command,
    hidden=True,
    short_help="Carry standard input and output to the pod behind a host",
    usage="proxy ALIAS [options]",
    examples="""
    # As ssh runs it for the ProxyCommand of a Host entry
    kubectl nodeport proxy dev.default.docker-desktop

    # By hand, for a host that connect reaches through a NodePort otherwise
    ssh -o ProxyCommand='kubectl-nodeport proxy dev.default.orbstack' dev.default.orbstack
    """,
    help="""
    Carry standard input and output to the pod behind a host, through the API server.

    ALIAS is a Host entry that connect wrote. Which cluster is asked, and as whom, stands there;
    of the other connection flags only -v counts.
    """,
)
@click.argument("alias", shell_complete=offers.hosts)
@click.option(
    "--ssh-config",
    type=flags.FilePath(exists=False),
    help="The ssh configuration file with the host; ~/.ssh/config if empty.",
)
@connection_flags
def proxy(alias: str, ssh_config: str | None, verbosity: int, **_others: object) -> None:
    """Carry."""
    from kubectl_nodeport.cli import tunnel

    tunnel.carry(ssh_config, alias, verbosity=verbosity)
