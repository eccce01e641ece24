"""Starting a cluster's two hosts, and removing what is left of them."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from itertools import chain

from tests.cluster import cgroups, kubeconfig, network, node, pki
from tests.cluster import laptop as laptops
from tests.cluster.families import url_host
from tests.cluster.namespaces import Holder, end_with_mount
from tests.cluster.profiles import API_PORT
from tests.cluster.state import State, folder_of


def cgroup(name: str) -> str:
    """The cgroup of a cluster's pods."""
    return f"kubectl-nodeport-{name}"


def start(plan: node.Plan, stack: ExitStack) -> tuple[State, tuple[Holder, ...]]:
    """Start laptop, node and cable; `stack` ends them. Raises ClusterError."""
    folder = plan.state
    (folder / "log").mkdir(mode=0o700, parents=True)
    addresses = [(each.kubernetes, each.cable_node, each.node) for each in plan.families]
    token = pki.make(folder / "pki", tuple(chain.from_iterable(addresses)))
    server_url = f"https://{url_host(plan.families[0].cable_node)}:{API_PORT}"
    admin = kubeconfig.build(server_url, folder / "pki/ca.crt", token)
    (folder / "admin.kubeconfig").write_text(json.dumps(admin, indent=2))
    cgroups.make(plan.cgroup)
    laptop = laptops.start(folder.name, folder)
    stack.callback(laptop.leave)
    server = node.start(plan, token)
    stack.callback(server.leave)
    state = State(
        server.process,
        laptop.process,
        str(plan.built.kubectl),
        str(plan.built.sshd_image),
        plan.identity.name,
        tuple(family.name for family in plan.families),
    )
    state.write(folder)
    network.plug_in(laptop.process, server.process, plan.families)
    for holder in (laptop, server):
        holder.say("go")
    return state, (laptop, server)


def remove(name: str) -> None:
    """End what is left of a cluster and remove its cgroups and its folder."""
    for mark in (node.mark(name), laptops.mark(name)):
        end_with_mount(mark)
    cgroups.remove(cgroup(name))
    if folder_of(name).exists():
        shutil.rmtree(folder_of(name))
