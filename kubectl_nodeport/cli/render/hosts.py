"""What ``get hosts`` prints: our Host entries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubectl_nodeport.cli.render import document
from kubectl_nodeport.cli.render.table import NONE, cell
from kubectl_nodeport.cli.render.table import table as aligned
from kubectl_nodeport.ssh.entry import HostEntry

_COLUMNS = ("HOST", "ADDRESS", "PORT", "USER", "CONTEXT", "NAMESPACE", "TARGET")
_TUNNEL = "<tunnel>"
_WIDE = ("RULE", "SERVICE", "IDENTITY")


def table(entries: Sequence[HostEntry], *, wide: bool = False) -> str:
    """The entries as kubectl would list them; "" where there is none."""
    if not entries:
        return ""
    headings = (*_COLUMNS, *(_WIDE if wide else ()))
    return aligned([headings, *(_row(entry, wide) for entry in entries)])


def names(entries: Sequence[HostEntry]) -> list[str]:
    """The aliases, as connect names them with -o name."""
    return [f"host/{entry.alias}" for entry in entries]


def host_list(entries: Sequence[HostEntry]) -> dict[str, Any]:
    """The entries for a program, in Kubernetes' form; docs/output.md explains the fields."""
    return document.listing("HostList", map(_host, entries))


def _row(entry: HostEntry, wide: bool) -> tuple[str, ...]:
    origin = entry.origin
    where = (_TUNNEL, NONE) if entry.is_tunnel else (entry.hostname, str(entry.port))
    cells = [entry.alias, *where, entry.user]
    cells += [origin.context, origin.namespace, origin.target]
    if wide:
        cells += [origin.rule, origin.service, entry.identity_file or ""]
    return tuple(cell(text) for text in cells)


def _host(entry: HostEntry) -> dict[str, Any]:
    origin = entry.origin
    return document.item(
        "Host",
        {"name": entry.alias},
        spec={
            "via": "tunnel" if entry.is_tunnel else "nodeport",
            "address": None if entry.is_tunnel else entry.hostname,
            "port": None if entry.is_tunnel else entry.port,
            "user": entry.user,
            "identityFile": entry.identity_file,
            "knownHostsFile": entry.known_hosts_file,
        },
        origin={
            "context": origin.context,
            "kubeconfig": list(origin.kubeconfig),
            "cluster": origin.cluster,
            "namespace": origin.namespace,
            "target": origin.target,
            "podUid": origin.pod_uid or None,
            "rule": origin.rule,
            "service": origin.service or None,
            "madeRule": origin.made_rule,
        },
    )
