"""What sync prints: a line for each host. Pure."""

from __future__ import annotations

from typing import Any

from kubectl_nodeport.cli.render import changes
from kubectl_nodeport.cli.render.terminal import one_line, safe
from kubectl_nodeport.commands.sync import Checked, Synced


def as_text(done: Synced) -> str:
    """What became of each host; in a dry run the change to the file as a diff."""
    text = "\n".join(one_line(_line(one, done)) for one in done.hosts)
    if done.preview:
        text += "\n\n" + safe(done.preview.rstrip("\n"), keep="\n\t")
    return text


def as_document(done: Synced) -> dict[str, Any]:
    """The hosts for a program."""
    return changes.change_list(
        [
            changes.change(
                one.entry,
                {
                    "change": one.change,
                    "detail": _detail(one),
                    "service": one.entry.origin.service or None,
                    "serviceChange": None,
                    "serviceDetail": None,
                    "sshServerChange": None,
                    "dryRun": done.dry_run,
                },
            )
            for one in done.hosts
        ]
    )


def names(done: Synced) -> list[str]:
    """The aliases of what was changed, or would be."""
    changed = [one for one in done.hosts if one.change in ("updated", "removed")]
    return [f"host/{one.entry.alias}" for one in changed]


def _line(one: Checked, done: Synced) -> str:
    name = f"host/{one.entry.alias}"
    if one.change == "left":
        return f"{name} left as it is"  # why is an error, on stderr
    if one.change == "unchanged":
        return f"{name} unchanged"
    would = "would be " if done.dry_run else ""
    return f"{name} {would}{one.change}: {one.told}"


def _detail(one: Checked) -> str | None:
    return one.failure.message if one.failure else one.told or None
