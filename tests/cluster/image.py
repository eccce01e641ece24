"""Container images made on this machine: nothing is pulled from a registry."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import versions
from tests.cluster.process import ClusterError, run

_NOT_IN_IMAGES = tuple(f"/usr/share/{name}/*" for name in ("doc", "info", "locale", "man"))
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def debian_root(target: Path, suite: str) -> None:
    """Write a root file system of a Debian release with sshd, its host keys inside, as a tar file.

    It comes from the sources that the machine's apt uses, by the same options.
    """
    own = release()["VERSION_CODENAME"]
    lines = (f"{line.replace(own, suite)}\n" for line in apt_sources())
    target.with_suffix(".list").write_text("".join(lines))
    target.with_suffix(".conf").write_text(run(["apt-config", "dump", "Acquire"]))
    make_user = 'chroot "$1" useradd --create-home --shell /bin/bash dev'
    run(
        [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=essential",
            f"--include={','.join(versions.IMAGE_PACKAGES)}",
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _NOT_IN_IMAGES),
            f"--aptopt={target.with_suffix('.conf')}",
            f"--customize-hook={make_user}",
            "--format=tar",
            suite,
            target,
            target.with_suffix(".list"),
        ],
        timeout_s=900,
    )


def release() -> dict[str, str]:
    """The fields of /etc/os-release."""
    pairs = (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines())
    return {key: value.strip("\"'") for key, _, value in pairs}


def apt_sources() -> list[str]:
    """The distribution's own package sources as this machine's apt has them, as `deb` lines."""
    form = "$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    ours = release()["ID"]
    for _ in range(2):
        listing = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
        rows = (line.partition("|") for line in listing.splitlines())
        lines = dict.fromkeys(deb for origin, _, deb in rows if origin.lower() == ours)
        if lines:
            return list(lines)
        run(["apt-get", "-qq", "update"], timeout_s=600)  # who the origin is, it learns from there
    raise ClusterError(f"apt has no package sources of {ours}")


def one_file_root(program: Path, target: Path) -> None:
    """Write a root file system with nothing but one program as a tar file."""
    with tarfile.open(target, "w") as tar:
        tar.add(program, program.name)


def docker_archive(
    target: Path, root: Path, *, name: str, command: Sequence[str], architecture: str
) -> None:
    """Wrap the tar file of a root file system as an image that containerd imports."""
    with root.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Cmd": list(command), "Env": [_PATH]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.hexdigest()}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as tar:
        _add(tar, config_name, config)
        tar.add(root, "layer.tar")
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
