"""The programs that people use: ssh, scp, sftp, rsync, sshfs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.address.servers import free_port
from tests.posix import IS_ROOT
from tests.sshd.program import USER_ID, Server

BIG = 20_000_000

Needs = Callable[[str], None]


def run(*command: str, said: bytes = b"", check: bool = True) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(command, input=said, capture_output=True, check=False, timeout=120)
    assert not check or done.returncode == 0, done.stderr.decode()
    return done


def ssh(server: Server, *arguments: str, said: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return run("ssh", "-F", str(server.config), *arguments, said=said, check=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of several sizes and names, in folders."""
    root = tmp_path / "tree"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "big").write_bytes(os.urandom(BIG))
    (root / "empty").write_bytes(b"")
    (root / "with space 'and' \"quotes\" é").write_bytes(b"x")
    for number in range(200):
        (root / "deep" / "er" / f"{number}.txt").write_text(f"file {number}\n" * number)
    (root / "script").write_text("#!/bin/sh\n")
    (root / "script").chmod(0o750)
    return root


def same(one: Path, other: Path) -> None:
    done = run("diff", "-r", str(one), str(other), check=False)
    assert done.returncode == 0, done.stdout
    assert (other / "script").stat().st_mode & 0o777 == 0o750


def test_ssh(shared: Server) -> None:
    done = ssh(shared, "pod", "cat; echo err >&2; exit 3", said=b"bytes \0\xff")
    assert (done.stdout, done.stderr, done.returncode) == (b"bytes \0\xff", b"err\n", 3)


def test_the_containers_environment(shared: Server) -> None:
    if not IS_ROOT:
        pytest.skip("the environment is the container's first process's, which only root's is not")
    lines = ssh(shared, "pod", "env; pwd").stdout.decode().splitlines()
    assert "IN_CONTAINER=yes" in lines
    assert f"HOME={shared.home}" in lines
    assert lines[-1] == str(shared.home)
    assert f"USER={USER_ID}" in lines


def test_language_is_taken_from_the_client(shared: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_TIME", "de_DE.UTF-8")
    monkeypatch.setenv("OTHER", "x")
    done = ssh(shared, "-o", "SendEnv=LC_TIME OTHER", "pod", "echo $LC_TIME,$OTHER")
    assert done.stdout == b"de_DE.UTF-8,\n"


def copy_there_and_back(server: Server, tree: Path, back: Path, protocol: str) -> None:
    command = ("scp", protocol, "-q", "-p", "-r", "-F", str(server.config))
    there = server.home / "scp"
    run(*command, str(tree), f"pod:{there}")
    same(tree, there)
    run(*command, f"pod:{there}", str(back))
    same(tree, back)


def test_scp(shared: Server, tree: Path, tmp_path: Path, needs: Needs) -> None:
    needs("scp")
    copy_there_and_back(shared, tree, tmp_path / "back", "-s")


def test_scp_without_sftp(known: Server, tree: Path, tmp_path: Path, needs: Needs) -> None:
    """scp in the container does it; it wants its user to be in passwd."""
    needs("scp")
    copy_there_and_back(known, tree, tmp_path / "back", "-O")


def test_sftp(shared: Server, tree: Path, tmp_path: Path, needs: Needs) -> None:
    needs("sftp")
    batch = f"""
mkdir sub
put -Rp {tree} sub/there
ls -l sub/there
rename sub/there/big sub/there/large
symlink large sub/there/link
chmod 600 sub/there/large
df sub
get -Rp sub/there {tmp_path}/back
rm sub/there/link
rename sub/there/large sub/there/big
"""
    done = run("sftp", "-q", "-b", "-", "-F", str(shared.config), "pod", said=batch.encode())
    assert b"with space" in done.stdout
    same(tree, shared.home / "sub" / "there")
    assert (tmp_path / "back" / "large").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "back" / "large").read_bytes() == (tree / "big").read_bytes()


def test_rsync(shared: Server, tree: Path, tmp_path: Path, needs: Needs) -> None:
    needs("rsync")
    command = ("rsync", "-a", "-e", f"ssh -F {shared.config}")
    run(*command, f"{tree}/", f"pod:{shared.home}/rsync/")
    same(tree, shared.home / "rsync")
    (tree / "more").write_text("changed\n")
    run(*command, "--delete", f"{tree}/", f"pod:{shared.home}/rsync/")
    run(*command, f"pod:{shared.home}/rsync/", f"{tmp_path}/back/")
    same(tree, tmp_path / "back")


def test_sshfs(shared: Server, tree: Path, tmp_path: Path, needs: Needs) -> None:
    needs("sshfs")
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    options = f"ssh_command=ssh -F {shared.config}"
    mounted = run("sshfs", f"pod:{shared.home}", str(mountpoint), "-o", options, check=False)
    if mounted.returncode:
        pytest.skip(f"sshfs cannot mount here: {mounted.stderr.decode().strip()}")
    try:
        shutil.copytree(tree, mountpoint / "sshfs")
        same(tree, shared.home / "sshfs")
        (mountpoint / "sshfs" / "big").rename(mountpoint / "sshfs" / "moved")
        with (mountpoint / "sshfs" / "moved").open("r+b") as file:
            file.seek(1000)
            file.write(b"in the middle")
            os.fsync(file.fileno())
        moved = (shared.home / "sshfs" / "moved").read_bytes()
        assert moved[1000:1013] == b"in the middle"
        assert len(moved) == BIG
    finally:
        run("fusermount3", "-u", str(mountpoint), check=False)


@contextmanager
def background(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def echoing(family: socket.AddressFamily, address: str) -> Iterator[int]:
    """A server that sends back what it reads; its port, 0 for a unix socket."""
    with socket.socket(family) as listener:
        listener.bind((address, 0) if family == socket.AF_INET else address)
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    while data := peer.recv(65536):
                        peer.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1] if family == socket.AF_INET else 0
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def echo_through(family: socket.AddressFamily, address: tuple[str, int] | str) -> bytes:
    deadline = time.monotonic() + 60
    while True:
        try:
            with socket.socket(family) as peer:
                peer.settimeout(20)
                peer.connect(address)
                peer.sendall(b"there and back")
                peer.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: peer.recv(65536), b""))
        except (ConnectionRefusedError, FileNotFoundError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("way", ["-L", "-R"])
def test_forwarded_ports(shared: Server, way: str) -> None:
    port = free_port()
    with (
        echoing(socket.AF_INET, "127.0.0.1") as echo,
        background(
            *("ssh", "-F", str(shared.config), "-N", "-o", "ExitOnForwardFailure=yes"),
            *(way, f"127.0.0.1:{port}:127.0.0.1:{echo}", "pod"),
        ),
    ):
        assert echo_through(socket.AF_INET, ("127.0.0.1", port)) == b"there and back"


@pytest.mark.parametrize("way", ["-L", "-R"])
def test_forwarded_sockets(shared: Server, way: str) -> None:
    local, remote = shared.home / f"local{way}", shared.home / f"remote{way}"
    with (
        echoing(socket.AF_UNIX, str(local)),
        background(
            *("ssh", "-F", str(shared.config), "-N", "-o", "ExitOnForwardFailure=yes"),
            *(way, f"{remote}:{local}", "pod"),
        ),
    ):
        if IS_ROOT:
            local.chmod(0o777)
        assert echo_through(socket.AF_UNIX, str(remote)) == b"there and back"


def test_socks(shared: Server) -> None:
    port = free_port()
    with (
        echoing(socket.AF_INET, "127.0.0.1") as echo,
        background("ssh", "-F", str(shared.config), "-N", "-D", f"127.0.0.1:{port}", "pod"),
    ):
        greeting = b"\5\1\0"
        request = b"\5\1\0\3\x09localhost" + echo.to_bytes(2, "big")
        deadline = time.monotonic() + 60
        while True:
            try:
                peer = socket.create_connection(("127.0.0.1", port), 20)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        with peer:
            peer.sendall(greeting)
            assert peer.recv(2) == b"\5\0"
            peer.sendall(request)
            assert peer.recv(10)[:2] == b"\5\0"
            peer.sendall(b"through socks")
            assert peer.recv(100) == b"through socks"


def test_agent(shared: Server, tmp_path: Path) -> None:
    agent = subprocess.Popen(
        ("ssh-agent", "-D", "-a", str(tmp_path / "agent")), stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "agent").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        environment = os.environ | {"SSH_AUTH_SOCK": str(tmp_path / "agent")}
        subprocess.run(("ssh-add", "-q", str(shared.key)), env=environment, check=True)
        listed = subprocess.run(
            ("ssh", "-F", str(shared.config), "-A", "-o", "IdentityAgent=SSH_AUTH_SOCK", "pod",
             "ssh-add -l; env | grep AUTH_SOCK"),
            env=environment, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert "ED25519" in listed
        path = Path(listed.partition("SSH_AUTH_SOCK=")[2].strip())
        deadline = time.monotonic() + 60
        while path.exists():
            assert time.monotonic() < deadline, "the agent's socket is left"
            time.sleep(0.02)
    finally:
        agent.terminate()
        agent.wait()


def test_a_master_and_its_sessions(shared: Server, tmp_path: Path) -> None:
    master = ("-o", f"ControlPath={tmp_path}/m", "-o", "ControlMaster=auto")
    with background("ssh", "-F", str(shared.config), *master, "-N", "pod"):
        deadline = time.monotonic() + 60
        while not (tmp_path / "m").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        command = ("ssh", "-F", str(shared.config), "-o", f"ControlPath={tmp_path}/m", "pod")
        many = [subprocess.Popen((*command, f"echo {n}"), stdout=subprocess.PIPE) for n in range(9)]
        assert [one.communicate(timeout=60)[0] for one in many] == [b"%d\n" % n for n in range(9)]
