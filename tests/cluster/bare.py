"""Images without an ssh server: Debian's with its ssh taken out, and busybox alone.

They are OCI archives, which may leave out a layer that containerd has already.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.process import ClusterError, run

ENVIRONMENT = {"FROM_THE_IMAGE": "so it says"}
"""Variables of the images, besides PATH."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SSH = {
    "etc": ("ssh",),
    "usr/bin": (
        *("dbclient", "dropbearconvert", "dropbearkey", "scp", "sftp", "slogin"),
        *("ssh", "ssh-add", "ssh-agent", "ssh-argv0", "ssh-copy-id", "ssh-keygen", "ssh-keyscan"),
    ),
    "usr/lib": ("dropbear", "openssh", "sftp-server"),
    "usr/sbin": ("dropbear", "sshd"),
}
"""What Debian's packages of OpenSSH and dropbear put there, by folder."""

_OCI = "application/vnd.oci.image"


def without_ssh(target: Path, archive: Path, *, name: str, architecture: str) -> None:
    """Write the image of a docker archive, less its ssh.

    The layer below is not written again: the cluster's containerd has to have that image.
    """
    with tarfile.open(archive) as below:
        (told,) = json.loads(_read(below, "manifest.json"))
        (digest,) = json.loads(_read(below, told["Config"]))["rootfs"]["diff_ids"]
        size = below.getmember("layer.tar").size
    upper = io.BytesIO()
    with tarfile.open(fileobj=upper, mode="w") as tar:
        for folder, names in _SSH.items():
            for one in names:
                tar.addfile(tarfile.TarInfo(f"{folder}/.wh.{one}"))  # a layer's word for "gone"
    layers = [_Blob(digest, size), _Blob.of(upper.getvalue())]
    _archive(target, layers, name, architecture)


def busybox(target: Path, *, name: str, architecture: str) -> None:
    """Write an image with nothing in it but Debian's static busybox, by all its names in /bin."""
    layer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=layer, mode="w") as tar:
        _unpack("busybox-static", Path(folder))
        (program,) = Path(folder).glob("**/bin/busybox")
        tar.add(program, "bin/busybox")
        for one in run([program, "--list"]).split():
            if one != "busybox":
                link = tarfile.TarInfo(f"bin/{one}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
    _archive(target, [_Blob.of(layer.getvalue())], name, architecture)


def _unpack(package: str, folder: Path) -> None:
    """A package of the machine's own distribution, without installing it."""
    download = ["apt-get", "-qq", "download", package]
    try:
        run(download, cwd=folder)
    except ClusterError:  # the lists can be older than the packages that are there by now
        run(["apt-get", "-qq", "update"], timeout_s=600)
        run(download, cwd=folder)
    (file,) = folder.glob("*.deb")
    run(["dpkg-deb", "--extract", file, folder])


@dataclass(frozen=True, slots=True)
class _Blob:
    """A part of an image; without content where containerd has it."""

    digest: str
    size: int
    content: bytes | None = None

    @classmethod
    def of(cls, content: bytes) -> _Blob:
        return cls(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content), content)

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> _Blob:
        return cls.of(json.dumps(document).encode())

    def described(self, kind: str, **more: Any) -> dict[str, Any]:
        media_type = f"{_OCI}.{kind}"
        return {"mediaType": media_type, "digest": self.digest, "size": self.size, **more}


def _archive(target: Path, layers: Sequence[_Blob], name: str, architecture: str) -> None:
    """https://github.com/opencontainers/image-spec/blob/main/image-layout.md"""
    variables = {"PATH": _PATH, **ENVIRONMENT}
    config = _Blob.of_json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": [f"{key}={value}" for key, value in variables.items()]},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        }
    )
    manifest = _Blob.of_json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": config.described("config.v1+json"),
            "layers": [layer.described("layer.v1.tar") for layer in layers],
        }
    )
    named = {"io.containerd.image.name": name}
    index = {
        "schemaVersion": 2,
        "manifests": [manifest.described("manifest.v1+json", annotations=named)],
    }
    with tarfile.open(target, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        _add(tar, "index.json", json.dumps(index).encode())
        for blob in (manifest, config, *layers):
            if blob.content is not None:
                _add(tar, f"blobs/{blob.digest.replace(':', '/')}", blob.content)


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None, f"{name} is no file"
    return file.read()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
