"""What disconnect prints: the rules and the entries that are gone. Pure."""

from __future__ import annotations

from typing import Any

from kubectl_nodeport.cli.render import changes
from kubectl_nodeport.cli.render.terminal import one_line, safe
from kubectl_nodeport.commands.disconnect import Disconnected, Parted
from kubectl_nodeport.commands.dismiss import Dismissed


def as_text(done: Disconnected, config: str) -> str:
    """A line for each rule and each entry; in a dry run the change to the file as a diff."""
    lines = [line for rule in done.rules for line in _rule_lines(rule, done)]
    lines += [line for server in done.servers for line in _server_lines(server, done)]
    verb = "would be removed" if done.dry_run else "removed"
    lines += [f"host/{entry.alias} {verb} from {config}" for entry in done.entries]
    text = "\n".join(map(one_line, lines))
    if done.preview:
        text += "\n\n" + safe(done.preview.rstrip("\n"), keep="\n\t")
    return text


def as_document(done: Disconnected) -> dict[str, Any]:
    """The entries for a program."""
    of = {entry.alias: rule for rule in done.rules for entry in rule.entries}
    served = {server.entry.alias: server.fate for server in done.servers}
    return changes.change_list(
        [
            changes.change(
                entry,
                {
                    "change": "removed",
                    "detail": None,
                    "service": entry.origin.service or None,
                    "serviceChange": of[entry.alias].fate if entry.alias in of else None,
                    "serviceDetail": _detail(of[entry.alias]) if entry.alias in of else None,
                    "sshServerChange": served.get(entry.alias),
                    "dryRun": done.dry_run,
                },
            )
            for entry in done.entries
        ]
    )


def names(done: Disconnected) -> list[str]:
    """The aliases, as connect names them."""
    return [f"host/{entry.alias}" for entry in done.entries]


def _rule_lines(rule: Parted, done: Disconnected) -> list[str]:
    name = f"service/{rule.origin.service}"
    if rule.fate == "deleted":
        return [f"{name} {'would be deleted' if done.dry_run else 'deleted'}"]
    if rule.fate == "kept":
        return [_stays(name, rule.told, done)]
    return []  # gone is not worth a word, and what is not known is an error


def _server_lines(server: Dismissed, done: Disconnected) -> list[str]:
    name = f"ssh server in {server.where}"
    if server.fate == "ended":
        return [f"{name} {'would end, if it lets in no other key' if done.dry_run else 'ended'}"]
    if server.fate == "kept":
        return [_stays(name, server.told, done)]
    return []


def _stays(name: str, told: str, done: Disconnected) -> str:
    return f"{name} {'would stay' if done.dry_run else 'stays'}: {told}"


def _detail(rule: Parted) -> str | None:
    return rule.failure.message if rule.failure else rule.told or None
