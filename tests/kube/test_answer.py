"""What is said of answers that hold no object."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.kube.answer import instead_of_object, object_of, shown, status_of


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b" \r\n", ""),
        ("", ""),
        (b"404 page not found\n", 'text, "404 page not found"'),
        ("upstream  connect\nerror", 'text, "upstream connect error"'),
        ("größer", 'text, "größer"'),
        (b"<html><title>502 Bad\nGateway</title></html>", 'a web page, "502 Bad Gateway"'),
        (b"<!DOCTYPE HTML>\n<HTML><TITLE lang=en>A &amp; B</TITLE>", 'a web page, "A & B"'),
        (b"<title><b>x</b> y</title>", 'a web page, "x y"'),
        (b"<html><title></title><body><h1>Sign in</h1>", 'a web page, "Sign in"'),
        (b"<html><style>a{}</style><!-- c --><script>x<1</script>hi", 'a web page, "hi"'),
        (b"<html>", "a web page"),
        (b"<html><title>\x1b[2J\x07</title>hi", 'a web page, "[2J"'),
        (b"<html><title>caf\xe9</title>", 'a web page, "caf\ufffd"'),
        (b"<b>bold</b> text", 'text, "<b>bold</b> text"'),
        (b"\x1f\x8b\x08\x00", "something that is no text"),
        (b"\xff\xfe", "something that is no text"),
        ("a\u202eb", "something that is no text"),
        ("x" * 500, f'text, "{"x" * 160}…"'),
        # A letter that is cut at the end of what is looked at.
        (b"a" * ((16 << 10) - 1) + "ä".encode(), f'text, "{"a" * 160}…"'),
    ],
)
def test_words(body: bytes | str, words: str) -> None:
    assert shown(body) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "nothing"),
        (b"[1]", "JSON that is no object"),
        (b"null", "JSON that is no object"),
        (b' {"a":', "damaged JSON"),
        (b"[" * 100_000, "damaged JSON"),
        (b"<html><title>Log in</title>", 'a web page, "Log in"'),
    ],
)
def test_what_is_there_instead(body: bytes, words: str) -> None:
    assert object_of(body) is None
    assert instead_of_object(body) == words


@pytest.mark.parametrize("body", [b"", b"[1]", b"null", b'"x"', b"{", b"[" * 100_000, b"\xff"])
def test_no_status(body: bytes) -> None:
    assert status_of(body) == {}


def test_object_and_status() -> None:
    assert object_of(b'{"a": 1}') == {"a": 1}
    assert status_of(b'{"message": "no"}') == {"message": "no"}


@given(st.one_of(st.text(), st.binary(), st.text("<>/ahtmlbodytitle!-"), st.just("<html><title>")))
def test_words_are_short_and_printable(body: bytes | str) -> None:
    words = shown(body)
    assert words.isprintable()
    assert len(words) < 200
    text = body if isinstance(body, str) else body.decode(errors="replace")
    assert bool(words) == bool(text.strip())


@given(st.binary())
def test_either_an_object_or_words(body: bytes) -> None:
    if object_of(body) is None:
        assert instead_of_object(body)


@given(st.dictionaries(st.text(), st.text()))
def test_every_object_is_read(document: dict[str, str]) -> None:
    assert object_of(json.dumps(document).encode()) == document


@pytest.mark.parametrize("piece", ["<script", "<title>", "<!--", "<title ", "<", "&", "<head>"])
def test_hostile_page_takes_no_time(piece: str) -> None:
    before = time.process_time()
    shown("<html>" + piece * 200_000)
    assert time.process_time() - before < 0.5
