"""Another cluster's sshd, as it would come to the laptop's 127.0.0.1 through another forwarder."""

from __future__ import annotations

import secrets
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.cluster import sshd_log
from tests.cluster.api import until
from tests.cluster.laptop import Laptop, end
from tests.cluster.process import ClusterError, run

_KINDS = ("ed25519", "ecdsa")
# In a mount namespace of its own: it wants /run/sshd, which the machine itself need not have. In a
# process namespace of its own: its sessions end with it.
_OWN_SPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
_SCRIPT = 'mount -t tmpfs -o mode=755 none /run; mkdir /run/sshd; exec /usr/sbin/sshd -D -e -f "$1"'


@dataclass(frozen=True, slots=True)
class ForeignSshd:
    """An sshd that runs on the laptop."""

    port: int
    fingerprints: tuple[str, ...]
    """SHA256:… of its host keys."""
    _log: Path

    def log(self) -> str:
        """What it has written so far, at LogLevel VERBOSE."""
        return self._log.read_text()

    def connections(self) -> list[sshd_log.Connection]:
        """Who has knocked, without times."""
        return sshd_log.connections(self.log())


@contextmanager
def sshd(
    laptop: Laptop, state: Path, port: int, host_keys: Literal["own"] | Path
) -> Iterator[ForeignSshd]:
    """Run an sshd on 127.0.0.1:PORT that lets the laptop's key in.

    Its host keys are its own, or those inside an image's archive. Raises ClusterError when it does
    not start, as when the port is taken.
    """
    folder = state / f"foreign-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        keys = _own_keys(folder) if host_keys == "own" else _image_keys(host_keys, folder)
        log = folder / "log"
        with log.open("w") as output:
            config = _config(laptop, folder, port, keys)
            shell = ["sh", "-ec", _SCRIPT, "sh", str(config)]
            process = laptop.popen([*_OWN_SPACES, *shell], stderr=output)
        try:
            until("an sshd", lambda: process.poll() is not None or "listening" in log.read_text())
            if process.returncode is not None:
                raise ClusterError(f"no sshd at port {port}: {log.read_text()[-2000:]}")
            yield ForeignSshd(port, tuple(_fingerprint(key) for key in keys), log)
        finally:
            end(process)
    finally:
        shutil.rmtree(folder)


def _config(laptop: Laptop, folder: Path, port: int, keys: list[Path]) -> Path:
    (folder / "authorized").write_text(f"{laptop.public_key()}\n")
    config = folder / "config"
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nAuthorizedKeysFile {folder}/authorized\n"
        "LogLevel VERBOSE\nPasswordAuthentication no\nPidFile none\nStrictModes no\nUsePAM no\n"
        + "".join(f"HostKey {key}\n" for key in keys)
    )
    return config


def _own_keys(folder: Path) -> list[Path]:
    keys = [folder / f"ssh_host_{kind}_key" for kind in _KINDS]
    for kind, key in zip(_KINDS, keys, strict=True):
        run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key])
    return keys


def _image_keys(archive: Path, folder: Path) -> list[Path]:
    keys = [folder / f"ssh_host_{kind}_key" for kind in _KINDS]
    with tarfile.open(archive, "r:") as image:
        layer = image.extractfile("layer.tar")
        assert layer is not None
        with tarfile.open(fileobj=layer, mode="r:") as root:
            for key in keys:
                member = root.extractfile(f"./etc/ssh/{key.name}")
                assert member is not None
                key.touch(mode=0o600)
                key.write_bytes(member.read())
    return keys


def _fingerprint(key: Path) -> str:
    return run(["ssh-keygen", "-l", "-f", key]).split()[1]
