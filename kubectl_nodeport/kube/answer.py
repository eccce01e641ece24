"""What the body of an answer holds, also where it does not come from an API server. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

# A web page tells its title early on; the rest is not looked through.
_HEAD = 16 << 10
_START = 4 << 10
_LONGEST_WORDS = 160

_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,1000}?)</title", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\s*<(?:!doctype html|html|head|body|title)\b", re.IGNORECASE)
_NOT_SHOWN = re.compile(
    r"<(?P<tag>script|style|head)\b.*?</(?P=tag)|<!--.*?--|<[^>]*", re.IGNORECASE | re.DOTALL
)


def object_of(body: bytes) -> Json | None:
    """The object in the body of an answer; None where there is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def instead_of_object(body: bytes) -> str:
    """What a body is in which an object was expected, in a few words."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        begun = body.lstrip().startswith((b"{", b"["))
        return "damaged JSON" if begun else shown(body) or "nothing"
    return "JSON that is no object"


def status_of(body: bytes | str) -> Mapping[str, Any]:
    """The Status in an answer that is not 2xx, empty where there is none.

    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return status if isinstance(status, Mapping) else {}


def shown(body: bytes | str) -> str:
    """What a body that is no Status is, with its own first words; "" where it is empty.

    A login page or a proxy that stands before the API server answers with web pages.
    """
    text = body if isinstance(body, str) else body[:_HEAD].decode(errors="replace")
    text = text[:_HEAD]
    if not text.strip():
        return ""
    if _PAGE.match(text):
        title = _TITLE.search(text)
        words = _plain(title[1]) if title else ""
        return _quoted("a web page", words or _plain(text[:_START]))
    start = text[:_START]
    if "\ufffd" in start or not all(c.isprintable() or c.isspace() for c in start):
        return "something that is no text"
    return _quoted("text", _short(text))


def _quoted(kind: str, words: str) -> str:
    return f'{kind}, "{words}"' if words else kind


def _plain(markup: str) -> str:
    """The words of a piece of HTML."""
    import html  # late: its table of names is long, and only failures need it

    spaced = _NOT_SHOWN.sub(" ", markup).replace(">", " ")
    return _short("".join(c if c.isprintable() else " " for c in html.unescape(spaced)))


def _short(text: str) -> str:
    line = " ".join(text[:_START].split())
    return line if len(line) <= _LONGEST_WORDS else f"{line[:_LONGEST_WORDS]}…"
