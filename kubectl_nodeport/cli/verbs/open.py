"""open on the command line."""

from __future__ import annotations

from typing import Any

import click

from kubectl_nodeport.cli import common, connecting, flags, help, offers, output
from kubectl_nodeport.editor import EDITORS


@click.command(
    "open",
    cls=help.Command,
    short_help="Connect to a pod, then open an editor on it",
    usage="open [USER@]TARGET [options]",
    examples="""
    # Open VS Code, or the editor that is there, on the pod dev
    kubectl nodeport open dev

    # Another editor, and another folder than the one in which the container starts
    kubectl nodeport open dev --editor zed --folder /srv/api

    # The pod of a deployment, in another namespace
    kubectl nodeport open deploy/api -n lab
    """,
    help="""
    Connect to a pod as "kubectl nodeport connect" does, then open an editor on a folder there.

    The editor is the one in whose terminal this runs, else the first of code, code-insiders,
    codium, cursor, windsurf and zed that is on PATH. Where it is not, a URL is printed that opens
    the same. The folder is the one in which the container's commands start, else the user's home.
    """,
)
@click.argument("target", metavar="[USER@]TARGET", required=False, shell_complete=offers.targets)
@click.option(
    "--editor",
    type=click.Choice(list(EDITORS)),
    help=f"The editor: {', '.join(EDITORS)}; the one that is there if empty.",
)
@click.option(
    "--folder",
    type=flags.RemoteFolder(),
    help="The folder in the container, from / on; where its commands start if empty.",
)
@connecting.connect_flags
@common.no_result("open", hint="for the result: kubectl nodeport connect TARGET -o json")
def open_(target: str | None, editor: str | None, folder: str | None, **options: Any) -> int | None:
    """Parse what was typed, connect, and become the editor."""
    from kubectl_nodeport.cli import editors, handover, report, ssh_files
    from kubectl_nodeport.cli.render import connect as render_connect
    from kubectl_nodeport.cli.render import open as render
    from kubectl_nodeport.commands.open import opening

    found = editors.find(editor)
    done = connecting.connected(target, options)
    asked = opening(done, found, folder)
    for line in render_connect.news(done, ssh_files.config_name(options["ssh_config"])):
        report.tell(line)
    connecting.check_found_by_ssh(done, options["ssh_config"])
    report.tell_notes(editors.notes_on(found, done, options["ssh_config"]))
    if asked.words:
        report.tell(render.as_line(asked))
        return handover.become(asked.words, hint=f"open {asked.url} in {found.editor.title}")
    report.tell(f"note: {render.as_line(asked)}")
    output.write(
        "text",
        text=lambda: asked.url,
        document=dict,
        names=list,
        hint=f"the Host entry stands: ssh {asked.alias}",
    )
    return None
