"""The ways to the pod as commands see them, each telling what is being waited for."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from kubectl_nodeport.address import knock as at_door
from kubectl_nodeport.address.local import is_bound_beyond_loopback, own_lan_address
from kubectl_nodeport.address.resolution import Budget, Resolution, Sought
from kubectl_nodeport.address.resolution import Progress as News
from kubectl_nodeport.cli.progress import Progress, Step
from kubectl_nodeport.cli.render import waiting
from kubectl_nodeport.commands.edges import Tunnel
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.known_hosts import HostKey

if TYPE_CHECKING:
    from kubectl_nodeport.kube.client import Api

_AT_FIRST = "waiting for the NodePort to answer"


def resolve(told: Progress, sought: Sought, timeout_s: float) -> Resolution:
    """As address.probe.resolve."""
    from kubectl_nodeport.address import probe

    with told.step(_AT_FIRST) as step:
        return probe.resolve(sought, Budget(timeout_s), partial(_say, step, sought.port))


def knock(told: Progress, sought: Sought, timeout_s: float) -> Resolution:
    """As address.knock.knock."""
    with told.step(_AT_FIRST) as step:
        return at_door.knock(sought, timeout_s, partial(_say, step, sought.port))


def _say(step: Step, port: int, news: News) -> None:
    step.say(waiting.for_address(news, port), news.outcome.text if news.outcome else "")


def tunnel_of(api: Api, told: Progress) -> Tunnel:
    """What shows the host key of a pod's port through the API server."""

    def shown(namespace: str, pod: str, port: int, preferred: frozenset[HostKey]) -> HostKey:
        from kubectl_nodeport import tunnel
        from kubectl_nodeport.address import handshake
        from kubectl_nodeport.kube.forward import open_channel

        what = f"asking port {port} of pod {pod} for its host key through the API server"
        with told.step(what), contextlib.ExitStack() as stack:
            carried = tunnel.as_socket(open_channel(api, namespace, pod, port))
            stack.enter_context(carried.sock)
            try:
                return handshake.shown_key(carried.sock, preferred)
            except NodeportError as err:
                raise carried.failure() or err from None

    return shown


def beyond_loopback(port: int, towards: Sequence[str]) -> str | None:
    """This machine's address on which a port is open that is forwarded to 127.0.0.1, if one is."""
    address = own_lan_address() or own_lan_address(towards)
    return address if address and is_bound_beyond_loopback(port, address) else None


def load_probe() -> None:
    """Load the ssh protocol, which takes its time."""
    from kubectl_nodeport.address.handshake import warm_up

    warm_up()
