"""The script that adds a key, run by real shells on a home of its own.

Whose home it is, /etc/passwd tells: a file of the test's is mounted there, in a namespace.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.container import authorize
from kubectl_nodeport.container.authorize import Done, command, line, read
from tests.container.namespaces import told
from tests.container.test_script import SHELLS
from tests.open_folders import let_others_in
from tests.posix import IS_ROOT
from tests.ssh.make import key

LINE = line(key(1))
USER = 4711
as_root = pytest.mark.skipif(
    not IS_ROOT or not all(map(shutil.which, ("unshare", "setpriv"))),
    reason="needs root for its namespaces, unshare and setpriv (util-linux)",
)


@dataclass
class Box:
    """A home of the user `dev`, and a passwd that says so."""

    home: Path
    passwd: Path
    setup: str = ""

    @property
    def file(self) -> Path:
        return self.home / ".ssh" / "authorized_keys"

    def add(
        self,
        *,
        sh: Sequence[str] = ("sh",),
        as_user: bool = False,
        text: str = LINE,
        file: Path | None = None,
        who: str = "dev",
    ) -> Done:
        asked = [*sh, *command(who, str(file or self.file))[1:]]
        ids = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        asking = shlex.join(["setpriv", *ids, *asked] if as_user else asked)
        mounts = f"mount --bind {self.passwd} /etc/passwd; {self.setup}"
        return read(told(f"{mounts}\n{asking}", said=text.encode()))

    def write(self, text: str, mode: int = 0o600) -> None:
        self.file.parent.mkdir(mode=0o700)
        self.file.write_text(text)
        self.file.chmod(mode)
        for path in (self.file.parent, self.file):
            os.chown(path, USER, USER)

    def facts(self) -> list[tuple[int, int, int]]:
        stats = [path.stat() for path in (self.file.parent, self.file)]
        return [(one.st_uid, one.st_gid, one.st_mode & 0o7777) for one in stats]

    def assert_tidy(self) -> None:
        assert list(self.home.rglob(".nodeport-*")) == []


@pytest.fixture
def box(tmp_path: Path) -> Box:
    let_others_in(tmp_path)
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    os.chown(home, USER, USER)
    passwd = tmp_path / "passwd"
    passwd.write_text(f"root:x:0:0::/root:/bin/sh\ndev:x:{USER}:{USER}::{home}:/bin/sh\n")
    return Box(home, passwd)


@as_root
@pytest.mark.parametrize("as_user", [False, True])
@pytest.mark.parametrize("sh", SHELLS)
def test_first_key_and_again(box: Box, sh: tuple[str, ...], as_user: bool) -> None:
    assert box.add(sh=sh, as_user=as_user) == Done(added=True)
    assert box.file.read_text() == LINE
    assert box.facts() == [(USER, USER, 0o700), (USER, USER, 0o600)]
    before = box.file.stat()
    assert box.add(sh=sh, as_user=as_user) == Done(added=False)
    after = box.file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    box.assert_tidy()


@as_root
@pytest.mark.parametrize("sh", SHELLS)
@pytest.mark.parametrize(
    ("before", "added"),
    [
        ("", LINE),
        ("# mine\n", LINE),
        (f"{key(2).openssh} other", f"\n{LINE}"),
        (f"{key(2).openssh} back\\slash \\c ä\r\n\n", LINE),
        (f"# {LINE}", LINE),
        (f" \t#{LINE}", LINE),
        (f"{key(1).openssh}\n", ""),
        (f"{key(1).openssh}", ""),
        (f'from="10.0.0.1",no-pty {key(1).openssh} me\n{key(2).openssh}\n', ""),
        (f"\t{key(1).openssh.replace(' ', '   ')}\r\n", ""),
        (f"ssh-rsa AAAA # {key(1).openssh}\n", LINE),
        (f"{key(2).openssh} {key(1).openssh}\n", LINE),
        (f"cert-authority {key(1).openssh}\n", LINE),
    ],
)
def test_what_was_there_stays(box: Box, sh: tuple[str, ...], before: str, added: str) -> None:
    box.write("")
    box.file.write_bytes(before.encode())
    assert box.add(sh=sh) == Done(added=bool(added))
    assert box.file.read_bytes() == (before + added).encode()
    assert box.facts()[1] == (USER, USER, 0o600)
    box.assert_tidy()


@as_root
def test_bytes_that_are_no_text_stay(box: Box) -> None:
    box.write("")
    box.file.write_bytes(b"\x00\xff\xfe\x80 x\n\x00y")
    assert box.add().added
    assert box.file.read_bytes() == b"\x00\xff\xfe\x80 x\n\x00y\n" + LINE.encode()


@as_root
@pytest.mark.parametrize("sh", SHELLS)
@pytest.mark.parametrize("which", ["file", "folder", "dangling", "hard"])
def test_what_leads_elsewhere_is_refused(box: Box, which: str, sh: tuple[str, ...]) -> None:
    """Else root would give the user another's file, or write it."""
    other = box.home.parent / "other"
    other.mkdir()
    (other / "authorized_keys").write_text("SECRET\n")
    if which == "folder":
        box.file.parent.symlink_to(other)
    else:
        box.file.parent.mkdir()
        if which == "hard":
            box.file.hardlink_to(other / "authorized_keys")
        else:
            box.file.symlink_to(other / ("gone" if which == "dangling" else "authorized_keys"))
    failure = box.add(sh=sh).failure
    assert "belongs to uid 0, not to dev" in failure if which == "hard" else "symbolic" in failure
    assert [path.name for path in other.iterdir()] == ["authorized_keys"]
    assert (other / "authorized_keys").read_text() == "SECRET\n"
    box.assert_tidy()


@as_root
@pytest.mark.parametrize("sh", SHELLS)
def test_folder_of_somebody_else(box: Box, sh: tuple[str, ...]) -> None:
    box.write("")
    os.chown(box.file.parent, 4712, 4712)
    assert f"{box.file.parent} belongs to uid 4712, not to dev" in box.add(sh=sh).failure


@as_root
@pytest.mark.parametrize("sh", SHELLS)
def test_read_only_home(box: Box, sh: tuple[str, ...]) -> None:
    box.setup = f"mount --bind {box.home} {box.home}; mount -o remount,bind,ro {box.home}"
    assert "Read-only file system" in box.add(sh=sh).failure
    assert list(box.home.iterdir()) == []


@as_root
@pytest.mark.parametrize("sh", SHELLS)
def test_full_disk(box: Box, sh: tuple[str, ...]) -> None:
    """The old file is there as it was, and nothing beside it."""
    box.file.parent.mkdir()
    seen = box.home.parent / "seen"
    fill = f"{key(2).openssh} {'x' * 3000}\n"
    box.setup = (
        f"mount -t tmpfs -o size=8k,uid={USER},gid={USER},mode=700 none {box.file.parent}; "
        f"printf %s {shlex.quote(fill)} >{box.file}; chown {USER}:{USER} {box.file}; "
        f"trap 'cp -r {box.file.parent} {seen}' EXIT; "
        f"dd if=/dev/zero of={box.file.parent}/full bs=4096 2>/dev/null || true"
    )
    assert "space" in (failure := box.add(sh=sh).failure) or "I/O error" in failure
    assert sorted(path.name for path in seen.iterdir()) == ["authorized_keys", "full"]
    assert (seen / "authorized_keys").read_text() == fill


@as_root
def test_place_that_others_may_write_is_told(box: Box) -> None:
    box.home.chmod(0o775)
    assert box.add(as_user=True) == Done(added=True, loose=(str(box.home),))


@as_root
def test_who_and_where(box: Box) -> None:
    assert "nobody-of-that-name is not in /etc/passwd" in box.add(who="nobody-of-that-name").failure
    assert "not as root (0)" in box.add(who="root", as_user=True).failure
    outside = box.home.parent / "keys" / "dev"
    assert "is not in the home folder of dev" in box.add(file=outside).failure
    assert "is no plain path" in box.add(file=box.home / ".ssh/../../x").failure
    assert box.add(file=box.home / "a/b/keys").added
    assert (box.home / "a/b/keys").stat().st_uid == USER


@pytest.mark.parametrize("shell", SHELLS)
def test_script_is_good_posix_shell(shell: tuple[str, ...]) -> None:
    script = command("dev", "/x")[2]
    done = subprocess.run(
        [*shell, "-n", "-c", script], capture_output=True, check=False, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_key_stands_in_the_command() -> None:
    assert key(1).openssh.split()[1] not in " ".join(command("dev", "/home/dev/x"))
    assert f"{key(1).openssh} kubectl-nodeport\n" == LINE


@given(st.binary())
def test_any_answer(output: bytes) -> None:
    done = read(output)
    assert done.failure.isprintable()
    assert done.added is False or b"added" in output
    assert authorize.END == b"end"


def test_folders_that_others_may_write_are_no_words_of_a_failure() -> None:
    done = authorize.read(b"failed loose /root\ncat: No space left on device\nend\n")
    assert done.failure == "cat: No space left on device"
