"""options on the command line."""

from __future__ import annotations

import click

from kubectl_nodeport.cli import help
from kubectl_nodeport.cli.connection import connection_flags


@click.command(
    "options",
    cls=help.Command,
    hidden=True,  # as kubectl has it: each help text names it
    short_help="List the options that every command takes",
    usage="options",
    examples="""
    # List the options that every command takes
    kubectl nodeport options
    """,
    help="List the options that every command takes.",
)
@connection_flags
def options(**_options: object) -> None:
    """Print the list."""
    listed = help.described(help.global_options())
    click.echo(f"The following options can be passed to any command:\n\n{listed}")
