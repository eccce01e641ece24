"""Which of a person's public keys is meant, where one is to be let in: never guessed."""

from __future__ import annotations

from collections.abc import Sequence

from kubectl_nodeport.commands.edges import Edges, Offered
from kubectl_nodeport.errors import NodeportError


def kept(offered: Sequence[Offered], before: str) -> tuple[Offered, ...]:
    """The key that an earlier run has let in, if ssh still offers it; else all of them.

    :param before: it, as ``TYPE BASE64``; "" for none.
    """
    return tuple(one for one in offered if one.key.openssh == before) or tuple(offered)


def chosen(
    edges: Edges, offered: Sequence[Offered], *, question: str, purpose: str, hint: str
) -> Offered:
    """The only one of some keys, else the one that a person chooses.

    :raises NodeportError: there are several, and nobody to ask; ``purpose`` says what for.
    """
    if len(offered) == 1:
        return offered[0]
    if edges.choose is None:
        raise NodeportError(
            f"ssh would offer several keys, and {purpose}: {named(offered)}", hint=hint
        )
    return offered[edges.choose(question, [_named(one) for one in offered])]


def named(offered: Sequence[Offered]) -> str:
    """The keys, for people."""
    return ", ".join(_named(one) for one in offered)


def _named(one: Offered) -> str:
    return f"{one.where} ({one.key.type} {one.key.fingerprint})"
