"""What doctor asks of this machine."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from kubectl_nodeport.commands.doctor.case import Machine
from kubectl_nodeport.ssh import openssh
from kubectl_nodeport.ssh.location import named_config_path


def machine(ssh_config: str | None) -> Machine:
    """This machine, and the ssh configuration file that is meant."""

    def settings(host: str) -> Mapping[str, list[str]]:
        named = named_config_path(ssh_config) if ssh_config else None
        config = named if named and named.exists() else None
        (answer,) = openssh.effective([openssh.Question(config, host)])
        return answer

    return Machine(openssh.version, settings, _interfaces)


def _interfaces() -> Sequence[str]:
    try:
        return [name for _, name in socket.if_nameindex()]
    except OSError:
        return ()
