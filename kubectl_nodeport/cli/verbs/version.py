"""version on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from kubectl_nodeport.about import about
from kubectl_nodeport.cli import help, output
from kubectl_nodeport.cli.connection import connection_flags
from kubectl_nodeport.cli.render.document import API_VERSION
from kubectl_nodeport.errors import NodeportError

if TYPE_CHECKING:
    from kubectl_nodeport.about import About

# Whoever asks for a version does not wait for a cluster that is off.
_REQUEST_TIMEOUT_S = 5.0


@click.command(
    "version",
    cls=help.Command,
    short_help="Print the version",
    usage="version [options]",
    examples="""
    # Print the version of this plugin, and of what it is made of
    kubectl nodeport version

    # The same for a script, with the version of the server
    kubectl nodeport version -o json

    # Without it: no cluster is asked
    kubectl nodeport version -o json --client
    """,
    help="""
    Print the version of this plugin, the commit it was made from, and the versions of Python and
    of the kubernetes package that it runs with.

    With -o json or yaml that of the API server comes with them, if it answers.
    """,
)
@click.option(
    "-o",
    "--output",
    "chosen",
    type=click.Choice(["text", "json", "yaml"]),
    default="text",
    help="Output format: text, json or yaml.",
)
@click.option("--client", is_flag=True, help="Print the plugin's own versions only.")
@connection_flags
def version(chosen: str, client: bool, **options: Any) -> None:
    """Print the version."""
    this = about()
    is_server_asked = chosen != "text" and not client
    server = _server(options) if is_server_asked else ""
    output.write(
        chosen,
        text=lambda: _text(this),
        document=lambda: _document(this, server),
        names=list,
        hint="kubectl nodeport --version",
    )


def _text(this: About) -> str:
    return (
        f"kubectl-nodeport {this.version}\n"
        f"commit {this.commit}\n"
        f"Python {this.python}\n"
        f"kubernetes package {this.kubernetes}"
    )


def _document(this: About, server: str) -> dict[str, str]:
    own = {
        "apiVersion": API_VERSION,
        "kind": "Version",
        "version": this.version,
        "commit": this.commit,
        "python": this.python,
        "kubernetesPackage": this.kubernetes,
    }
    return {**own, "server": server} if server else own


def _server(options: Mapping[str, Any]) -> str:
    """The server's version; "" where it is not told, with a note why."""
    from kubectl_nodeport.cli import report, wiring
    from kubectl_nodeport.commands.server_version import server_version

    limit = options["request_timeout_s"]
    within = {**options, "request_timeout_s": _REQUEST_TIMEOUT_S if limit is None else limit}
    try:
        with wiring.server(within) as api:
            return server_version(api)
    except NodeportError as err:
        report.tell(f"note: the server's version is not known: {err.message}")
        return ""
