"""What is recorded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.pictures.recording import Recorder

ALIAS = "dev.default.docker-desktop"


@dataclass(frozen=True, slots=True)
class Session:
    """A picture: its file's name, what is to be seen, and how it comes to be.

    `play` is for a cluster in Docker Desktop's shape; the pod of this name is left behind.
    """

    name: str
    title: str
    pod: str
    play: Callable[[Cluster, Recorder], None]


def _connect(cluster: Cluster, terminal: Recorder) -> None:
    cluster.default_namespace().pod("dev")
    _equip(cluster, "dev")
    terminal.type("kubectl nodeport connect dev")
    terminal.type(f"ssh {ALIAS}", ("~# ", "hostname"), ("~# ", "exit"))
    terminal.type("kubectl nodeport get")
    terminal.type("kubectl nodeport disconnect dev")


def _with_sshd(cluster: Cluster, terminal: Recorder) -> None:
    cluster.default_namespace().pod("bare", runs="nothing", image="bare")
    _equip(cluster, "bare")
    terminal.type("kubectl nodeport ssh bare --with-sshd", ("~# ", "hostname"), ("~# ", "exit"))
    terminal.type("kubectl nodeport get hosts")


def _equip(cluster: Cluster, pod: str) -> None:
    """Give a bare Debian what a container to work in has: libstdc++, wget, and no greeting."""
    cluster.kubectl("exec", pod, "--", "touch", "/root/.hushlogin")
    for library in Path("/usr/lib").glob("*-linux-gnu/libstdc++.so.6"):
        cluster.kubectl("cp", str(library.resolve()), f"{pod}:{library}")
    if busybox := shutil.which("busybox"):  # which is a wget by that name
        cluster.kubectl("cp", str(Path(busybox).resolve()), f"{pod}:/usr/bin/wget")


SESSIONS = (
    Session("connect", "connect dev, ssh, get and disconnect in a terminal", "dev", _connect),
    Session(
        "with-sshd",
        "ssh --with-sshd into a pod without an ssh server, in a terminal",
        "bare",
        _with_sshd,
    ),
)
