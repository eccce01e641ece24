"""YAML and JSON as kubectl's libraries read them.

kubectl reads YAML 1.1 with rules of its own (https://pkg.go.dev/go.yaml.in/yaml/v2), PyYAML with
others: for the one a bare ``y`` is a boolean and ``12:30`` a text, for the other it is the reverse.
Only which plain words are no text is of interest here, since a field has one type.
"""

from __future__ import annotations

import functools
import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

_TAG = "tag:yaml.org,2002:"
_TRUE = ("y", "yes", "true", "on")
# In the order in which they are tried; each with the characters that its words begin with.
_PLAIN_WORDS = (
    ("bool", r"[yY]|yes|Yes|YES|true|True|TRUE|on|On|ON", "yYtToO"),
    ("bool", r"[nN]|no|No|NO|false|False|FALSE|off|Off|OFF", "nNfFoO"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("float", r"\.(?:nan|NaN|NAN)|[-+]?\.(?:inf|Inf|INF)", ".-+"),
    ("int", r"[-+]?0(?:[bB][01_]+|[oO]?[0-7_]*|[xX][0-9a-fA-F_]+)", "-+0"),
    ("int", r"[-+]?[0-9][0-9_]*", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?", ".-+0123456789"),
    ("merge", r"<<", "<"),
)


class NotYamlError(ValueError):
    """Text that is no YAML; as a string the place, ``, line 3``, where that is known."""


def parse(content: bytes) -> object:
    """The first document of a file.

    :raises UnicodeDecodeError: the content is no UTF-8 text.
    :raises NotYamlError: it is no YAML.
    """
    text = content.decode("utf-8")
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)  # with tabs, which PyYAML does not take between the words
        except (ValueError, RecursionError):
            pass  # YAML's flow style also begins like this
    import yaml  # late: completion and help need no kubeconfig

    try:
        return next(iter(yaml.load_all(text, Loader=_loader())), None)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as err:
        # TypeError: a map as a key; ValueError: a number with too many digits; AttributeError: a
        # tag on a value that cannot have it. The library's own words may quote a secret.
        where = getattr(err, "problem_mark", None)
        raise NotYamlError(f", line {where.line + 1}" if where else "") from None


@functools.cache
def _loader() -> type[yaml.SafeLoader]:
    import yaml

    base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("Loader", (base,), {"yaml_implicit_resolvers": {}})
    for kind, words, first in _PLAIN_WORDS:
        loader.add_implicit_resolver(_TAG + kind, re.compile(rf"(?:{words})\Z"), list(first))
    loader.add_constructor(f"{_TAG}bool", lambda made, node: _bool(made.construct_scalar(node)))
    for kind in ("int", "float"):
        loader.add_constructor(_TAG + kind, lambda made, node: _number(made.construct_scalar(node)))
    made: type[yaml.SafeLoader] = loader
    return made


def _bool(word: str) -> bool:
    return word.lower() in _TRUE


def _number(word: str) -> int | float | str:
    plain = word.replace("_", "").lower()
    if plain.lstrip("+-") in (".inf", ".nan"):
        return math.nan if "n" in plain[-1] else float(plain.replace(".", ""))
    for read in (functools.partial(int, base=0), functools.partial(int, base=8), float):
        try:
            number: int | float = read(plain)
        except ValueError:
            continue
        return number
    return word
