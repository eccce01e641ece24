"""version on the command line."""

from __future__ import annotations

import click

from kubectl_nodeport import __version__
from kubectl_nodeport.cli import help


@click.command(
    "version",
    cls=help.Command,
    short_help="Print the version",
    usage="version",
    examples="""
    # Print the version of this plugin
    kubectl nodeport version
    """,
    help="Print the version of this plugin.",
)
def version() -> None:
    """Print the version."""
    click.echo(f"kubectl-nodeport {__version__}")
