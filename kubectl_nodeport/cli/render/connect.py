"""What connect prints: the result as text or JSON. Pure."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import quote

from kubectl_nodeport.cli.render.terminal import safe
from kubectl_nodeport.commands.connect import Connected
from kubectl_nodeport.ssh.known_hosts import HostKey


def as_text(done: Connected, config: str) -> str:
    """The result for a reader: what was made, what answered, and the next command.

    :param config: the ssh configuration file, as the user would name it.
    """
    lines = [_rule_line(done), *_address_lines(done)]
    lines.append(
        f"host/{done.entry.alias} {_entry_change(done)} in {config}, user {done.entry.user}"
    )
    if done.preview:
        lines += ["", done.preview.rstrip("\n")]
    if (_rule_change(done), _entry_change(done)) == ("unchanged", "unchanged"):
        lines.append("nothing would change" if done.dry_run else "nothing changed")
    if not done.dry_run:
        lines += ["", "Connect with:", *(f"  {command}" for command in next_commands(done, config))]
    return safe("\n".join(lines), keep="\n\t")


def as_document(done: Connected, config: str) -> dict[str, Any]:
    """The result for a program, one object; the fields are documented in docs/output.md."""
    exposed, entry, answer = done.exposed, done.entry, done.answer
    return {
        "apiVersion": "kubectl-nodeport/v1",
        "kind": "Connection",
        "host": entry.alias,
        "address": entry.hostname,
        "port": entry.port,
        "user": entry.user,
        "context": done.context,
        "namespace": done.pod.namespace,
        "pod": done.pod.name,
        "container": done.container.name,
        "containerPort": exposed.rule.port,
        "service": {"name": exposed.service, "change": _rule_change(done), "ours": exposed.ours},
        "hostKeys": [{"type": k.type, "fingerprint": k.fingerprint} for k in done.host_keys],
        "answered": answer is not None,
        "dryRun": done.dry_run,
        "sshConfig": {"path": config, "change": _entry_change(done)},
        "notes": list(done.notes),
    }


def next_commands(done: Connected, config: str) -> list[str]:
    """What to type now: ssh, and VS Code on the user's home folder."""
    alias = done.entry.alias
    other = "" if config == "~/.ssh/config" else f"-F {shlex.quote(config)} "
    commands = [f"ssh {other}{alias}"]
    if not other:
        folder = f"--folder-uri vscode-remote://ssh-remote+{alias}{quote(done.home)}"
        commands.append(f"code {folder if done.home else f'--remote ssh-remote+{alias}'}")
    return commands


def _rule_change(done: Connected) -> str:
    if done.exposed.made_now:
        return "created"
    return "would be created" if done.dry_run and done.answer is None else "unchanged"


def _entry_change(done: Connected) -> str:
    if done.dry_run and done.entry_change != "unchanged":
        return f"would be {done.entry_change}"
    return done.entry_change


def _rule_line(done: Connected) -> str:
    exposed = done.exposed
    whose = "" if exposed.ours or _rule_change(done) != "unchanged" else " (made by others, used)"
    port = f"NodePort {exposed.node_port}"
    if _rule_change(done) == "would be created":
        port = f"NodePort {exposed.node_port} if it is free"
    return (
        f"service/{exposed.service} {_rule_change(done)}{whose}: "
        f"{port} leads to port {exposed.rule.port} of pod/{done.pod.name}"
    )


def _address_lines(done: Connected) -> list[str]:
    if done.answer is None:
        return [f"{done.entry.hostname} would be tried first"]
    address = done.answer.candidate.address
    where = f"[{address}]" if ":" in address else address
    return [
        f"{where}:{done.answer.port} answers with a host key that the pod has",
        f"  {_key_line(done.answer.key)}",
    ]


def _key_line(key: HostKey) -> str:
    return f"{key.type} {key.fingerprint}"
