from __future__ import annotations

from typing import Any

import pytest

from kubectl_nodeport.cli.render.expose import as_text
from kubectl_nodeport.commands.expose import Opened
from kubectl_nodeport.rule.listed import Listed

SSH = Listed("ssh", "default", "pod/dev", ("dev",), 22, "TCP", "192.168.5.82", 31000, "nodeport-dev-ssh")  # fmt: skip  # noqa: E501
DNS = Listed("dns", "default", "", None, "dns", "UDP", "fd00::1", 31001, "dns", "other")
EVIL = Listed("a", "b", "pod/\x1b[2J\n", (), 1, "TCP", "\x07", 31002, "x\r\nerror: forged")


@pytest.mark.parametrize(
    ("listed", "more", "text"),
    [
        (
            (SSH,),
            {"change": "created", "answering": frozenset([31000])},
            "service/nodeport-dev-ssh created\n"
            "192.168.5.82:31000 leads to port 22 of pod/dev",
        ),
        (
            (SSH,),
            {"change": "unchanged", "answering": frozenset()},
            "service/nodeport-dev-ssh unchanged\n"
            "192.168.5.82:31000 leads to port 22 of pod/dev, but nothing answers there yet",
        ),
        (
            (SSH,),
            {"change": "created", "dry_run": True},
            "service/nodeport-dev-ssh would be created\n"
            "192.168.5.82:31000 leads to port 22 of pod/dev",
        ),
        (
            (DNS,),
            {"change": "changed", "became": "ClusterIP became NodePort", "answering": None},
            "service/dns changed: ClusterIP became NodePort\n"
            "[fd00::1]:31001 leads to port dns/UDP",
        ),
        (
            (DNS,),
            {"change": "unchanged"},
            "service/dns unchanged (made by others, used)\n"
            "[fd00::1]:31001 leads to port dns/UDP",
        ),
    ],
)  # fmt: skip
def test_text(listed: tuple[Listed, ...], more: dict[str, Any], text: str) -> None:
    assert as_text(Opened(listed, **more)) == text


def test_nothing_from_outside_moves_the_terminal() -> None:
    lines = as_text(Opened((EVIL,), "created")).split("\n")
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
