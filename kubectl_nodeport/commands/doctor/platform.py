"""What the system of this machine may have to do with it."""

from __future__ import annotations

import re

from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Check, Finding, ok, warning

# On macOS utunN are there without any VPN.
_VPN = re.compile(r"(tun|tap|wg|ppp|tailscale|nordlynx|proton|zt)[A-Za-z0-9_.-]{0,15}")
_NAMES = {"darwin": "macOS", "win32": "Windows", "linux": "Linux"}


def _judge(case: Case) -> Finding:
    local = case.edges.local
    seen = [_NAMES[local.platform]]
    why = []
    if local.platform == "darwin":
        why.append(
            "macOS 15 keeps programs out of the local network that were not let in (System "
            "Settings > Privacy & Security > Local Network, for the terminal and for the editor)"
        )
    if local.wsl:
        seen.append("in WSL")
        why.append(
            "under WSL 2 a NodePort may answer in Windows and not here, or the other way round "
            "(docs/wsl.md)"
        )
    if local.in_cluster:
        seen.append("in a pod")
        why.append("a NetworkPolicy may keep this pod from the nodes")
    vpn = sorted(name for name in case.machine.interfaces() if _VPN.fullmatch(name))
    if vpn and local.platform == "linux":
        seen.append(f"with {', '.join(vpn[:4])}")
        why.append("a VPN may take the route to the nodes, or be the only one")
    words = ", ".join(seen)
    if case.unreached and why:
        return warning(words, "; ".join(why), hint="the addresses above were not reached")
    return ok(words)


CHECK = Check(
    "platform",
    "this machine",
    _judge,
    "what keeps its programs from the nodes keeps ssh from them",
    needs=("kubeconfig",),
)
