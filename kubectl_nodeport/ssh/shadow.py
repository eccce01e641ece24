"""Whether an entry of ours takes effect among the user's own lines. Pure: two answers of ssh -G."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubectl_nodeport.ssh import reader

Options = Mapping[str, list[str]]

# What decides where ssh goes, as whom, and whether it knows the pod. The rest of an entry is
# comfort: losing it is worth a warning.
_DECISIVE = (
    "hostname",
    "port",
    "user",
    "hostkeyalias",
    "userknownhostsfile",
    "stricthostkeychecking",
)
_LESSER = (
    "globalknownhostsfile",
    "checkhostip",
    "controlpath",
    "serveraliveinterval",
    "identitiesonly",
)
# Not ours, but reached by us from anywhere in the file: more ways to vouch for a host key.
_INHERITED = ("knownhostscommand", "verifyhostkeydns")
_PROXY = ("proxycommand", "proxyjump")


@dataclass(frozen=True, slots=True)
class Shadowed:
    """An option of the entry that something else decides.

    :param keyword: in lower case.
    :param value: what ssh uses instead, empty when the option is unset.
    """

    keyword: str
    value: str
    is_decisive: bool


def shadowed(alone: Options, among: Options) -> tuple[Shadowed, ...]:
    """Where the entry among the user's lines differs from the entry alone, decisive ones first.

    :param alone: ssh's answer for a file with our block only.
    :param among: its answer for the whole file.
    """
    found = [
        Shadowed(keyword, " ".join(among.get(keyword, [])), is_decisive)
        for keywords, is_decisive in ((_DECISIVE + _PROXY, True), (_LESSER + _INHERITED, False))
        for keyword in keywords
        if alone.get(keyword) != among.get(keyword)
    ]
    # Identity files add up: ours must be among them, others do no harm (IdentitiesOnly is listed).
    if missing := set(_own_identities(alone)) - set(among.get("identityfile", [])):
        found.append(Shadowed("identityfile", ", ".join(sorted(missing)) + " left out", True))
    # A jump unsets a command of ours: what is set has a line that can be named.
    return tuple(sorted(found, key=lambda one: (not one.is_decisive, not one.value)))


def inherits_proxy(options: Options) -> bool:
    """Whether ssh would go through a ProxyCommand or ProxyJump."""
    return any(keyword in options for keyword in _PROXY)


def changed(before: Iterable[Options], after: Iterable[Options]) -> int | None:
    """Index of the first host for which ssh would do something else than before."""
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new:
            return index
    return None


def winning_line(text: str, keyword: str, block_start: int) -> str:
    """Where in this file the value that wins may come from, in words.

    ssh takes the first value that applies, so only lines above our block count, but for options
    that our entries do not set.

    :param block_start: number of the block's first line.
    """
    includes = []
    for line, found in reader.keywords(text):
        if line >= block_start and keyword not in _INHERITED:
            break
        if found == keyword:
            return f"line {line}"
        if found == "include":
            includes.append(str(line))
    if includes:
        return f"a file included in line {' or '.join(includes)}"
    return "another file"


def _own_identities(alone: Options) -> list[str]:
    # Without an IdentityFile of ours, ssh lists its defaults here, which a user's own replace.
    return alone.get("identityfile", []) if alone.get("identitiesonly") == ["yes"] else []
