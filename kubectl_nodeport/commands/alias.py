"""Under which name a rule's Host entry stands, and whose it is."""

from __future__ import annotations

from kubectl_nodeport.commands.edges import Edges
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection
from kubectl_nodeport.rule.rule import Exposed, Rule
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.names import alias_for, alias_with_hash
from kubectl_nodeport.ssh.origin import Origin, identity_of


def choose_alias(rule: Rule, edges: Edges, asked: str | None) -> tuple[str, HostEntry | None]:
    """The alias to write, and our entry of that name if there is one.

    :raises NodeportError: the name is somebody else's, or leads to another cluster by now.
    """
    connection = edges.connection
    aliases = {entry.alias: entry for entry in edges.hosts.entries()}
    identity = identity_of(connection.identity, rule.namespace, rule.target, rule.name)
    alias = asked or alias_for(rule.target, rule.namespace, connection.context)
    holder = aliases.get(alias)
    if holder is not None and holder.origin.identity != identity:
        if asked or _is_same_but_cluster(holder.origin, rule, connection.context):
            raise _leads_elsewhere(holder, connection)
        alias = alias_with_hash(alias, identity)
        holder = aliases.get(alias)
    if holder is None and edges.hosts.declares(alias):
        raise NodeportError(
            f"the ssh configuration already has a Host {alias} that kubectl nodeport did not make",
            hint="choose another name with --host",
        )
    return alias, holder


def _is_same_but_cluster(origin: Origin, rule: Rule, context: str) -> bool:
    return (origin.context, origin.namespace, origin.target, origin.rule) == (
        context,
        rule.namespace,
        rule.target,
        rule.name,
    )


class AnotherTargetError(NodeportError):
    """The alias is that of an entry for another target."""


def _leads_elsewhere(holder: HostEntry, connection: Connection) -> AnotherTargetError:
    origin = holder.origin
    is_moved = origin.context == connection.context and origin.cluster != connection.identity
    then = ", which was another cluster then" if is_moved else ""
    keep_rule = " --keep-rule" if is_moved else ""  # its cluster is asked in vain
    return AnotherTargetError(
        f"the Host entry {holder.alias} leads to {origin.target} in the namespace "
        f'"{origin.namespace}" of the context "{origin.context}"{then}',
        hint="choose another name with --host, or take that host away first: "
        f"kubectl nodeport disconnect {holder.alias}{keep_rule}",
    )


def origin_of(rule: Rule, edges: Edges, exposed: Exposed | None, pod_uid: str) -> Origin:
    """What the entry of a rule keeps for later commands."""
    connection, kept = edges.connection, edges.kept()
    return Origin(
        cluster=connection.identity,
        context=connection.context,
        has_context=connection.has_context,
        kubeconfig=connection.kubeconfig_paths,
        namespace=rule.namespace,
        target=rule.target,
        pod_uid=pod_uid,
        rule=rule.name,
        service=exposed.service if exposed else "",
        creation=exposed.id if exposed else "",
        made_rule=exposed.made_now if exposed else False,
        flags=kept.flags,
        plugin_folder=kept.plugin_folder,
    )
