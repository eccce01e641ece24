"""The entry as the real ssh uses it, against a real sshd on 127.0.0.1."""

from __future__ import annotations

import dataclasses
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.config_file import ConfigFile
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from tests.ssh.make import ALIAS, entry_for

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(SSHD is None, reason="sshd is missing (openssh-server)"),
]


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
    import pwd

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
    """The user's UpdateHostKeys is taken back; and ssh leaves a file that is the global one too."""
    config = tmp_path / "config"
    config.write_text("Host *\n  UpdateHostKeys yes\n  HashKnownHosts yes\n")
    put(config, sshd, sshd.keys[:1])
    file = tmp_path / "kubectl-nodeport" / f"{ALIAS}.known_hosts"
    pinned = file.read_bytes()
    update = ("-o", "UpdateHostKeys=yes")
    # The server tells its keys once the session stands, which has to last until then.
    for seconds in (1, 4, 8):
        session = (ALIAS, f"sleep {seconds}")
        for options in ((), update):
            assert ssh(config, *options, *session).returncode == 0
            assert file.read_bytes() == pinned
        assert ssh(config, *update, "-o", "GlobalKnownHostsFile=none", *session).returncode == 0
        if file.read_bytes() != pinned:
            return
    pytest.fail("it would learn no keys here at all")


def test_another_key_is_refused(tmp_path: Path, sshd: Sshd) -> None:
    config = tmp_path / "config"
    put(config, sshd, (make_key(tmp_path / "other"),))
    known = (tmp_path / "kubectl-nodeport" / f"{ALIAS}.known_hosts").read_bytes()
    done = ssh(config, ALIAS, "true")
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr
    assert (tmp_path / "kubectl-nodeport" / f"{ALIAS}.known_hosts").read_bytes() == known


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """The path of a socket has 107 letters at most, of which pytest's folders may take most."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_live_master_of_the_users_is_not_used(
    tmp_path: Path, short_folder: Path, sshd: Sshd
) -> None:
    """`Host * ControlPath` on the same address, port and user, without any key check."""
    config = tmp_path / "config"
    config.write_text(
        f"Host *\n  ControlPath {short_folder}/%r@%h:%p\n  UserKnownHostsFile /dev/null\n"
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


@pytest.fixture
def sockets() -> Iterator[str]:
    """A folder with a name that leaves room: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="kn-") as folder:
        yield folder


def test_a_master_on_a_port_used_again_is_not_used(
    tmp_path: Path, sockets: str, sshd: Sshd
) -> None:
    """The old pod's master is alive, the pod on its address and port is another by now.

    The user's `Host *` is the only thing that leads to it; a ControlPath above all sections, which
    nothing in an entry could undo, is refused.
    """
    config = tmp_path / "config"
    config.write_text(
        f"Host *\n  ControlMaster auto\n  ControlPersist 60\n  ControlPath {sockets}/%C\n"
        "  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking no\n"
        f"  IdentityFile {sshd.client_key}\n"
    )
    plain = ["-p", str(sshd.port), f"{getpass.getuser()}@127.0.0.1"]
    assert ssh(config, *plain, "true").returncode == 0
    try:
        assert ssh(config, "-O", "check", *plain).returncode == 0
        # Without an entry, the name's own options lead into the master, without any key.
        hijacked = ["-o", "HostKeyAlias=new", "-o", "StrictHostKeyChecking=yes", *plain]
        assert ssh(config, *hijacked, "true").returncode == 0
        put(config, sshd, (make_key(tmp_path / "other"),))
        assert ssh(config, ALIAS, "true").returncode == 255
        put(config, sshd, sshd.keys)
        done = ssh(config, "-v", ALIAS, "true")
        assert done.returncode == 0
        assert "mux" not in done.stderr
        assert ssh(config, "-O", "check", ALIAS).returncode == 255
        above = tmp_path / "above"
        above.write_text(f"# x\nControlMaster auto\nControlPath {sockets}/%C\n")
        with pytest.raises(NodeportError, match=rf"controlpath {sockets}/\w+, from line 3 of"):
            put(above, sshd, sshd.keys)
    finally:
        ssh(config, "-O", "exit", *plain)


def test_what_a_star_would_do_is_taken_back(tmp_path: Path, sshd: Sshd) -> None:
    config = tmp_path / "config"
    config.write_text(
        "Host *\n  RemoteCommand echo not asked for\n  RequestTTY force\n  AddressFamily inet6\n"
        "  UpdateHostKeys yes\n  CanonicalizeHostname always\n  ClearAllForwardings yes\n"
        "  ExitOnForwardFailure yes\n  PubkeyAuthentication no\n  ProxyUseFdpass yes\n"
        f"  LocalForward 127.0.0.1:{sshd.port} localhost:1\n"
    )
    put(config, sshd, sshd.keys[:1])
    known = tmp_path / "kubectl-nodeport" / f"{ALIAS}.known_hosts"
    before = known.read_bytes()
    done = ssh(config, ALIAS, "printf", "'a\\nb\\n'")
    assert (done.stdout, done.returncode) == ("a\nb\n", 0), done.stderr
    assert "cannot listen to port" in done.stderr  # the forward is the user's own, and harmless
    assert known.read_bytes() == before


def test_forwarding_as_remote_ssh_does_it(tmp_path: Path, sshd: Sshd) -> None:
    """ssh -D, and the sshd's own banner fetched through it by SOCKS5."""
    config = tmp_path / "config"
    config.write_text("Host *\n  ClearAllForwardings yes\n  RemoteCommand date\n")
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
