"""The entry as the real ssh uses it, against a real sshd on 127.0.0.1."""

from __future__ import annotations

import dataclasses
import getpass
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from tests.ssh.make import ALIAS, entry_for

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
pytestmark = pytest.mark.skipif(SSHD is None, reason="sshd is missing (openssh-server)")


@dataclasses.dataclass(frozen=True)
class Sshd:
    """A running server; ``keys`` are what it offers."""

    port: int
    keys: tuple[HostKey, ...]
    client_key: Path


def make_key(path: Path, kind: str = "ed25519") -> HostKey:
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)]
    subprocess.run(command, check=True, timeout=60)
    (found,) = parse_public_keys(path.with_name(f"{path.name}.pub").read_text())
    return found


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if Path(pwd.getpwuid(os.getuid()).pw_shell).name in ("nologin", "false"):
        pytest.skip("nobody can log in as this account, it has no shell")
    folder = tmp_path_factory.mktemp("sshd")
    keys = tuple(make_key(folder / f"host_{kind}", kind) for kind in ("ed25519", "ecdsa"))
    make_key(folder / "client")
    shutil.copy(folder / "client.pub", folder / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"HostKey {folder}/host_ed25519\nHostKey {folder}/host_ecdsa\n"
        f"AuthorizedKeysFile {folder}/authorized\nPasswordAuthentication no\n"
        "PermitRootLogin yes\nPerSourceMaxStartups none\nMaxStartups 100\n"
    )
    log = (folder / "log").open("w")
    process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", config], stderr=log)
    try:
        await_banner(port, process, folder / "log")
        yield Sshd(port, keys, folder / "client")
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def await_banner(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text().strip()[:200]}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
                if peer.recv(4) == b"SSH-":
                    return
        except ConnectionRefusedError:
            time.sleep(0.02)
    pytest.fail("sshd never answered")


def ssh(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", config, "-o", "BatchMode=yes", *words],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env={name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"},
    )


def put(config: Path, sshd: Sshd, keys: tuple[HostKey, ...]) -> None:
    store = ConfigFile(config)
    entry = entry_for(
        store, port=sshd.port, user=getpass.getuser(), identity_file=str(sshd.client_key)
    )
    store.put(entry, keys)


def test_the_alias_logs_in_with_the_pinned_key(tmp_path: Path, sshd: Sshd) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  ProxyCommand false\n  UserKnownHostsFile /dev/null\n")
    put(config, sshd, sshd.keys)
    done = ssh(config, ALIAS, "echo", "hello")
    assert (done.stdout, done.returncode) == ("hello\n", 0), done.stderr
    folder = config.parent / "kubectl-nodeport"
    assert [path.name for path in folder.iterdir()] == [f"{ALIAS}.known_hosts"]


def test_one_of_the_keys_is_enough(tmp_path: Path, sshd: Sshd) -> None:
    for number, one in enumerate(sshd.keys):
        put(tmp_path / f"config{number}", sshd, (one,))
        assert ssh(tmp_path / f"config{number}", ALIAS, "true").returncode == 0


def test_ssh_learns_no_keys_by_itself(tmp_path: Path, sshd: Sshd) -> None:
    """UpdateHostKeys: not where the key is in a GlobalKnownHostsFile, which ours is as well."""
    config = tmp_path / "config"
    config.write_text("Host *\n  UpdateHostKeys yes\n  HashKnownHosts yes\n")
    put(config, sshd, sshd.keys[:1])
    file = tmp_path / "kubectl-nodeport" / f"{ALIAS}.known_hosts"
    pinned = file.read_bytes()
    assert ssh(config, ALIAS, "true").returncode == 0
    assert file.read_bytes() == pinned
    assert ssh(config, "-o", "GlobalKnownHostsFile=none", ALIAS, "true").returncode == 0
    assert file.read_bytes() != pinned, "else it would learn no keys here at all"


def test_another_key_is_refused(tmp_path: Path, sshd: Sshd) -> None:
    config = tmp_path / "config"
    put(config, sshd, (make_key(tmp_path / "other"),))
    known = (tmp_path / "kubectl-nodeport" / f"{ALIAS}.known_hosts").read_bytes()
    done = ssh(config, ALIAS, "true")
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr
    assert (tmp_path / "kubectl-nodeport" / f"{ALIAS}.known_hosts").read_bytes() == known


def test_a_live_master_of_the_users_is_not_used(tmp_path: Path, sshd: Sshd) -> None:
    """`Host * ControlPath` on the same address, port and user, without any key check."""
    config = tmp_path / "config"
    config.write_text(
        f"Host *\n  ControlPath {tmp_path}/%r@%h:%p\n  UserKnownHostsFile /dev/null\n"
        f"  StrictHostKeyChecking no\n  IdentityFile {sshd.client_key}\n"
    )
    put(config, sshd, (make_key(tmp_path / "other"),))
    user = getpass.getuser()
    plain = ["-p", str(sshd.port), f"{user}@127.0.0.1"]
    assert ssh(config, "-fNM", *plain).returncode == 0
    try:
        assert ssh(config, "-O", "check", *plain).returncode == 0
        assert ssh(config, ALIAS, "true").returncode == 255
    finally:
        ssh(config, "-O", "exit", *plain)


def test_forwarding_as_remote_ssh_does_it(tmp_path: Path, sshd: Sshd) -> None:
    """ssh -D, and the sshd's own banner fetched through it by SOCKS5."""
    config = tmp_path / "config"
    put(config, sshd, sshd.keys)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["ssh", "-F", config, "-T", "-D", f"127.0.0.1:{port}", ALIAS, "echo up; sleep 60"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        with socket.create_connection(("127.0.0.1", port), timeout=20) as socks:
            socks.sendall(b"\5\1\0")
            assert socks.recv(2) == b"\5\0"
            socks.sendall(b"\5\1\0\1\x7f\0\0\1" + sshd.port.to_bytes(2, "big"))
            assert socks.recv(10)[:2] == b"\5\0"
            assert socks.recv(4) == b"SSH-"
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()
