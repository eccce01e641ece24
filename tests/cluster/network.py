"""The cable between laptop and node, and what a profile does to it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.cluster.families import Family
from tests.cluster.namespaces import entering
from tests.cluster.process import ProcessId, run
from tests.cluster.profiles import Profile, Route

_CHAIN = "PROFILE"
_NODE_PORTS = "-p tcp --dport 30000:32767"
# Past kube-proxy's DNAT the packet has the pod's port; conntrack knows which one was meant.
_WERE_NODE_PORTS = "-p tcp -m conntrack --ctorigdstport 30000:32767 --ctdir ORIGINAL"
_PROHIBITED = {"IPv4": "icmp-admin-prohibited", "IPv6": "icmp6-adm-prohibited"}


def plug_in(laptop: ProcessId, node: ProcessId, families: tuple[Family, ...]) -> None:
    """Connect the two. Neither gets a default route: no packet can leave the machine."""
    ends = ["eth0", "netns", str(laptop.pid), "type", "veth", "peer", "name", "eth0"]
    run(["ip", "link", "add", *ends, "netns", str(node.pid)])
    for holder in (laptop, node):
        _configure(holder, "link set lo up", "link set eth0 up")
    for family in families:
        # nodad: an address of a cable with two ends is no other's; else it waits for a second.
        nodad = " nodad" if family.name == "IPv6" else ""
        _configure(
            laptop,
            f"address add {family.cable_laptop}/{family.cable_bits} dev eth0{nodad}",
            f"neighbour add {family.nobody} lladdr 02:00:00:00:00:fe nud permanent dev eth0",
        )
        _configure(
            node,
            f"address add {family.cable_node}/{family.cable_bits} dev eth0{nodad}",
            f"address add {family.node}/{family.bits} dev eth0{nodad}",
            f"address add {family.external}/{family.bits} dev eth0{nodad}",
        )
        _restore(node, family, "mangle", f"-A PREROUTING -i eth0 -j {_CHAIN}")
        _restore(node, family, "filter", f"-A FORWARD -i eth0 -j {_CHAIN}")


def use(laptop: ProcessId, node: ProcessId, profile: Profile, families: tuple[Family, ...]) -> None:
    """Give the laptop a profile's routes and the node its firewall, in place of the former."""
    external: Route = "direct" if profile.external else "unreachable"
    _configure(
        laptop,
        *(_route(profile.route, family, family.node) for family in families),
        *(_route(external, family, family.external) for family in families),
    )
    for family in families:
        _restore(node, family, "mangle", *_silent(profile, family))
        # First of all rules: kube-proxy's own would accept a NodePort's packet.
        jump = f"FORWARD -i eth0 -j {_CHAIN}"
        _restore(node, family, "filter", f"-D {jump}", f"-I {jump}", *_answering(profile, family))


def _route(route: Route, family: Family, address: str) -> str:
    whole = f"{address}/{family.bits}"
    ways = {"direct": family.cable_node, "vanishes": family.nobody}
    return f"route replace {f'{whole} via {ways[route]}' if route in ways else f'{route} {whole}'}"


def _silent(profile: Profile, family: Family) -> Iterator[str]:
    if profile.firewall == "drop":
        yield f"-A {_CHAIN} {_NODE_PORTS} -j DROP"
    if profile.external == "drop":
        yield f"-A {_CHAIN} -d {family.external} {_NODE_PORTS} -j DROP"


def _answering(profile: Profile, family: Family) -> Iterator[str]:
    if profile.firewall == "reject":
        yield f"-A {_CHAIN} {_WERE_NODE_PORTS} -j REJECT --reject-with {_PROHIBITED[family.name]}"
    if profile.firewall == "reset":  # from the handshake's last packet on
        established = f"{_WERE_NODE_PORTS} --ctstate ESTABLISHED"
        yield f"-A {_CHAIN} {established} -j REJECT --reject-with tcp-reset"


def _restore(node: ProcessId, family: Family, table: str, *rules: str) -> None:
    """Empty the profile's chain in a table, then apply these rules; all at once."""
    lines = (f"*{table}", f":{_CHAIN} - [0:0]", *rules, "COMMIT\n")
    program = "iptables-restore" if family.name == "IPv4" else "ip6tables-restore"
    run([*entering(node, "net"), program, "--noflush", "--wait"], stdin="\n".join(lines))


def _configure(holder: ProcessId, *lines: str) -> None:
    run([*entering(holder, "net"), "ip", "-batch", "-"], stdin="\n".join(lines))
