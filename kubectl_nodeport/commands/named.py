"""Which Host entries are meant: by alias, by target, by the labels of their pods, or all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.commands.find import pods, read
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.target import Target, near_matches, parse
from kubectl_nodeport.kube.workload import KINDS, Workload
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.origin import Origin

# The world of the command line's own context; raises NodeportError where there is none.
Here = Callable[[], Edges]


@dataclass(frozen=True, slots=True)
class Named:
    """How entries are named on the command line.

    :ivar words: aliases, or targets in the command line's context and namespace.
    :ivar context: limits ``all`` to this one, as ``namespace`` does.
    """

    words: tuple[str, ...] = ()
    selector: str = ""
    all: bool = False
    context: str | None = None
    namespace: str | None = None


def chosen(named: Named, entries: Sequence[HostEntry], here: Here) -> tuple[HostEntry, ...]:
    """The entries that are meant, in the order of the file.

    No cluster is asked for an alias, for ``all``, nor for a target that an entry was made for.

    :raises NodeportError: nothing is named, or two things; a word is no host's.
    """
    _check(named)
    if named.all:
        return within(entries, named.context, named.namespace)
    if named.selector:
        found = _of_pods(_near(entries, here()), pods(here(), named.selector))
        if not found:
            raise _none(f"-l '{named.selector}'", "no pod with these labels has a host", [])
    else:
        found = [entry for word in named.words for entry in _of_word(word, entries, here)]
    aliases = {entry.alias for entry in found}
    return tuple(entry for entry in entries if entry.alias in aliases)


def within(
    entries: Sequence[HostEntry], context: str | None, namespace: str | None
) -> tuple[HostEntry, ...]:
    """The entries of a context or namespace, where one is given."""
    return tuple(
        entry
        for entry in entries
        if context in (None, entry.origin.context) and namespace in (None, entry.origin.namespace)
    )


def no_host(alias: str, entries: Sequence[HostEntry]) -> NodeportError:
    """There is no host of this alias."""
    return _none(alias, f"there is no host {alias}", [entry.alias for entry in entries])


def _check(named: Named) -> None:
    given = [bool(named.words), bool(named.selector), named.all]
    if sum(given) > 1:
        raise NodeportError(
            "hosts are named in two ways", hint="give names, or -l SELECTOR, or --all"
        )
    if not any(given):
        raise NodeportError(
            "which host is to be disconnected?",
            hint="name it: kubectl nodeport disconnect HOST, one that kubectl nodeport get hosts "
            "lists; or take all: kubectl nodeport disconnect --all",
        )


def _of_word(word: str, entries: Sequence[HostEntry], here: Here) -> list[HostEntry]:
    for entry in entries:
        if entry.alias == word:
            return [entry]
    target = parse(word)
    try:
        edges = here()
        near = _near(entries, edges)
        found = [entry for entry in near if _is_for(entry, target)]
        if not found and target.kind != "pod":
            found = _of_pods(near, _pods_of(target, edges))
    except NodeportError as err:
        raise NodeportError(
            f"there is no host {word}, and what {target} is cannot be found out: {err.message}",
            hint=no_host(word, entries).hint,
        ) from err
    if not found:
        names = [name for entry in near for name in (entry.origin.target, entry.origin.typed)]
        place = f'in the namespace "{edges.connection.namespace}"'
        known = [*(entry.alias for entry in entries), *names]
        raise _none(word, f"there is no host {word}, nor one of {target} {place}", known)
    return found


def _near(entries: Sequence[HostEntry], edges: Edges) -> list[HostEntry]:
    """Those of the command line's context and namespace, also where the context has a new name."""
    return [entry for entry in entries if _is_near(entry.origin, edges.connection)]


def _is_near(origin: Origin, connection: Connection) -> bool:
    is_here = connection.context == origin.context or connection.identity == origin.cluster
    return is_here and origin.namespace == connection.namespace


def _is_for(entry: HostEntry, target: Target) -> bool:
    return entry.origin.target == str(target) and target.user in (None, entry.user)


def _pods_of(target: Target, edges: Edges) -> list[Pod]:
    kind = KINDS[target.kind]
    workload = Workload.of(kind, read(edges, kind, target.name))
    return pods(edges, workload.selector) if workload.selector else []


def _of_pods(entries: Sequence[HostEntry], found: Sequence[Pod]) -> list[HostEntry]:
    names, uids = {f"pod/{pod.name}" for pod in found}, {pod.uid for pod in found}
    return [
        entry for entry in entries if entry.origin.target in names or entry.origin.pod_uid in uids
    ]


def _none(word: str, message: str, known: Sequence[str]) -> NodeportError:
    near = near_matches(word, known)
    look = "kubectl nodeport get hosts lists them"
    return NodeportError(message, hint=f"did you mean: {', '.join(near)}" if near else look)
