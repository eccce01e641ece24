"""All checks, in the order in which they are made: what others rest on comes first."""

from __future__ import annotations

from kubectl_nodeport.commands.doctor import (
    address,
    authorized_keys,
    container,
    editor_libraries,
    editor_space,
    editor_tools,
    forwarding,
    host_keys,
    inside,
    kubeconfig,
    login,
    network_policy,
    node,
    optional_rights,
    platform,
    pod,
    rights,
    rule,
    server,
    ssh_client,
    ssh_config,
    ssh_keys,
    sshd,
    sshd_port,
)
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check

ALL: tuple[Check[Case], ...] = (
    *(kubeconfig.CHECK, server.CHECK, rights.CHECK, optional_rights.CHECK),
    *(ssh_client.CHECK, ssh_config.CHECK),
    *(pod.CHECK, container.CHECK, inside.CHECK),
    *(sshd.CHECK, sshd_port.CHECK, login.CHECK, forwarding.CHECK),
    *(ssh_keys.CHECK, authorized_keys.FILE, authorized_keys.KEY, ssh_config.ENTRY),
    *(host_keys.CHECK, rule.CHECK, node.CHECK, address.CHECK, network_policy.CHECK),
    *(editor_libraries.CHECK, editor_tools.CHECK, editor_space.CHECK),
    platform.CHECK,
)


def of(*, has_target: bool) -> tuple[Check[Case], ...]:
    """The checks that can be made; without a target those that are about no pod."""
    return tuple(check for check in ALL if has_target or not check.of_target)
