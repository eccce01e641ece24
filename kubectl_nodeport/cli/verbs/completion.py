"""completion on the command line."""

from __future__ import annotations

import click

from kubectl_nodeport.cli import help
from kubectl_nodeport.cli.connection import connection_flags

_SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command(
    "completion",
    cls=help.Command,
    short_help="Print the script that completes kubectl-nodeport in a shell",
    usage="completion SHELL",
    examples="""
    # bash: from now on in this shell; put the line into ~/.bashrc for every shell
    source <(kubectl nodeport completion bash)

    # bash 3.2, the one of macOS
    eval "$(kubectl nodeport completion bash)"

    # zsh: this shell, behind compinit; put the line into ~/.zshrc for every shell, or write a file
    source <(kubectl nodeport completion zsh)
    kubectl nodeport completion zsh > "${fpath[1]}/_kubectl-nodeport"

    # fish: this shell, and every shell
    kubectl nodeport completion fish | source
    kubectl nodeport completion fish > ~/.config/fish/completions/kubectl-nodeport.fish

    # PowerShell: this shell; put the line into the file that $PROFILE names for every shell
    kubectl nodeport completion powershell | Out-String | Invoke-Expression
    """,
    help="""
    Print the script that completes kubectl-nodeport in bash, zsh, fish or PowerShell.

    "kubectl nodeport" itself is completed by kubectl from 1.26 on: its own completion has to be
    loaded, and kubectl_complete-nodeport, which is installed with this program, be on PATH.
    """,
)
@click.argument("shell", type=click.Choice(_SHELLS))
@connection_flags
def completion(shell: str, **_options: object) -> None:
    """Print the script."""
    from kubectl_nodeport.cli.shells import SCRIPTS  # late: few ask for it

    click.echo(SCRIPTS[shell], nl=False)
