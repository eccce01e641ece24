from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.container.authorized_keys import SCRIPT, Authorized, parse_line, read
from kubectl_nodeport.container.script import MORE, command, parse
from kubectl_nodeport.ssh.known_hosts import HostKey
from tests.container.namespaces import told
from tests.container.test_script import SHELLS
from tests.open_folders import let_others_in
from tests.posix import IS_ROOT
from tests.ssh.make import key

K1, K2 = key(1).openssh, key(2).openssh
USER = 4711


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (K1, ""),
        (f"{K1} me@laptop", ""),
        (f" \t{K1}\r", ""),
        (K1.replace(" ", "\t \t"), ""),
        (f"no-pty {K1}", "no-pty"),
        (f'command="echo \\"a b\\" # c",no-pty {K1} me', 'command="echo \\"a b\\" # c",no-pty'),
        (f'from="a,b" \t {K1}', 'from="a,b"'),
        (f"cert-authority {K1}", "cert-authority"),
        (f"# {K1}", None),
        (f"#{K1}", None),
        ("", None),
        ("ssh-ed25519", None),
        ("ssh-ed25519 AAAA", None),
        (f"ssh-rsa {K1.split()[1]}", None),
        (f"{K1[:-8]}", None),
        (f"{K1}x", None),
        (f'command="no end {K1}', None),
        (f"one two {K1}", None),
        (f"ssh-ed25519-cert-v01@openssh.com {K1.split()[1]}", None),
        ("x" * 1_000_000, None),
        (f"ssh-ed25519 {'A' * 1_000_000}", None),
    ],
)
def test_line(line: str, found: str | None) -> None:
    assert parse_line(line) == (None if found is None else (key(1), found))


def test_key_of_hardware_is_read_as_well() -> None:
    name = b"sk-ssh-ed25519@openssh.com"
    parts = (name, bytes(32), b"ssh:")
    hardware = HostKey(name.decode(), b"".join(len(p).to_bytes(4, "big") + p for p in parts))
    assert parse_line(f"{hardware.openssh} yubikey") == (hardware, "")


def test_answer() -> None:
    lines = f"keysfile /home/a/x\nauthorized {K1}\nauthorized # {K2}\nkeys known\nend\n"
    assert read(lines.encode()) == Authorized(("/home/a/x",), True, frozenset([key(1).blob]))
    assert read(lines.replace("keys known", "keys ").encode()) == Authorized(
        ("/home/a/x",), False, frozenset([key(1).blob])
    )
    assert read(lines.replace("keys known\n", "").encode()) is None
    authority = read(lines.replace(K1, f"CERT-authority {K1}").encode())
    assert authority is not None
    assert not authority.is_known


@pytest.mark.parametrize("path", ["relative", "/a b", "/a;b", "/\x1b", "", "/" + "a" * 300])
def test_file_that_cannot_be_named_is_none_to_write(path: str) -> None:
    found = read(f"keysfile {path}\nkeysfile /etc/keys\nkeys known\n".encode())
    assert found == Authorized((), True, frozenset())


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_line_of_a_file_is_no_line_of_the_answer(end: str) -> None:
    """What ends a line for Python does not for sshd: the user must not speak for the container."""
    forged = f"authorized x{end}hostkey {K2}{end}user mallory"
    output = f"user root\nhostkey {K1}\n{forged}\nkeysfile /x\nkeys known\nend\n"
    inside = parse(output.encode())
    assert (inside.user, inside.host_keys) == ("root", (key(1),))
    assert inside.authorized is not None


@given(st.binary() | st.text().map(str.encode))
def test_any_answer(output: bytes) -> None:
    for found in (read(output), read(b"keysfile " + output + b"\nkeys known\n")):
        assert found is None or all(path.isprintable() for path in found.files)


@given(st.text())
def test_any_line(line: str) -> None:
    parse_line(line)


OPTION = st.text(st.characters(codec="ascii", exclude_characters='"\\\r\n\x00'), max_size=9)


@given(OPTION, st.text(st.characters(codec="ascii", exclude_characters="\r\n"), max_size=20))
def test_any_option_and_comment(option: str, comment: str) -> None:
    line = f'no-pty,command="{option}" {K1} {comment}'
    assert parse_line(line) == (key(1), f'no-pty,command="{option}"')


@pytest.mark.parametrize("shell", SHELLS)
def test_script_is_one_good_line(shell: tuple[str, ...]) -> None:
    assert "\n" not in SCRIPT
    done = subprocess.run(
        [*shell, "-n", "-c", SCRIPT], capture_output=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, b"")


@dataclass
class Container:
    """A home of the user `dev`, an /etc/ssh, and a process that looks like its sshd."""

    home: Path
    etc: Path
    folder: Path
    server: str = "/usr/sbin/sshd -D"

    def look(
        self,
        *,
        sh: Sequence[str] = ("sh",),
        user: int = 0,
        login: str = "dev",
        tells: str = "exit 1",
    ) -> Authorized | None:
        """Run the script, with an `sshd -T` that tells so."""
        tool = self.folder / "bin" / "sshd"
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\n{tells}\n")
        tool.chmod(0o755)
        passwd = self.folder / "passwd"
        passwd.write_text(f"root:x:0:0::/root:/bin/sh\ndev:x:{USER}:1::{self.home}:/bin/sh\n")
        sleep = self.folder / "running" / "sshd"
        sleep.parent.mkdir(exist_ok=True)
        if not sleep.exists():
            sleep.symlink_to(shutil.which("sleep") or "")
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        running = f"bash -c {shlex.quote(f'exec -a {shlex.quote(self.server)} {sleep} 60')} & "
        waiting = "until grep -qsx sshd /proc/[0-9]*/comm; do sleep 0.02; done"
        asking = shlex.join([*who, *sh, *command(login, 22)[1:]])
        mounts = f"mount --bind {self.etc} /etc/ssh; mount --bind {passwd} /etc/passwd"
        started = f"{running} {waiting}" if self.server else "true"
        script = f"{mounts}; {started}; {asking}"
        env = {"PATH": f"{tool.parent}:{os.environ['PATH']}"}
        return parse(told(script, said=f"{MORE}\n".encode(), processes=True, env=env)).authorized

    def file(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, USER, 1)
        return path


@pytest.fixture
def container(tmp_path: Path) -> Container:
    if not IS_ROOT or not all(map(shutil.which, ("unshare", "setpriv", "bash"))):
        pytest.skip("needs root for its namespaces, unshare and setpriv (util-linux), and bash")
    let_others_in(tmp_path)
    made = Container(tmp_path / "home", tmp_path / "etc", tmp_path)
    made.home.mkdir()
    made.etc.mkdir()
    return made


def found(container: Container, *files: str, known: bool = True, keys: int = 0) -> Authorized:
    paths = tuple(str(container.home / name) for name in files)
    blobs = frozenset(key(number + 1).blob for number in range(keys))
    return Authorized(paths, known, blobs)


USUAL = (".ssh/authorized_keys", ".ssh/authorized_keys2")


@pytest.mark.parametrize("shell", SHELLS)
def test_usual_places(container: Container, shell: tuple[str, ...]) -> None:
    assert container.look(sh=shell) == found(container, *USUAL)
    container.file(".ssh/authorized_keys", f"# x\\c \\n ä\n{K1}")
    container.file(".ssh/authorized_keys2", f"no-pty {K2}\r\n")
    assert container.look(sh=shell) == found(container, *USUAL, keys=2)
    os.chown(container.home / ".ssh", USER, 1)
    assert container.look(sh=shell, user=USER) == found(container, *USUAL, keys=2)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("setting", "files", "known"),
    [
        ("AuthorizedKeysFile .ssh/authorized_keys", USUAL[:1], True),
        ("AuthorizedKeysFile %h/k/%u", ("k/dev",), True),
        ("authorizedkeysfile = k/%U.%%x", (f"k/{USER}.%x",), True),
        ("AuthorizedKeysFile k/%Z", ("k/",), False),
        ("AuthorizedKeysFile none", (), True),
        ("AuthorizedKeysFile a b\nAuthorizedKeysFile c", ("a", "b"), True),
        ("AuthorizedKeysFile a b c d e", ("a", "b", "c", "d"), False),
        ("#AuthorizedKeysFile a", USUAL, True),
        ("PubkeyAuthentication no", USUAL, False),
        ("PubkeyAuthentication yes", USUAL, True),
        ("AuthorizedKeysCommand /bin/keys", USUAL, False),
        ("AuthorizedKeysCommand none", USUAL, True),
        ("TrustedUserCAKeys /etc/ca", USUAL, False),
        ("Match User dev\nAuthorizedKeysFile a", (), False),
        ("AuthorizedKeysFile a\nMatch User you\nAuthorizedKeysFile b", (), False),
        ("Match User dev\nX11Forwarding no", USUAL, True),
        ("Include more.conf", ("more",), True),
    ],
)
def test_settings(
    container: Container,
    shell: tuple[str, ...],
    setting: str,
    files: tuple[str, ...],
    known: bool,
) -> None:
    (container.etc / "sshd_config").write_text(f"{setting}\n")
    (container.etc / "more.conf").write_text("AuthorizedKeysFile more\n")
    told = container.look(sh=shell)
    assert told is not None
    if "%Z" in setting:
        assert not told.is_known
    elif "%%" in setting:
        assert told == Authorized((), known, frozenset())
    else:
        assert told == found(container, *files, known=known)


@pytest.mark.parametrize("spell", [str.lower, str], ids=["before 10.5", "since"])
@pytest.mark.parametrize("shell", SHELLS)
def test_sshd_tells(
    container: Container, shell: tuple[str, ...], spell: Callable[[str], str]
) -> None:
    """It knows best, but of sections for some users it does not tell."""
    (container.etc / "sshd_config").write_text("AuthorizedKeysFile other\n")
    public, file, authority = map(
        spell, ("PubkeyAuthentication", "AuthorizedKeysFile", "TrustedUserCAKeys")
    )
    tells = f"echo {public} yes; echo {file} k/%u l; echo {authority}"
    assert container.look(sh=shell, tells=f"{tells} none") == found(container, "k/dev", "l")
    told = container.look(sh=shell, tells=f"{tells} /etc/ca")
    assert told == found(container, "k/dev", "l", known=False)
    (container.etc / "sshd_config").write_text("Match all\nAuthorizedKeysFile other\n")
    told = container.look(sh=shell, tells=f"{tells} none")
    assert told == found(container, "k/dev", "l", known=False)
    here = f"case $* in *-C*user=dev,*) echo {file} sections/%u; exit ;; esac"
    told = container.look(sh=shell, tells=f"{here}; {tells} none")
    assert told == found(container, "sections/dev", known=False)


@pytest.mark.parametrize("shell", SHELLS)
def test_what_cannot_be_known(container: Container, shell: tuple[str, ...]) -> None:
    container.file(".ssh/authorized_keys", f"{K1}\n")
    unknown = found(container, *USUAL, known=False)
    assert container.look(sh=shell, user=4712) == unknown, "another's file"
    os.chown(container.home / ".ssh/authorized_keys", 0, 0)
    assert container.look(sh=shell, user=USER) == unknown, "a file that cannot be read"
    assert container.look(sh=shell, login="nobody-of-that-name") == Authorized(
        (), False, frozenset()
    )
    container.server = "/usr/sbin/sshd -D -oAuthorizedKeysFile=/x"
    told = container.look(sh=shell)
    assert told is not None
    assert not told.is_known
    container.server = ""
    told = container.look(sh=shell)
    assert told is not None
    assert not told.is_known, "no server is seen"


@pytest.mark.parametrize("shell", SHELLS)
def test_file_that_is_large(container: Container, shell: tuple[str, ...]) -> None:
    container.file(".ssh/authorized_keys", f"{K1}\n" + f"# {'x' * 998}\n" * 80)
    assert container.look(sh=shell) == found(container, *USUAL, known=False, keys=1)
