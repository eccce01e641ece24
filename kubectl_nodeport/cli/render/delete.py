"""What delete prints: a line for each rule, as kubectl has it. Pure."""

from __future__ import annotations

from typing import Any

from kubectl_nodeport.cli.render import rules
from kubectl_nodeport.cli.render.terminal import one_line
from kubectl_nodeport.commands.delete import Deleted


def as_text(done: Deleted) -> str:
    """What is gone; "" for nothing."""
    would = "would be " if done.dry_run else ""
    lines = [
        f'rule "{one.name}" of {one.target or f"service/{one.service}"} {would}deleted'
        for one in done.rules
    ]
    if done.closed is not None:
        verb = "would be" if done.dry_run else "is"
        lines.append(f"service/{done.closed.name} {verb} of type {done.closed.kind} again")
    return "\n".join(map(one_line, lines))


def as_document(done: Deleted) -> dict[str, Any]:
    """The rules as get lists them; a Service that was changed back is that Service."""
    if done.closed is None:
        return rules.rule_list(done.rules)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": done.closed.name, "namespace": done.closed.namespace},
        "spec": {"type": done.closed.kind},
    }


def names(done: Deleted) -> list[str]:
    """The Services that were deleted or changed, as kubectl names them."""
    if done.closed is not None:
        return [f"service/{done.closed.name}"]
    return rules.names(done.rules)
