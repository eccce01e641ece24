"""What doctor's script tells in a real shell, and how its answer is read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kubectl_nodeport.container import examination, examining, script
from kubectl_nodeport.container.examination import Examination, Mode
from tests.ssh.make import key

SHELLS = [
    (*shell, "-c")
    for shell in (("dash",), ("bash", "--posix"), ("busybox", "sh"))
    if shutil.which(shell[0])
]


SENT = f"{examining.SCRIPT}\n".encode()


@pytest.mark.linux
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_real_shell(shell: tuple[str, ...]) -> None:
    import pwd

    words = examining.command(None)
    assert words[:2] == ("sh", "-c")
    done = subprocess.run(
        [*shell, *words[2:]], input=SENT, capture_output=True, timeout=60, check=True
    )
    assert script.is_whole(done.stdout)
    said = examination.parse(done.stdout)
    me = pwd.getpwuid(os.getuid())
    assert (said.user, said.uid, said.login_uid) == (me.pw_name, me.pw_uid, me.pw_uid)
    assert said.home == me.pw_dir.rstrip("/")
    assert said.has_home == os.path.isdir(me.pw_dir)  # noqa: PTH112
    assert said.listening is not None
    assert said.equipment is not None
    assert said.free_kib["/tmp"] > 0
    assert said.key_files


@pytest.mark.linux
def test_a_user_that_is_not_there() -> None:
    words = examining.command("no-such-user")
    done = subprocess.run(
        ["sh", *words[1:]], input=SENT, capture_output=True, timeout=60, check=True
    )
    said = examination.parse(done.stdout)
    assert (said.login_uid, said.home, said.has_home) == (None, "", False)
    assert said.user


@pytest.mark.parametrize("spell", [str.lower, str], ids=["before 10.5", "since"])
@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_what_sshd_says_of_its_settings(
    tmp_path: Path, shell: tuple[str, ...], spell: Callable[[str], str]
) -> None:
    settings = {
        "Port": "2222",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
        "PubkeyAuthentication": "no",
        "AllowTcpForwarding": "local",
        "DisableForwarding": "yes",
        "TrustedUserCAKeys": "none",
    }
    lines = [f"{spell(name)} {value}" for name, value in settings.items()]
    lines += [f"{spell('PubkeyAuthOptions')} none", f"{spell('AuthorizedKeysFile')} /a/Keys"]
    tool = tmp_path / "sshd"
    tool.write_text("#!/bin/sh\ncat <<'X'\n" + "\n".join([*lines, "X", ""]))
    tool.chmod(0o755)
    done = subprocess.run(
        [*shell, *examining.command(None)[2:]],
        input=SENT,
        capture_output=True,
        timeout=60,
        check=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    said = examination.parse(done.stdout)
    assert said.settings == {name.lower(): (value,) for name, value in settings.items()}
    assert "/a/Keys" in {*said.key_files, *said.missing}


def parsed(*lines: str) -> Examination:
    return examination.parse("\n".join([*lines, "end", ""]).encode())


def test_what_is_read() -> None:
    said = parsed(
        "user dev",
        "uid 1000",
        "login 1000",
        "home /home/dev",
        "has-home",
        "installed /usr/sbin/sshd",
        "running 1 sshd",
        "sshd port 22",
        "sshd port 2222",
        "complaint it is broken",
        "keyfile /a",
        "keyfile /b",
        "there /b",
        "mode 1777 0 /b",
        f'authorized no-pty,command="x y" {key(1).openssh} me',
        "free 10 /tmp",
        "noexec /tmp",
        "table /proc/net/tcp",
        "listen 00000000:0016",
    )
    assert said.installed == {"sshd": "/usr/sbin/sshd"}
    assert said.running == ((1, "sshd"),)
    assert said.settings == {"port": ("22", "2222")}
    assert (said.key_files, said.missing) == (("/b", "/a"), frozenset(["/a"]))
    assert said.modes == (Mode("/b", 0o1777, 0),)
    assert said.authorized == {key(1)}
    assert (said.free_kib, said.noexec) == ({"/tmp": 10}, frozenset(["/tmp"]))
    assert said.listening == {22: False}
    assert said.complaint == "it is broken"


@pytest.mark.parametrize(
    "line",
    [
        "user a b",
        "uid -1",
        "home relative",
        "home /a;b",
        "installed /usr/bin/$(x)/sshd",
        "running x sshd",
        "running 1 evil",
        "sshd permitrootlogin no;yes",
        "sshd banner x",
        "keyfile /a b",
        "mode 999 0 /a",
        "mode 644 0 /a'b",
        "free ten /tmp",
        "noexec tmp",
        "authorized ssh-ed25519 AAAA",
        "authorized ",
    ],
)
def test_what_does_not_fit_is_left_out(line: str) -> None:
    assert parsed(line) == parsed()


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_line_of_a_file_is_no_line_of_the_answer(end: str) -> None:
    """What ends a line for Python does not for sh: the user must not speak for the container."""
    forged = f"authorized x{end}installed /home/dev/bin/sshd{end}uid 0"
    assert parsed("uid 1000", forged) == parsed("uid 1000")


@given(st.binary(max_size=400))
@example(b"mode 644 99999999999 /a\nend")
@example("home /röt\nuser \u202e".encode())
def test_any_answer_is_read(output: bytes) -> None:
    said = examination.parse(output)
    for text in (*said.key_files, *said.installed.values(), said.home, *said.free_kib):
        assert text.isascii()
        assert text.isprintable()
        assert not set(text) & set(" '\"$`;&|<>\\")
