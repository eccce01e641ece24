"""Whether an entry of ours takes effect among the user's own lines. Pure: answers of ssh -G.

Why an option is refused, told, taken back or left alone: docs/shadowing.md.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.neutral import NEUTRAL

if TYPE_CHECKING:  # what reads along with ssh is needed only where a line is to be named
    from kubectl_nodeport.ssh.winner import Place

Options = Mapping[str, list[str]]

# What decides where ssh goes, as whom, and by which keys it knows the pod.
_DECISIVE = (
    "hostname",
    "port",
    "user",
    "hostkeyalias",
    "userknownhostsfile",
    "globalknownhostsfile",
    "stricthostkeychecking",
    "controlpath",
)
# The rest of an entry is comfort: losing it is worth a warning.
_LESSER = ("checkhostip", "serveraliveinterval")
_PROXY = ("proxycommand", "proxyjump")
_YES = ("yes", "true")
_FORWARDS = ("localforward", "remoteforward", "dynamicforward")


@dataclass(frozen=True, slots=True)
class Shadowed:
    """An option that something else than the entry decides.

    :param keyword: in lower case.
    :param value: what ssh uses instead, empty when the option is unset.
    :param is_decisive: whether an entry without it is not worth having.
    :param harm: what follows for the entry, where it is no option of its own.
    :param place: the line that sets it, None where that is not known.
    """

    keyword: str
    value: str
    is_decisive: bool
    harm: str = ""
    place: Place | None = None


def shadowed(entry: HostEntry, alone: Options, among: Options) -> tuple[Shadowed, ...]:
    """What keeps the entry from working among the user's lines, decisive options first.

    :param alone: ssh's answer for a file with our block only.
    :param among: its answer for the whole file.
    """
    lesser = (*_LESSER, "identitiesonly") if entry.identity_file else _LESSER
    found = [
        Shadowed(keyword, _value(among, keyword), is_decisive)
        for keywords, is_decisive in ((_DECISIVE + _PROXY, True), (lesser, False))
        for keyword in keywords
        if alone.get(keyword) != among.get(keyword)
    ]
    # Identity files add up: ours must be among them, others do no harm (IdentitiesOnly is listed).
    own = alone.get("identityfile", []) if entry.identity_file else []
    if missing := set(own) - set(among.get("identityfile", [])):
        found.append(Shadowed("identityfile", ", ".join(sorted(missing)) + " left out", True))
    found.extend(_harmful(entry, among))
    # A jump unsets a command of ours: what is set has a line that can be named.
    return tuple(sorted(found, key=lambda one: (not one.is_decisive, not one.value)))


def inherited(entry: HostEntry, by_default: Options, *, has_proxy: bool) -> tuple[Shadowed, ...]:
    """What reaches the entry from below it, be it the system's file.

    :param by_default: ssh's answer where it chose its files itself, the entry not in them yet.
    :param has_proxy: whether the answer's proxy, or none, is the entry's own doing.
    """
    found = [one for one in _harmful(entry, by_default) if one.keyword not in entry.neutral]
    proxies = [keyword for keyword in _PROXY if keyword in by_default and not has_proxy]
    found.extend(Shadowed(keyword, _value(by_default, keyword), True) for keyword in proxies)
    return tuple(found)


def remedied(entry: HostEntry, found: Iterable[Shadowed]) -> HostEntry | None:
    """The entry with what can be taken back taken back; None when nothing of it can, or is left."""
    keywords = {*entry.neutral, *(option.keyword for option in found)}
    better = dataclasses.replace(
        entry,
        cancel_proxy=entry.cancel_proxy or not (entry.is_tunnel or keywords.isdisjoint(_PROXY)),
        neutral=tuple(keyword for keyword in NEUTRAL if keyword in keywords),
    )
    return None if better == entry else better


def kept(entry: HostEntry, old: HostEntry) -> HostEntry:
    """The entry with what its older self takes back: that cannot be seen while it does."""
    return dataclasses.replace(
        entry,
        # A tunnel's own ProxyCommand stands in the place of what would be inherited.
        cancel_proxy=entry.cancel_proxy or (old.cancel_proxy and not entry.is_tunnel),
        neutral=tuple(keyword for keyword in NEUTRAL if keyword in (*entry.neutral, *old.neutral)),
    )


def changed(before: Iterable[Options], after: Iterable[Options]) -> int | None:
    """Index of the first host for which ssh would do something else than before."""
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        if old != new:
            return index
    return None


def _harmful(entry: HostEntry, options: Options) -> Iterator[Shadowed]:
    """Options that no entry has, or only to take them back, and that do it harm."""
    rules = (_of_the_way, _of_host_keys, _of_what_is_run, _of_forwarding, _of_identity)
    for rule in rules:
        for keyword, harm, is_decisive in rule(entry, options):
            yield Shadowed(keyword, _value(options, keyword), is_decisive, harm)


_Rule = Iterator[tuple[str, str, bool]]


def _of_the_way(entry: HostEntry, options: Options) -> _Rule:
    if _value(options, "canonicalizehostname") not in ("", "no", "false"):
        yield "canonicalizehostname", "the name may become another one", False
    if entry.is_tunnel:
        if _value(options, "proxyusefdpass") in _YES:
            yield "proxyusefdpass", "the tunnel cannot hand over a socket", True
        return
    family = _family(entry.hostname)
    if family and _value(options, "addressfamily") not in ("", "any", family):
        yield "addressfamily", f"{entry.hostname} is not reached with it", True
    for keyword in ("bindaddress", "bindinterface"):
        if keyword in options:
            yield keyword, f"{entry.hostname} may not be reached from there", False


def _of_host_keys(entry: HostEntry, options: Options) -> _Rule:
    dns = _value(options, "verifyhostkeydns")
    if dns not in ("", "no", "false") and _family(entry.hostname) is None:
        yield "verifyhostkeydns", "it would vouch for other host keys", True
    if _value(options, "updatehostkeys") in (*_YES, "ask"):
        yield "updatehostkeys", "ssh would write into the entry's host keys", False
    if "knownhostscommand" in options:
        yield "knownhostscommand", "it may vouch for other host keys", False


def _of_what_is_run(_: HostEntry, options: Options) -> _Rule:
    if "remotecommand" in options:
        yield "remotecommand", "it would keep rsync and every other command out", True
    if _value(options, "requesttty") in (*_YES, "force"):
        yield "requesttty", "a terminal breaks what rsync and editors send", False
    if _value(options, "sessiontype") not in ("", "default"):
        yield "sessiontype", "no shell and no command is run", False
    for keyword in ("stdinnull", "forkafterauthentication"):
        if _value(options, keyword) in _YES:
            yield keyword, "editors cannot talk to the host", False


def _of_forwarding(_: HostEntry, options: Options) -> _Rule:
    if _value(options, "clearallforwardings") in _YES:
        yield "clearallforwardings", "it would keep the ports of VS Code from being forwarded", True
    if _value(options, "exitonforwardfailure") in _YES and not options.keys().isdisjoint(_FORWARDS):
        yield "exitonforwardfailure", "a second connection would find its ports taken", False


def _of_identity(entry: HostEntry, options: Options) -> _Rule:
    if entry.identity_file is None:
        return
    if _value(options, "pubkeyauthentication") in ("no", "false"):
        yield "pubkeyauthentication", "the entry's key would not be offered", True
    methods = _value(options, "preferredauthentications")
    if methods and "publickey" not in methods.split(","):
        yield "preferredauthentications", "the entry's key is not offered", False


def _value(options: Options, keyword: str) -> str:
    return " ".join(options.get(keyword, []))


def _family(hostname: str) -> str | None:
    """``inet`` or ``inet6`` of a literal address; None for a name."""
    try:
        return "inet6" if ipaddress.ip_address(hostname.strip("[]")).version == 6 else "inet"
    except ValueError:
        return None
