"""What connect prints: the result as text or JSON. Pure."""

from __future__ import annotations

import shlex
from typing import Any

from kubectl_nodeport.address.resolution import Attempt, Proof
from kubectl_nodeport.cli.render.document import API_VERSION
from kubectl_nodeport.cli.render.terminal import safe
from kubectl_nodeport.commands.connect import Connected, Way
from kubectl_nodeport.commands.login_key import KeyState
from kubectl_nodeport.commands.vouch import Voucher
from kubectl_nodeport.editor import CODE
from kubectl_nodeport.ssh.known_hosts import HostKey


def as_text(done: Connected, config: str) -> str:
    """The result for a reader: what was made, what answered, and the next command.

    :param config: the ssh configuration file, as the user would name it.
    """
    lines = [*_rule_lines(done), *_answer_lines(done), _entry_line(done, config)]
    if done.preview:
        lines += ["", *done.preview.rstrip("\n").split("\n")]
    if not _changes(done):
        lines.append("nothing would change" if done.dry_run else "nothing changed")
    if not done.dry_run:
        lines += ["", *_next_lines(done, config)]
    return "\n".join(safe(line, keep="\t") for line in lines)


def news(done: Connected, config: str) -> list[str]:
    """What is new, for somebody who asked for something else; nothing where nothing changed.

    :param config: as for :func:`as_text`.
    """
    is_new = done.way.exposed is not None and done.way.exposed.made_now
    lines = _rule_lines(done) if is_new else []
    if done.entry_change != "unchanged":
        lines += [*_answer_lines(done), _entry_line(done, config)]
    return lines


def as_document(done: Connected, config: str) -> dict[str, Any]:
    """The result for a program, one object; the fields are documented in docs/output.md."""
    exposed, entry, answer = done.way.exposed, done.entry, done.way.answer
    key = done.login_key.key
    return {
        "apiVersion": API_VERSION,
        "kind": "Connection",
        "host": entry.alias,
        "via": "tunnel" if entry.is_tunnel else "nodeport",
        "address": None if entry.is_tunnel else entry.hostname,
        "port": None if entry.is_tunnel else entry.port,
        "user": entry.user,
        "context": done.context,
        "namespace": done.pod.namespace,
        "pod": done.pod.name,
        "container": done.container.name,
        "containerPort": done.port,
        "service": None
        if exposed is None
        else {"name": exposed.service, "change": _rule_change(done), "ours": exposed.ours},
        "hostKeys": [
            {"type": k.type, "fingerprint": k.fingerprint} for k in done.way.host_keys.keys
        ],
        "hostKeysFrom": done.way.host_keys.voucher.value,
        "answered": done.way.key is not None,
        "proof": answer.proof.value if answer else None,
        "candidates": [candidate(attempt) for attempt in done.way.attempts],
        "dryRun": done.dry_run,
        "sshConfig": {"path": config, "change": _entry_change(done)},
        "loginKey": {
            "state": done.login_key.state.value,
            "type": key.type if key else None,
            "fingerprint": key.fingerprint if key else None,
        },
        "vscodeLacks": None
        if done.vscode_lacks is None
        else [{"need": lack.need, "detail": lack.words} for lack in done.vscode_lacks],
        "notes": list(done.notes),
    }


def candidate(attempt: Attempt) -> dict[str, Any]:
    """One address that was tried, for a program."""
    return {
        "address": attempt.candidate.address,
        "reason": attempt.candidate.reason,
        "result": attempt.outcome.verdict.value,
        "detail": attempt.outcome.text,
        "seconds": round(attempt.took_s, 3),
    }


def _next_lines(done: Connected, config: str) -> list[str]:
    commands = [f"  {command}" for command in next_commands(done, config)]
    if not done.lies.missing:
        return ["Connect with:", *commands]
    first = f"{config} is read-only. Add this line by hand, as its first:"
    return [first, f"  {done.lies.missing}", "", "Then connect with:", *commands]


def next_commands(done: Connected, config: str) -> list[str]:
    """What to type now: ssh, and VS Code on the user's home folder."""
    alias = done.entry.alias
    other = "" if config == "~/.ssh/config" else f"-F {shlex.quote(config)} "
    commands = [f"ssh {other}{alias}"]
    if not other:
        commands.append(shlex.join(CODE.words("code", alias, done.home)))
    return commands


def _changes(done: Connected) -> bool:
    rule = "unchanged" if done.way.exposed is None else _rule_change(done)
    is_let_in = done.login_key.state not in (KeyState.ADDED, KeyState.WOULD_BE_ADDED)
    return (rule, _entry_change(done), is_let_in) != ("unchanged", "unchanged", True)


def _rule_change(done: Connected) -> str:
    if done.way.exposed is not None and done.way.exposed.made_now:
        return "created"
    return "would be created" if done.dry_run and done.way.answer is None else "unchanged"


def _entry_change(done: Connected) -> str:
    if done.dry_run and done.entry_change != "unchanged":
        return f"would be {done.entry_change}"
    return done.entry_change


def _entry_line(done: Connected, config: str) -> str:
    file = done.lies.own or config
    return f"host/{done.entry.alias} {_entry_change(done)} in {file}, user {done.entry.user}"


def _rule_lines(done: Connected) -> list[str]:
    exposed = done.way.exposed
    if exposed is None:
        return []
    whose = "" if exposed.ours or _rule_change(done) != "unchanged" else " (made by others, used)"
    port = f"NodePort {exposed.node_port}"
    if _rule_change(done) == "would be created":
        port = f"NodePort {exposed.node_port} if it is free"
    return [
        f"service/{exposed.service} {_rule_change(done)}{whose}: "
        f"{port} leads to port {exposed.rule.port} of pod/{done.pod.name}"
    ]


def _proves(way: Way, proof: Proof) -> str:
    if proof is Proof.HOST_KEY:
        return "with a host key that was made in this container"
    arrives = ", and connections there arrive in this pod" if proof is Proof.CONNECTION else ""
    return f"with a host key {_WHOSE[way.host_keys.voucher]}{arrives}"


_WHOSE = {
    Voucher.EXEC: "that the pod has",
    Voucher.PORT_FORWARD: "that the pod has",
    Voucher.ENTRY: "that the Host entry has",
    Voucher.NOBODY: "for which nobody vouches",
}


def _answer_lines(done: Connected) -> list[str]:
    way = done.way
    if way.key is None and done.entry.is_tunnel:
        return [f"port {done.port} of pod/{done.pod.name} would be reached through the API server"]
    if way.key is None:
        return [f"{done.entry.hostname} would be tried first"]
    if way.answer is None:
        where = f"port {done.port} of pod/{done.pod.name} answers through the API server"
        return [f"{where}, with a host key that the pod has", f"  {_key_line(way.key)}"]
    address = way.answer.candidate.address
    where = f"[{address}]" if ":" in address else address
    return [
        f"{where}:{way.answer.port} answers {_proves(way, way.answer.proof)}",
        f"  {_key_line(way.key)}",
    ]


def _key_line(key: HostKey) -> str:
    return f"{key.type} {key.fingerprint}"
