"""Entries hold nothing that the oldest OpenSSH client does not know; docs/openssh.md has why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh import include
from kubectl_nodeport.ssh.block import render
from kubectl_nodeport.ssh.names import MAX_VALUE_CHARS
from kubectl_nodeport.ssh.neutral import NEUTRAL
from tests.ssh.make import ALIAS, entry

DOCS = Path(__file__).parents[2] / "docs"
FLOOR = (7, 6)


def told() -> dict[str, tuple[int, ...]]:
    """The tables of the page: since which release ssh knows a keyword."""
    rows = re.findall(r"^\| (`[A-Z].*) \| (\d+)\.(\d+)(?: \(.*\))? \|$", page(), re.MULTILINE)
    return {
        keyword: (int(major), int(minor))
        for keywords, major, minor in rows
        for keyword in re.findall(r"`(\w+)`", keywords)
    }


def page() -> str:
    return (DOCS / "openssh.md").read_text()


def written() -> set[str]:
    """Every keyword that an entry, or the config beside it, may hold."""
    every = tuple(NEUTRAL)
    forms = (
        entry(),
        entry(identity_file="/id", cancel_proxy=True, neutral=every),
        entry(hostname=ALIAS, program=("/bin/kubectl-nodeport", "proxy")),
    )
    lines = [line for form in forms for line in form.lines[1:]]
    return {line.split()[0] for line in [*lines, include.line("/home/me/config")]}


def test_the_page_has_every_keyword_that_is_written_and_no_other() -> None:
    assert set(told()) == written()


def test_none_is_younger_than_the_oldest_client() -> None:
    assert max(told().values()) == FLOOR
    for name in ("../README.md", "openssh.md", "doctor.md"):
        assert "7.6" in (DOCS / name).read_text(), name


def test_no_line_is_longer_than_the_oldest_client_reads() -> None:
    """The longest values there may be, in letters of four bytes each."""
    wide = "\N{GRINNING FACE}"
    path = "/" + wide * (MAX_VALUE_CHARS - 1)
    program = "/" + wide * (MAX_VALUE_CHARS - len(f"/'' {ALIAS}"))
    forms = (
        entry(known_hosts_file=path, identity_file=path),
        entry(hostname=ALIAS, program=(program,)),
    )
    lengths = [len(line.encode()) for form in forms for line in render(form)]
    assert 3600 < max(lengths) <= 4095
    for longer in ({"identity_file": path + "a"}, {"hostname": ALIAS, "program": (program + "a",)}):
        with pytest.raises(NodeportError, match="cannot be written"):
            entry(**longer)


def test_what_is_never_written_is_younger() -> None:
    (never,) = re.findall(r"^Never written(?:.*\n)+?\n", page(), re.MULTILINE)
    versions = dict(re.findall(r"`(\w+)` \((\d+\.\d+)\)", never))
    assert versions == {"SetEnv": "7.8", "KnownHostsCommand": "8.5", "SessionType": "8.7"}
    assert not written() & set(versions)
