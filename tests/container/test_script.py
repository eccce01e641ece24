from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.container.script import Inside, command, parse, parse_peers, peers_of
from kubectl_nodeport.kube.request import Request
from tests.ssh.make import key

SHELLS = [
    pytest.param(
        words,
        marks=(
            pytest.mark.linux,
            pytest.mark.skipif(
                shutil.which(words[0]) is None, reason=f"the shell {words[0]} is not installed"
            ),
        ),
    )
    for words in (
        ("sh",),
        ("dash",),
        ("bash", "--posix"),
        ("busybox", "sh"),
        ("zsh", "--emulate", "sh"),
    )
]
SCRIPT = command(None, 22)[2]


def listening(*lines: str) -> dict[int, bool] | None:
    return parse("\n".join(("table /proc/net/tcp", *lines)).encode()).listening


def test_whole_answer() -> None:
    output = (
        "user jane\nhome /home/jane\n"
        f"hostkey {key(1).openssh} root@dev\nhostkey {key(2).openssh}\n"
        "table /proc/net/tcp\nlisten 00000000:0016\nlisten 0100007F:1538\n"
        "table /proc/net/tcp6\nlisten 00000000000000000000000000000000:0016\nend\n"
    )
    assert parse(output.encode()) == Inside(
        "jane", "/home/jane", (key(1), key(2)), {22: False, 0x1538: True}
    )


def test_what_is_asked_fits_into_a_line_of_http() -> None:
    """nginx and others before an API server take 8 KB, what stands before the path included."""
    words = [("command", word) for word in command("u" * 32, 65535)]
    query = (("container", "c" * 63), ("stdin", "true"), ("stdout", "true"), ("stderr", "true"))
    asked = Request(
        *("get", "pods", "ask"),
        name="p" * 253,
        namespace="n" * 63,
        subresource="exec",
        query=(*query, *words),
    )
    assert len(asked.path) < 7680


def test_more_keys_than_a_server_has() -> None:
    lines = "".join(f"made 17\nhostkey {key(seed).openssh}\n" for seed in range(200))
    assert parse(lines.encode()).host_keys == tuple(key(seed) for seed in range(32))


def test_who_is_connected() -> None:
    output = (
        b"peer 0100007F:D431\npeer 00000000000000000000000001000000:D431\npeer x\npeer 1:2\nend\n"
    )
    peers = {"0100007F:D431", "00000000000000000000000001000000:D431"}
    assert parse_peers(output) == peers
    assert parse(output).peers == peers
    assert (peers_of(22), peers_of(65535)) == ("0016", "FFFF")


@pytest.mark.parametrize(
    ("lines", "ages"),
    [
        (["made 17", "hostkey KEY"], {1: 17}),
        (["made 17", "hostkey KEY", "hostkey KEY2"], {1: 17, 2: 17}),
        (["made 17", "hostkey KEY", "made 4", "hostkey KEY2"], {1: 17, 2: 4}),
        (["made", "hostkey KEY"], {}),
        (["made ", "hostkey KEY"], {}),
        (["made -1", "hostkey KEY"], {}),
        (["made 1x", "hostkey KEY"], {}),
        (["hostkey KEY"], {}),
        (["made 17", "made", "hostkey KEY"], {}),
        (["made 17", "hostkey nonsense"], {}),
    ],
)
def test_age_of_keys(lines: list[str], ages: dict[int, int]) -> None:
    text = "\n".join(lines).replace("KEY2", key(2).openssh).replace("KEY", key(1).openssh)
    assert parse(text.encode()).made_s == {key(number): age for number, age in ages.items()}


@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ([], None),
        (["sshd pubkeyauthentication yes"], None),
        (["sshd passwordauthentication yes"], True),
        (["sshd passwordauthentication no"], False),
        (["sshd passwordauthentication no", "sshd kbdinteractiveauthentication yes"], True),
        (["sshd passwordauthentication no", "sshd challengeresponseauthentication yes"], True),
        (["sshd passwordauthentication no", "sshd kbdinteractiveauthentication no"], False),
        (["sshd PasswordAuthentication no", "sshd KbdInteractiveAuthentication no"], False),
        (["sshd PasswordAuthentication no", "sshd KbdInteractiveAuthentication yes"], True),
        (["sshd passwordauthentication maybe"], None),
        (["sshd Xpasswordauthentication yes"], None),
    ],
)
def test_passwords(lines: list[str], allowed: bool | None) -> None:
    assert parse("\n".join(lines).encode()).passwords is allowed


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("folder /work", "/work"),
        ("folder /", "/"),
        ("folder /a b/données", "/a b/données"),
        ("folder ", ""),
        ("folder work", ""),
        ("folder /a\x1b[2J", ""),
        ("folder /a\u202e", ""),
        ("folder /" + "a" * 1024, ""),
    ],
)
def test_folder(line: str, folder: str) -> None:
    assert parse(line.encode()).folder == folder


def test_folder_that_is_not_utf_8() -> None:
    assert parse(b"folder /a\xff").folder == ""


def test_nothing_said() -> None:
    assert parse(b"") == Inside("", "", (), None)
    assert parse(b"end\n") == Inside("", "", (), None)


@pytest.mark.parametrize(
    ("line", "user"),
    [
        ("user root", "root"),
        ("user first.last-2_x", "first.last-2_x"),
        ("user samba$", ""),
        ("user ", ""),
        ("user", ""),
        ("user -oProxyCommand=x", ""),
        ("user a b", ""),
        ("user a\x1b[2J", ""),
        ("user 1000650000", "1000650000"),
        (f"user {'a' * 33}", ""),
        ("users root", ""),
        (" user root", ""),
    ],
)
def test_user(line: str, user: str) -> None:
    assert parse(line.encode()).user == user


@pytest.mark.parametrize(
    ("line", "home"),
    [
        ("home /root", "/root"),
        ("home /", "/"),
        ("home /home/a.b-c_d@e+f", "/home/a.b-c_d@e+f"),
        ("home ", ""),
        ("home root", ""),
        ("home /a b", ""),
        ("home /x;rm", ""),
        ("home /" + "a" * 300, ""),
    ],
)
def test_home(line: str, home: str) -> None:
    assert parse(line.encode()).home == home


@pytest.mark.parametrize(
    ("lines", "ports"),
    [
        ([], {}),
        (["listen 00000000:0016"], {22: False}),
        (["listen 0100007F:0016"], {22: True}),
        (["listen 0200007F:0016"], {22: True}),
        (["listen 7F000001:0016"], {22: True}),  # big-endian
        (["listen 0700F40A:0016"], {22: False}),
        (["listen 7F02010A:0016"], {22: False}),
        (["listen 0100007F:0016", "listen 00000000:0016"], {22: False}),
        (["listen 00000000:0016", "listen 0100007F:0016"], {22: False}),
        (["listen 00000000000000000000000001000000:0016"], {22: True}),
        (["listen 00000000000000000000000000000001:0016"], {22: True}),
        (["listen 00000000000000000000000000000000:08AE"], {2222: False}),
        (["listen 0000000000000000FFFF00000100007F:0016"], {22: True}),
        (["listen 0000000000000000FFFF00000700F40A:0016"], {22: False}),
        (["listen 00000000:16", "listen 0:0016", "listen x", "listen 00000000:0016 "], {}),
    ],
)
def test_listening(lines: list[str], ports: dict[int, bool]) -> None:
    assert listening(*lines) == ports


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_arbitrary_bytes_raise_nothing(output: bytes) -> None:
    parse(output)


WORDS = st.sampled_from(
    [b"user ", b"home ", b"hostkey ", b"table ", b"listen ", b"\n", b"\r", b":"]
)


@settings(deadline=None)
@given(st.lists(WORDS | st.binary(max_size=8), max_size=12).map(b"".join))
def test_arbitrary_answers_are_safe(output: bytes) -> None:
    inside = parse(output)
    assert inside.user.isprintable()
    assert inside.home.isprintable()
    assert all(0 <= port <= 65535 for port in inside.listening or {})


@pytest.mark.parametrize("shell", SHELLS)
def test_script_is_good_posix_shell(shell: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*shell, "-n", "-c", SCRIPT], capture_output=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_script_tells_of_this_machine(shell: tuple[str, ...]) -> None:
    import pwd

    with socket.create_server(("127.0.0.1", 0)) as inner, socket.create_server(("", 0)) as outer:
        done = subprocess.run(
            [*shell, "-c", SCRIPT],
            env={"PATH": os.environ["PATH"], "HOME": "/home/some.one"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0
        assert done.stderr == b""
        assert done.stdout.endswith(b"\nend\n")
        inside = parse(done.stdout)
        assert inside.user == pwd.getpwuid(os.getuid()).pw_name
        assert inside.home == pwd.getpwuid(os.getuid()).pw_dir
        assert inside.listening is not None
        assert inside.listening[inner.getsockname()[1]] is True
        assert inside.listening[outer.getsockname()[1]] is False
        with socket.socket() as bound:  # bound is not listening
            bound.bind(("127.0.0.1", 0))
            assert bound.getsockname()[1] not in inside.listening


@pytest.mark.linux
def test_home_is_that_of_whoever_logs_in() -> None:
    import pwd

    other = next(row for row in pwd.getpwall() if row.pw_uid != os.getuid() and row.pw_dir != "/")
    for user, home in ((other.pw_name, other.pw_dir), ("no-such-user", "")):
        done = subprocess.run(
            [*command(user, 22)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=30,
        )
        assert parse(done.stdout).home == home


@pytest.fixture
def many_files() -> Iterator[None]:
    """So many sockets as a busy pod has."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("shell", SHELLS)
def test_script_comes_to_its_end_among_thousands_of_sockets(shell: tuple[str, ...]) -> None:
    """Read line by line from the file itself, the table of so many takes bash half a minute."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(1500):
            stack.enter_context(socket.create_connection(server.getsockname()))
            stack.enter_context(server.accept()[0])
        port = server.getsockname()[1]
        done = subprocess.run(
            [*shell, "-c", SCRIPT, "sh", "", peers_of(port)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=20,
        )
        assert len(parse_peers(done.stdout)) == 1500


@pytest.mark.parametrize("shell", SHELLS)
def test_script_tells_who_is_connected_as_often_as_asked(shell: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:
        port = server.getsockname()[1]
        process = stack.enter_context(
            subprocess.Popen(
                [*shell, "-c", SCRIPT, "sh", "", peers_of(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        stack.callback(process.kill)
        assert process.stdin
        assert process.stdout

        def answer(line: str) -> frozenset[str]:
            assert process.stdin
            process.stdin.write(line.encode())
            process.stdin.flush()
            lines = iter(process.stdout.readline, b"end\n")  # type: ignore[union-attr]
            return parse_peers(b"".join(lines))

        assert answer("\n") == frozenset(), "at first, with no more to ask"
        with socket.create_connection(("127.0.0.1", port)) as held:
            (peer,) = answer(f"{peers_of(port)}\n")
            assert peer.endswith(f":{held.getsockname()[1]:04X}")
            assert answer(f"{peers_of(1)}\n") == frozenset(), "of another port"
        assert answer(f"{peers_of(port)}\n") == frozenset()
        process.stdin.close()
        assert process.wait(10) == 0, "it ends with its stdin"


@pytest.mark.linux
def test_age_of_a_key_file_and_of_one_on_a_volume(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    file = tmp_path / "keys" / "one"
    file.with_suffix(".pub").write_text(key(1).openssh)
    file.write_text("PRIVATE")
    os.utime(file, (86400, 86400))
    link = tmp_path / "link"
    link.symlink_to(file)
    link.with_suffix(".pub").symlink_to(file.with_suffix(".pub"))
    stat = shutil.which("stat")
    for named in (file, link):
        path = tools(tmp_path, sshd=f"echo hostkey {named}", stat=f'exec {stat} "$@"')
        assert run(path).made_s == {key(1): 86400}, "of the file, not of a link to it"
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    volume = next((m for m in mounts if m != "/" and Path(m, "version").is_file()), None)
    if volume is None:
        pytest.skip("no mount with a file of a known name")
    path = tools(
        tmp_path, sshd=f"echo hostkey {volume}/version", ssh_keygen=f"echo '{key(2).openssh}'"
    )
    assert (run(path).host_keys, run(path).made_s) == ((key(2),), {})


def tools(folder: Path, **scripts: str) -> Path:
    """A PATH of a small image: cat's kin, and what is given."""
    for name in ("sed", "id"):
        found = shutil.which(name)
        assert found
        if not (folder / name).exists():
            (folder / name).symlink_to(found)
    for name, text in scripts.items():
        path = folder / name.replace("_", "-")
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return folder


def run(path: Path) -> Inside:
    """Run with this PATH; the script adds the usual folders behind it."""
    done = subprocess.run(
        ["/bin/sh", "-c", SCRIPT],
        env={"PATH": str(path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0
    return parse(done.stdout)


@pytest.mark.linux
def test_key_files_that_sshd_names(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "one.pub").write_text(f"{key(1).openssh} a comment\n")
    (keys / "one").write_text("PRIVATE")
    (keys / "two").write_text("PRIVATE, without its public half")
    path = tools(
        tmp_path,
        sshd=f"echo port 22; echo hostkey {keys}/one; echo hostkey {keys}/two; "
        f"echo hostkey {keys}/gone",
        ssh_keygen=f"echo '{key(2).openssh}'",
    )
    assert run(path).host_keys == (key(1), key(2))


@pytest.mark.linux
@pytest.mark.parametrize(("whoami", "user"), [("echo me", "me"), ("exit 1", "")])
def test_container_without_id(whoami: str, user: str, tmp_path: Path) -> None:
    assert run(tools(tmp_path, id="exit 1", whoami=whoami)).user == user


@pytest.mark.linux
def test_sshd_that_refuses_to_tell(tmp_path: Path) -> None:
    """As for anyone but root: the usual places are read, of which this machine may have none."""
    inside = run(tools(tmp_path, sshd="echo no hostkeys available >&2; exit 1"))
    assert inside.listening is not None
