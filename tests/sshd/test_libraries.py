"""Clients that are no OpenSSH: paramiko and asyncssh, whose own tests of a server these follow."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import paramiko
import pytest

from tests.sshd.program import Server


@pytest.fixture
def client(shared: Server) -> Iterator[paramiko.SSHClient]:
    with connected(shared) as one:
        yield one


def connected(server: Server, **options: object) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    key = paramiko.Ed25519Key.from_private_key_file(str(server.key))
    client.connect(
        "127.0.0.1", server.port, server.user, pkey=key, allow_agent=False, look_for_keys=False,
        timeout=30, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    return client


def transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    transport = client.get_transport()
    assert transport is not None
    return transport


def test_paramiko_without_gcm(shared: Server) -> None:
    """paramiko had CTR alone for long."""
    gcm = {"ciphers": ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]}
    with connected(shared, disabled_algorithms=gcm) as client:
        _, stdout, _ = client.exec_command("echo ctr")
        assert stdout.read() == b"ctr\n"


def test_paramiko_commands(client: paramiko.SSHClient) -> None:
    stdin, stdout, stderr = client.exec_command("cat; echo err >&2; exit 9")
    stdin.write(b"x" * 3_000_000)
    stdin.channel.shutdown_write()
    assert len(stdout.read()) == 3_000_000
    assert stderr.read() == b"err\n"
    assert stdout.channel.recv_exit_status() == 9


def test_paramiko_combined_stderr(client: paramiko.SSHClient) -> None:
    channel = transport_of(client).open_session()
    channel.set_combine_stderr(True)
    channel.exec_command("echo one; echo two >&2")
    assert sorted(channel.makefile().read().split()) == [b"one", b"two"]


def test_paramiko_shell_with_a_terminal(client: paramiko.SSHClient) -> None:
    channel = transport_of(client).open_session()
    channel.get_pty("vt100", 100, 30)
    channel.exec_command("read line; stty size; echo $TERM")
    channel.resize_pty(120, 40)
    channel.sendall(b"go\n")
    said = b"".join(iter(lambda: channel.recv(1000), b""))
    assert said.split(b"\r\n")[-3:] == [b"40 120", b"vt100", b""]


def test_paramiko_many_channels(client: paramiko.SSHClient) -> None:
    running = [client.exec_command(f"sleep 0.1; echo {n}")[1] for n in range(60)]
    assert [one.read() for one in running] == [b"%d\n" % n for n in range(60)]


def test_paramiko_rekeys(client: paramiko.SSHClient) -> None:
    stdin, stdout, _ = client.exec_command("cat")
    for _ in range(3):
        stdin.write(b"y" * 100_000)
        transport_of(client).renegotiate_keys()
    stdin.channel.shutdown_write()
    assert len(stdout.read()) == 300_000


def test_paramiko_sftp(client: paramiko.SSHClient, shared: Server, tmp_path: Path) -> None:
    """As in paramiko's tests/test_sftp.py and test_sftp_big.py."""
    with client.open_sftp() as sftp:
        assert sftp.normalize(".") == str(shared.home)
        sftp.mkdir("paramiko", 0o700)
        sftp.chdir("paramiko")
        with sftp.open("lines", "w") as file:
            file.write("one\ntwo\nthree\n")
        with sftp.open("lines", "r+") as file:
            file.seek(4)
            file.write("TWO")
            file.seek(0)
            assert file.readlines() == ["one\n", "TWO\n", "three\n"]
        with sftp.open("lines", "a") as file:
            file.write("four\n")
        assert sftp.stat("lines").st_size == 19
        sftp.truncate("lines", 7)
        sftp.chmod("lines", 0o640)
        sftp.utime("lines", (1_000_000, 2_000_000))
        info = sftp.stat("lines")
        assert (info.st_size, (info.st_mode or 0) & 0o777, info.st_mtime) == (7, 0o640, 2_000_000)
        sftp.symlink("lines", "link")
        assert sftp.readlink("link") == "lines"
        sftp.posix_rename("lines", "renamed")
        with pytest.raises(FileNotFoundError):
            sftp.stat("lines")
        for number in range(300):
            with sftp.open(f"n{number}", "w") as file:
                file.write(str(number))
        assert len(sftp.listdir()) == 302
        big = tmp_path / "big"
        big.write_bytes(os.urandom(5_000_000))
        sftp.put(str(big), "big")
        with sftp.open("big", "rb") as file:
            blocks = list(file.readv([(4_000_000, 70_000), (10, 100_000)]))
        text = big.read_bytes()
        assert blocks == [text[4_000_000:4_070_000], text[10:100_010]]


def test_paramiko_forwards(client: paramiko.SSHClient) -> None:
    transport = transport_of(client)
    arrived: list[paramiko.Channel] = []
    came = threading.Event()

    def handler(channel: paramiko.Channel, *_: object) -> None:
        arrived.append(channel)
        came.set()

    port = transport.request_port_forward("127.0.0.1", 0, handler)
    with socket.create_connection(("127.0.0.1", port), 20) as peer:
        assert came.wait(20)
        peer.sendall(b"in")
        assert arrived[0].recv(2) == b"in"
        arrived[0].sendall(b"out")
        assert peer.recv(3) == b"out"
    transport.cancel_port_forward("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    with pytest.raises(paramiko.ChannelException):
        transport.open_channel("direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 1))


def test_paramiko_is_refused_without_the_key(shared: Server) -> None:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    with pytest.raises(paramiko.AuthenticationException):
        client.connect(
            "127.0.0.1", shared.port, shared.user, password="", pkey=paramiko.RSAKey.generate(2048),
            allow_agent=False, look_for_keys=False,
        )  # fmt: skip
    client.close()


def connect(server: Server) -> asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]:
    return asyncssh.connect(
        "127.0.0.1",
        server.port,
        username=server.user,
        client_keys=[str(server.key)],
        known_hosts=None,
        agent_path=None,
        config=None,
    )


def test_asyncssh_processes(shared: Server) -> None:
    """As in asyncssh's tests/test_process.py."""

    async def play() -> None:
        async with connect(shared) as connection:
            done = await connection.run("cat; echo err >&2; exit 5", input="text")
            assert (done.stdout, done.stderr, done.exit_status) == ("text", "err\n", 5)
            done = await connection.run("kill -USR1 $$")
            assert done.exit_signal is not None
            assert done.exit_signal[:2] == ("USR1", False)
            process = await connection.create_process("echo ready; exec sleep 60")
            assert await process.stdout.readline() == "ready\n"
            process.send_signal("INT")
            assert (await process.wait()).exit_signal is not None
            process = await connection.create_process(
                "read x; stty size", term_type="xterm", term_size=(90, 20)
            )
            process.change_terminal_size(91, 21)
            process.stdin.write("\n")
            assert "21 91" in str((await process.wait()).stdout)
            process = await connection.create_process("cat", send_eof=False)
            process.terminate()
            assert (await process.wait()).exit_signal is not None

    asyncio.run(play())


def test_asyncssh_forwards(shared: Server) -> None:
    """As in asyncssh's tests/test_forward.py: ports and sockets, both ways."""

    async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.write_eof()
        await writer.drain()
        writer.close()

    async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
        reader, writer = streams
        writer.write(b"text")
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    async def play() -> None:
        local, remote = shared.home / "asyncssh-local", shared.home / "asyncssh-remote"
        server = await asyncio.start_unix_server(upper, str(local))
        local.chmod(0o777)
        tcp = await asyncio.start_server(upper, "127.0.0.1", 0)
        port = tcp.sockets[0].getsockname()[1]
        async with server, tcp, connect(shared) as connection:
            one = await connection.forward_local_port("127.0.0.1", 0, "127.0.0.1", port)
            assert await ask(await asyncio.open_connection("127.0.0.1", one.get_port())) == b"TEXT"
            two = await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", port)
            assert await ask(await asyncio.open_connection("127.0.0.1", two.get_port())) == b"TEXT"
            three = await connection.forward_local_port_to_path("127.0.0.1", 0, str(local))
            assert (
                await ask(await asyncio.open_connection("127.0.0.1", three.get_port())) == b"TEXT"
            )
            four = await connection.forward_remote_path(str(remote), str(local))
            assert await ask(await asyncio.open_unix_connection(str(remote))) == b"TEXT"
            four.close()
            await four.wait_closed()
            socks = await connection.forward_socks("127.0.0.1", 0)
            assert socks.get_port()
        assert not remote.exists()

    asyncio.run(play())


def test_asyncssh_sftp(shared: Server, tmp_path: Path) -> None:
    """As in asyncssh's tests/test_sftp.py, of version 3 of the protocol."""

    async def play() -> None:
        big = tmp_path / "big"
        big.write_bytes(os.urandom(3_000_000))
        async with connect(shared) as connection, connection.start_sftp_client() as sftp:
            await sftp.makedirs("asyncssh/deep", exist_ok=True)
            await sftp.put(str(big), "asyncssh/deep/big", preserve=True)
            await sftp.link("asyncssh/deep/big", "asyncssh/hard")
            await sftp.symlink("deep/big", "asyncssh/soft")
            assert await sftp.realpath("asyncssh/soft") is not None
            assert (await sftp.statvfs("asyncssh")).bsize
            async with sftp.open("asyncssh/hard", "r+", encoding="latin-1") as file:
                await file.write("changed", 5)
                assert await file.read(7, 5) == "changed"
            await sftp.get("asyncssh", str(tmp_path / "back"), recurse=True, follow_symlinks=True)
            assert (tmp_path / "back" / "soft").stat().st_size == 3_000_000
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await sftp.stat("none")
            with pytest.raises(asyncssh.SFTPFailure):
                await sftp.rmdir("asyncssh")
            await sftp.rmtree("asyncssh")

    asyncio.run(play())


def test_asyncssh_keepalive(shared: Server) -> None:
    async def play() -> None:
        connection = await asyncssh.connect(
            "127.0.0.1", shared.port, username=shared.user, client_keys=[str(shared.key)],
            known_hosts=None, agent_path=None, config=None,
            keepalive_interval=0.5, keepalive_count_max=6,
        )  # fmt: skip
        async with connection:
            await asyncio.sleep(4.5)  # more than all of them
            assert (await connection.run("echo alive")).stdout == "alive\n"

    asyncio.run(play())
