"""TARGET on the command line, ``[USER@]NAME`` or ``[USER@]pod/NAME``, and what to say of a typo."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from kubectl_nodeport.errors import NodeportError

_POD_KINDS = ("pod", "pods", "po")

# A DNS subdomain, the longest that Kubernetes takes as a pod's name.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Target:
    """A pod by name, and the user to log in as, if one was given."""

    name: str
    user: str | None = None


def parse(text: str, user_flag: str | None = None) -> Target:
    """Read ``[USER@]TARGET``, and the user that a flag may name instead.

    :raises NodeportError: it is no pod, no name that a pod can have, or has two users.
    """
    user, at, rest = text.rpartition("@")
    kind, slash, name = rest.partition("/")
    if not slash:
        kind, name = "pod", rest
    if kind.lower() not in _POD_KINDS:
        raise NodeportError(
            f"{rest} is not a pod, and connect takes a pod by its name",
            hint="kubectl get pods lists them",
        )
    if not _NAME.fullmatch(name):
        raise NodeportError(
            f'"{name}" is not a name that a pod can have', hint="kubectl get pods lists them"
        )
    if at and not user:
        raise NodeportError(f'"{text}" has no user before the @', hint=f"connect USER@{name}")
    if user and user_flag and user != user_flag:
        raise NodeportError(
            f"two users are given: {user} and {user_flag}", hint=f"give one: connect {user}@{name}"
        )
    return Target(name, user_flag or user or None)


def near_matches(name: str, names: Iterable[str]) -> list[str]:
    """The names that were perhaps meant, best first, three at most."""
    known = list(names)
    starting = [other for other in known if other.startswith(name)]
    close = difflib.get_close_matches(name, known, n=3)
    return list(dict.fromkeys([*starting, *close]))[:3]
