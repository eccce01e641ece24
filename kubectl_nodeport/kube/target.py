"""TARGET on the command line, ``[USER@][KIND/]NAME`` or ``-l``, and what to say of a typo. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube import selector as selectors
from kubectl_nodeport.kube.workload import KINDS, Kind, kind_of

# A DNS subdomain, the longest that Kubernetes takes as a name.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Target:
    """What was named: an object by kind and name, or pods by a selector; and whom to log in as.

    ``kind`` is a name in kube.workload.KINDS. Where ``selector`` is not "", ``name`` is.
    """

    name: str = ""
    user: str | None = None
    kind: str = "pod"
    selector: str = ""

    def __str__(self) -> str:
        """As kubectl would take it."""
        return f"-l '{self.selector}'" if self.selector else f"{self.kind}/{self.name}"


def parse(text: str | None, user_flag: str | None = None, selector: str | None = None) -> Target:
    """Read ``[USER@]TARGET``, and the user and the selector that flags may give.

    With a selector, TARGET may be ``USER@`` alone.

    :raises NodeportError: nothing is named, or two things; the kind is not known; no object can
        have the name; the selector is malformed; there are two users.
    """
    user, at, rest = (text or "").rpartition("@")
    if at and not user:
        raise NodeportError(f'"{text}" has no user before the @', hint=f"name one: USER@{rest}")
    if user and user_flag and user != user_flag:
        raise NodeportError(
            f"two users are given: {user} and {user_flag}", hint=f"give one: {user}@{rest}"
        )
    user_given = user_flag or user or None
    wanted = selectors.checked(selector or "")
    if wanted and rest:
        raise NodeportError(
            f"both a name and a selector are given: {rest} and -l {wanted}",
            hint="give one of them",
        )
    if wanted:
        return Target(user=user_given, selector=wanted)
    if text is None:
        raise NodeportError(
            "a pod is needed", hint="name one: kubectl get pods lists them, -l selects by label"
        )
    kind, name = _named(rest)
    return Target(name, user_given, kind.name)


def is_name(text: str) -> bool:
    """Whether an object can have the name."""
    return _NAME.fullmatch(text) is not None


def near_matches(name: str, names: Iterable[str]) -> list[str]:
    """The names that were perhaps meant, best first, three at most."""
    known = list(names)
    starting = [other for other in known if other.startswith(name)]
    close = difflib.get_close_matches(name, known, n=3)
    return list(dict.fromkeys([*starting, *close]))[:3]


def _named(text: str) -> tuple[Kind, str]:
    word, slash, name = text.partition("/")
    if not slash:
        word, name = "pod", text
    kind = kind_of(word)
    if kind is None:
        raise _unknown_kind(text, word)
    if not is_name(name):
        raise NodeportError(
            f'"{name}" is not a name that a {kind.name} can have',
            hint=f"kubectl get {kind.resource} lists them",
        )
    return kind, name


def _unknown_kind(text: str, word: str) -> NodeportError:
    near = near_matches(word.lower().partition(".")[0], KINDS) if word else []
    meant = f"did you mean {near[0]}? " if near else ""
    *most, last = KINDS
    return NodeportError(
        f'"{text}": "{word}" is not a kind that can be a target',
        hint=f"{meant}The kinds are {', '.join(most)} and {last}",
    )
