from __future__ import annotations

import pytest

from kubectl_nodeport.ssh.reader import Option, literal_hosts, options, split_lines


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


@pytest.mark.parametrize(
    ("line", "keyword", "rest"),
    [
        ("User me", "user", "me"),
        ("\t USER\tme \r", "user", "me"),
        ("user=me", "user", "me"),
        ("User = me", "user", "me"),
        ("User == me", "user", "= me"),
        ("User= =me", "user", "=me"),
        ('"User" me', "user", "me"),
        ('Us"er" me', "user", "me"),
        ('User "a b"', "user", '"a b"'),
        ("=User me", "user", "me"),
        ("IdentityFile2 x", "identityfile", "x"),
        ("User a\0b", "user", "a"),
        ("User", "user", ""),
        ("\N{KELVIN SIGN}eepAlive yes", "\N{KELVIN SIGN}eepalive", "yes"),
    ],
)
def test_an_option_line(line: str, keyword: str, rest: str) -> None:
    assert list(options(f"\n{line}\n")) == [Option(2, keyword, rest)]


@pytest.mark.parametrize("line", ["", " ", "#User a", "  # User a", '"User a', "\r", "= =x", '""'])
def test_no_option_line(line: str) -> None:
    assert list(options(f"{line}\nPort 1\n")) == [Option(2, "port", "1")]


def test_lines_end_at_line_feeds_only() -> None:
    text = "a\x0bb\x85c\u2028\r\rd\ne"
    assert split_lines(text) == ["a\x0bb\x85c\u2028\r\rd\n", "e"]
