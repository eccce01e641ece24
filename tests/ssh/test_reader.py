from __future__ import annotations

import pytest

from kubectl_nodeport.ssh.reader import keywords, literal_hosts, split_lines


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Host a b", ["a", "b"]),
        ("  host=a", ["a"]),
        ("HOST = a b\r", ["a", "b"]),
        ('Host "a" b', ["a", "b"]),
        ('"Host" a', ["a"]),
        ("Host a * b? !c d", ["a", "d"]),
        ("Host a # b", ["a"]),
        ("# Host a", []),
        ("Hostname a", []),
        ("HostKeyAlias a", []),
        ("Match host a", []),
        ("Host", []),
        ("\tHost\ta\tb", ["a", "b"]),
    ],
)
def test_literal_hosts(line: str, names: list[str]) -> None:
    assert list(literal_hosts(f"User x\n{line}\n  Port 1\n")) == names


def test_keywords_come_with_their_lines() -> None:
    text = '# c\nUser=me\r\n\n  Port 22\n"Host" a b\n#Port 1\n'
    assert list(keywords(text)) == [(2, "user"), (4, "port"), (5, "host")]


def test_lines_end_at_line_feeds_only() -> None:
    text = "a\x0bb\x85c\u2028\r\rd\ne"
    assert split_lines(text) == ["a\x0bb\x85c\u2028\r\rd\n", "e"]
