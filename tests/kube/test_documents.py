"""Plain words as kubectl takes them; kubectl itself is asked in test_config_kubectl.py."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.kube.documents import NotYamlError, parse


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("y", True),
        ("No", False),
        ("on", True),
        ("yES", "yES"),
        ("~", None),
        ("", None),
        ("nul", "nul"),
        ("2024-01-01", "2024-01-01"),
        ("2024-99-99", "2024-99-99"),
        ("12:30:45", "12:30:45"),
        ("=", "="),
        ("12", 12),
        ("1_000", 1000),
        ("010", 8),
        ("08", 8.0),
        ("0x1F", 31),
        ("0b11", 3),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("'12'", "12"),
        ("abc", "abc"),
    ],
)
def test_plain_words(written: str, read: object) -> None:
    found = parse(f"word: {written}\n".encode())
    assert found == {"word": read}
    assert isinstance(found, dict)
    assert type(found["word"]) is type(read)


def test_not_a_number() -> None:
    found = parse(b"word: .NaN")
    assert isinstance(found, dict)
    assert math.isnan(found["word"])


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (b"", None),
        (b"# nothing\n", None),
        (b'{\n\t"a": [1, "x"]\n}', {"a": [1, "x"]}),
        (b"{a: b}", {"a": "b"}),
        (b"a: 1\n---\nb: 2\n", {"a": 1}),
        (b"a: 1\na: 2\n", {"a": 2}),
        (b"\xef\xbb\xbfa: 1\n", {"a": 1}),
        (b"a: &x {c: d}\nb: {<<: *x, e: f}\n", {"a": {"c": "d"}, "b": {"c": "d", "e": "f"}}),
    ],
)
def test_documents(content: bytes, read: object) -> None:
    assert parse(content) == read


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"a: 1\nb: ]\n", ", line 2"),
        (b"[" * 5000, ", line 1"),
        (b"? {a: b}\n: c", ", line 1"),
        (b"a: !!python/object/apply:os.system [x]", ", line 1"),
        (b"\x00\x01", ""),
    ],
)
def test_what_is_no_yaml_says_where(content: bytes, place: str) -> None:
    with pytest.raises(NotYamlError) as caught:
        parse(content)
    assert str(caught.value) == place


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(NotYamlError, UnicodeDecodeError):
        parse(content)
