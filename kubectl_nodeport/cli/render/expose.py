"""What expose prints: where each port is reached. Pure."""

from __future__ import annotations

from kubectl_nodeport.cli.render.terminal import one_line
from kubectl_nodeport.commands.expose import Opened
from kubectl_nodeport.rule.listed import Listed


def as_text(opened: Opened) -> str:
    """What was done, and a line ``address:nodePort`` for each port that is open."""
    first = opened.listed[0]
    what = f"service/{first.service} {_change(opened)}"
    if not (first.ours or opened.became):
        what += " (made by others, used)"
    if opened.became:
        what += f": {opened.became}"
    return "\n".join([one_line(what), *(one_line(_port(opened, one)) for one in opened.listed)])


def _change(opened: Opened) -> str:
    would = opened.dry_run and opened.change != "unchanged"
    return f"would be {opened.change}" if would else opened.change


def _port(opened: Opened, one: Listed) -> str:
    host = f"[{one.address}]" if ":" in one.address else one.address or "?"
    protocol = "" if one.protocol == "TCP" else f"/{one.protocol}"
    target = f" of {one.target}" if one.target else ""
    line = f"{host}:{one.node_port} leads to port {one.port}{protocol}{target}"
    asked = opened.answering is not None and one.protocol == "TCP"
    if asked and one.node_port not in (opened.answering or ()):
        line += ", but nothing answers there yet"
    return line
