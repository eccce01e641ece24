"""An ssh server that connect brings into a container: where it is asked for, and how it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kubectl_nodeport.commands.look import Look
from kubectl_nodeport.container.editor_needs import Equipment
from kubectl_nodeport.container.script import Inside
from kubectl_nodeport.kube.pod import Container, Pod
from kubectl_nodeport.ssh.entry import HostEntry
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.origin import Origin


@dataclass(frozen=True, slots=True)
class Bid:
    """Where a server is asked for.

    :ivar before: the Host entry of the alias, if there is one.
    :ivar port: where an ssh server was looked for, or the one that was brought is to be.
    :ivar is_exact: whether the port was said to be this one.
    :ivar is_anothers: whether it is that of another container of the pod, which was not meant.
    :ivar through_api: whether no NodePort is to lead there.
    """

    pod: Pod
    container: Container
    alias: str
    before: HostEntry | None
    port: int
    is_exact: bool = False
    is_anothers: bool = False
    through_api: bool = False
    user: str | None = None
    identity_file: str | None = None
    dry_run: bool = False

    @property
    def was_brought(self) -> bool:
        """Whether the entry is for a server that an earlier run has brought into this container."""
        if self.before is None or self.before.origin.sshd_port == 0:
            return False
        return self.before.origin.container == self.container.name

    @property
    def where(self) -> str:
        """The container, for people."""
        return self.pod.where(self.container)


@dataclass(frozen=True, slots=True)
class Brought:
    """A server of ours in the container.

    :ivar host_key: None where it would only be started, in a dry run.
    :ivar let_in: the user's public key that it lets in.
    :ivar had_pods: whether the host key may be that of an earlier pod too, which may still run.
    :ivar equipment: see container.script.Inside, as for ``folder``.
    """

    port: int
    user: str
    home: str
    host_key: HostKey | None
    let_in: HostKey
    container: str
    had_pods: bool = False
    equipment: Equipment | None = None
    folder: str = ""

    @property
    def host_keys(self) -> tuple[HostKey, ...]:
        """The host key, if there is one yet."""
        return (self.host_key,) if self.host_key else ()

    @property
    def look(self) -> Look:
        """What there is to know of the container: its host key is this pod's alone, so nobody has
        to be seen arriving, and no second exec is needed.
        """
        return Look(
            self._about(Inside("", "", (), None)),
            self.port,
            None,
            None,
            -math.inf,
            made_here=frozenset(self.host_keys),
        )

    def seen_in(self, look: Look) -> Look:
        """A look into the container, with what is known of this server, which has no file there."""
        return replace(look, inside=self._about(look.inside))

    def _about(self, inside: Inside) -> Inside:
        return replace(
            inside,
            user=self.user,
            home=self.home,
            host_keys=self.host_keys,
            passwords=False,
            equipment=self.equipment,
            folder=self.folder,
        )

    def noted_in(self, origin: Origin) -> Origin:
        """The origin of an entry for it."""
        return replace(
            origin,
            sshd_port=self.port,
            sshd_key=self.let_in.openssh,
            container=self.container,
        )
