"""Where proxy leads, and the connection flags that an entry keeps."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kubectl_nodeport.commands.kept_flags import (
    environment_of,
    flags_of,
    kept_flags,
    refuse_secrets,
)
from kubectl_nodeport.commands.proxy import Destination, destination, entry_named
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Flags
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.ssh.block import Readable
from kubectl_nodeport.ssh.entry import HostEntry
from tests.commands.world import World
from tests.kube import make
from tests.ssh.make import ALIAS, entry, origin

CONNECTION = make.connection()
HERE = origin(cluster=CONNECTION.identity)
TUNNEL = entry(hostname=ALIAS, port=2222, program=("/bin/kubectl-nodeport", "proxy"), origin=HERE)
SERVICE: Json = {
    "kind": "Service",
    "metadata": {"name": "np-dev-ssh", "namespace": "default", "uid": "u"},
    "spec": {
        "ports": [{"nodePort": 30001, "targetPort": 9}, {"nodePort": 31380, "targetPort": 23}]
    },
}


def led(made: HostEntry, world: World) -> Destination:
    return destination(made, CONNECTION, world.api, lambda: world.edges)


def test_a_pods_tunnel_costs_no_request() -> None:
    world = World()
    assert led(TUNNEL, world) == Destination("default", "dev", 2222)
    assert world.api.log == []


def test_a_node_ports_entry_leads_to_the_port_behind_it() -> None:
    world = World()
    world.api.objects["services", "default", "np-dev-ssh"] = SERVICE
    assert led(entry(origin=HERE), world).port == 23


def test_a_node_port_behind_a_named_port() -> None:
    world = World()
    ports = [{"port": 22, "targetPort": "ssh", "nodePort": 31380}]
    world.api.objects["services", "default", "np-dev-ssh"] = {**SERVICE, "spec": {"ports": ports}}
    declared = [{"name": "ssh", "containerPort": 2022}]
    world.api.add(make.pod("dev", containers=[{"name": "a", "ports": declared}]))
    assert led(entry(origin=HERE), world).port == 2022


@pytest.mark.parametrize("service", ["", "np-dev-ssh"])
def test_a_rule_that_has_changed_is_an_error(service: str) -> None:
    """Not another port by guess."""
    world = World()
    changed = {**SERVICE, "spec": {"ports": [{"port": 22, "targetPort": 22, "nodePort": 30001}]}}
    world.api.objects["services", "default", "np-dev-ssh"] = changed
    with pytest.raises(NodeportError, match="any more") as caught:
        led(entry(origin=replace(HERE, service=service)), world)
    assert "kubectl nodeport connect dev -n default" in caught.value.hint


def test_another_cluster_is_not_asked() -> None:
    world = World()
    with pytest.raises(NodeportError, match="leads to another cluster"):
        led(replace(TUNNEL, origin=origin(cluster="ca:other")), world)
    assert world.api.log == []


def test_entries_are_found_by_their_alias() -> None:
    unread = NodeportError("it was edited by hand", hint="undo that")
    found = Readable((entry("a"), TUNNEL), {"edited": unread})
    assert entry_named(ALIAS, found, "file") is TUNNEL
    with pytest.raises(NodeportError, match="file has no Host b"):
        entry_named("b", found, "file")
    with pytest.raises(NodeportError, match="it was edited by hand"):
        entry_named("edited", found, "file")


@pytest.mark.parametrize(
    "flags",
    [
        Flags(),
        Flags(as_="jane", as_group=("a", "b"), as_uid="7", as_user_extra=("k=v", "k=w")),
        Flags(cluster="c", user="u", server="https://h", tls_server_name="n"),
        Flags(certificate_authority="/ca", client_certificate="/cert", client_key="/key"),
        Flags(insecure_skip_tls_verify=True),
    ],
)
def test_flags_there_and_back(flags: Flags) -> None:
    made = origin(flags=kept_flags(flags))
    assert flags_of(made) == replace(flags, context=made.context, namespace=made.namespace)


def test_paths_are_kept_absolute() -> None:
    assert kept_flags(Flags(client_key="key")) == (("client_key", str(Path("key").absolute())),)


def test_what_belongs_to_the_run_is_not_kept() -> None:
    run = Flags(request_timeout_s=1.0, cache_dir="x", disable_compression=True, context="c")
    assert kept_flags(run) == ()


def test_a_token_is_refused() -> None:
    with pytest.raises(NodeportError, match="secrets cannot go with the entry") as caught:
        refuse_secrets(Flags(token="t0ken"))
    assert "t0ken" not in caught.value.message + caught.value.hint
    assert kept_flags(Flags(token="t0ken", cluster="c")) == (("cluster", "c"),)


@pytest.mark.parametrize("server", ["https://me:s3cret@api:6443/x", "me@api", "https://t0ken@api"])
def test_a_login_in_the_servers_url_is_refused(server: str) -> None:
    with pytest.raises(NodeportError, match="secrets cannot go with the entry") as caught:
        refuse_secrets(Flags(server=server))
    assert "s3cret" not in caught.value.message + caught.value.hint
    assert kept_flags(Flags(server=server, cluster="c")) == (("cluster", "c"),)
    refuse_secrets(Flags(server="https://api/a@b"))
    assert kept_flags(Flags(server="https://api/a@b")) == (("server", "https://api/a@b"),)


def test_the_kubeconfigs_and_the_plugins_folder() -> None:
    made = origin(kubeconfig=("/a", "/b"), plugin_folder="/opt/bin")
    changed = environment_of(made, {"PATH": "/bin", "KUBECONFIG": "/c", "X": "y"})
    paths = {"PATH": f"/bin{os.pathsep}/opt/bin", "KUBECONFIG": f"/a{os.pathsep}/b"}
    assert changed == {**paths, "X": "y"}
    assert environment_of(made, {})["PATH"] == "/opt/bin"
    assert flags_of(replace(made, has_context=False)).context is None
