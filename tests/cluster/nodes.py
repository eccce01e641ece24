"""Node objects: how the real node looks, and others that are objects alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.api import Api, ApiError, Object
from tests.cluster.families import Family
from tests.cluster.profiles import DEBIAN, Profile

_NODES = "/api/v1/nodes"
SECOND = "worker-2"


@dataclass(frozen=True, slots=True)
class Looks:
    """How a Node looks to who reads it through the API."""

    name: str
    addresses: Sequence[tuple[str, str]] = ()
    """Type and address, such as ("InternalIP", "10.0.0.5"), in order."""
    labels: Mapping[str, str] = field(default_factory=dict)
    provider_id: str = ""
    os_image: str = ""
    kernel: str = ""
    kubelet: str = ""
    runtime: str = ""
    ready: bool = True
    taints: Sequence[Object] = ()


@contextmanager
def extra(api: Api, *nodes: Looks) -> Iterator[None]:
    """Let these Nodes exist too, for the `with` block. No pod is ever put on them."""
    with ExitStack() as made:
        for looks in nodes:
            create(api, looks)
            made.callback(remove, api, looks.name)
        yield


def create(api: Api, looks: Looks) -> None:
    """Make a Node that is an object alone, with its status; raises ApiError."""
    spec = {"providerID": looks.provider_id, "taints": list(looks.taints)}
    metadata = {"name": looks.name, "labels": dict(looks.labels)}
    api.create(_NODES, {"metadata": metadata, "spec": spec})
    api.patch(f"{_NODES}/{looks.name}/status", {"status": _status(looks)})


def second(families: Sequence[Family]) -> Looks:
    """The other node of a profile that has one: its addresses lead to the same kube-proxy."""
    addresses = [("InternalIP", family.cable_node) for family in families]
    return Looks(SECOND, (*addresses, ("Hostname", SECOND)), os_image=DEBIAN)


def remove(api: Api, name: str) -> None:
    """Remove a Node, if it is there; raises ApiError."""
    try:
        api.delete(f"{_NODES}/{name}")
    except ApiError as error:
        if error.status != 404:
            raise


def _status(looks: Looks) -> Object:
    ready = {"type": "Ready", "status": "True" if looks.ready else "False", "reason": "Test"}
    info = {
        "osImage": looks.os_image,
        "kernelVersion": looks.kernel,
        "kubeletVersion": looks.kubelet,
        "containerRuntimeVersion": looks.runtime,
        "operatingSystem": "linux",
    }
    return {
        "addresses": [{"type": kind, "address": at} for kind, at in looks.addresses],
        "allocatable": {"pods": "0"},  # so that the scheduler passes it over
        "capacity": {"pods": "0"},
        "conditions": [ready],
        "nodeInfo": info,
    }


def dress(
    api: Api, name: str, os_release: Path, profile: Profile, families: Sequence[Family]
) -> None:
    """Let the real node look as a profile has it: its addresses and its osImage.

    The kubelet reads `os_release` again for each status it sends; it leaves addresses alone.
    """
    os_release.write_text(f'PRETTY_NAME="{profile.os_image}"\n')
    addresses = [("InternalIP", family.node) for family in families]
    if profile.external:
        addresses += [("ExternalIP", family.external) for family in families]
    addresses.append(("Hostname", name))
    listed = [{"type": kind, "address": address} for kind, address in addresses]
    status = {"addresses": listed, "nodeInfo": {"osImage": profile.os_image}}
    api.patch(f"{_NODES}/{name}/status", {"status": status})
