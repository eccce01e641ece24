"""What is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.namespace import Namespace
from tests.pictures.recording import Recorder

ALIAS = "dev.default.docker-desktop"


@dataclass(frozen=True, slots=True)
class Session:
    """A picture: its file's name, what is to be seen, and how it comes to be."""

    name: str
    title: str
    play: Callable[[Namespace, Recorder], None]


def _connect(namespace: Namespace, terminal: Recorder) -> None:
    namespace.pod("dev")
    terminal.type("kubectl nodeport connect dev")
    terminal.type(f"ssh {ALIAS}", ("~#", "hostname"), ("~#", "exit"))
    terminal.type("kubectl nodeport get")
    terminal.type("kubectl nodeport disconnect dev")


def _with_sshd(namespace: Namespace, terminal: Recorder) -> None:
    namespace.pod("bare", runs="nothing", image="bare")
    terminal.type("kubectl nodeport ssh bare --with-sshd", ("#", "hostname"), ("#", "exit"))
    terminal.type("kubectl nodeport get hosts")


SESSIONS = (
    Session("connect", "connect dev, ssh, get and disconnect in a terminal", _connect),
    Session(
        "with-sshd", "ssh --with-sshd into a pod without an ssh server, in a terminal", _with_sshd
    ),
)
