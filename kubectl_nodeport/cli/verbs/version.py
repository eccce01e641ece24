"""version on the command line."""

from __future__ import annotations

import click

from kubectl_nodeport import __version__
from kubectl_nodeport.cli import help, output
from kubectl_nodeport.cli.connection import connection_flags
from kubectl_nodeport.cli.render.document import API_VERSION


@click.command(
    "version",
    cls=help.Command,
    short_help="Print the version",
    usage="version [options]",
    examples="""
    # Print the version of this plugin
    kubectl nodeport version

    # The same for a script
    kubectl nodeport version -o json
    """,
    help="Print the version of this plugin. No cluster is asked.",
)
@click.option(
    "-o",
    "--output",
    "chosen",
    type=click.Choice(["text", "json", "yaml"]),
    default="text",
    help="Output format: text, json or yaml.",
)
@connection_flags
def version(chosen: str, **_options: object) -> None:
    """Print the version."""
    document = {
        "apiVersion": API_VERSION,
        "kind": "Version",
        "version": __version__,
    }
    output.write(
        chosen,
        text=lambda: f"kubectl-nodeport {__version__}",
        document=lambda: document,
        names=list,
        hint="kubectl nodeport --version",
    )
