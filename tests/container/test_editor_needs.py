from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.container.editor_needs import SCRIPT, Equipment, lacks, read
from kubectl_nodeport.container.script import command, parse
from tests.container.test_script import SHELLS
from tests.posix import IS_ROOT

DEBIAN_12 = """equipment
kernel 6.1.0-18-amd64
has bash
has tar
has curl
file ld-linux-x86-64.so.2
file libstdc++.so.6
file libstdc++.so.6.0.30
"""
ALPINE = """equipment
kernel 5.15.0
has tar
has wget
file ld-musl-x86_64.so.1
"""
CENTOS_7 = """equipment
kernel 3.10.0-1160.el7.x86_64
has bash
has tar
has curl
file ld-linux-x86-64.so.2
file ld-linux.so.2
file libc-2.17.so
file libstdc++.so.6
file libstdc++.so.6.0.19
"""
BUSYBOX = "equipment\nkernel 6.1.0\nhas tar\nhas wget\n"


def equipment(text: str) -> Equipment:
    found = read(text.splitlines())
    assert found is not None
    return found


def needs(text: str, home: str = "/root") -> list[str]:
    return [lack.need for lack in lacks(equipment(text), home)]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (DEBIAN_12, []),
        (ALPINE, ["libstdc++", "bash"]),
        (ALPINE + "has bash\nfile libstdc++.so.6\nfile libstdc++.so.6.0.33\n", []),
        (ALPINE.replace("x86_64", "aarch64"), ["libstdc++", "bash"]),
        (ALPINE.replace("x86_64", "riscv64"), ["processor", "bash"]),
        (CENTOS_7, ["libc", "libstdc++", "kernel"]),
        (BUSYBOX, ["libc", "bash"]),
        (DEBIAN_12.replace("ld-linux-x86-64.so.2", "ld-linux-armhf.so.3"), []),
        (DEBIAN_12.replace("ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"), []),
        (DEBIAN_12.replace("ld-linux-x86-64.so.2", "ld-linux.so.2"), ["processor"]),
        (DEBIAN_12.replace("ld-linux-x86-64.so.2", "ld64.so.1"), ["processor"]),
        (DEBIAN_12 + "file libc-2.28.so\n", []),
        (DEBIAN_12 + "file libc-2.27.so\n", ["libc"]),
        (DEBIAN_12 + "file libc-2.27.so\nfile ld-musl-x86_64.so.1\n", []),
        (DEBIAN_12.replace("6.0.30", "6.0.25"), []),
        (DEBIAN_12.replace("6.0.30", "6.0.24"), ["libstdc++"]),
        (DEBIAN_12.replace("file libstdc++.so.6.0.30\n", ""), []),
        (DEBIAN_12.replace("has curl", "has wget"), []),
        (DEBIAN_12.replace("has curl\n", ""), ["download"]),
        (DEBIAN_12.replace("has tar\n", ""), ["tar"]),
        (DEBIAN_12.replace("6.1.0-18-amd64", "4.18"), []),
        (DEBIAN_12.replace("6.1.0-18-amd64", "4.17.9"), ["kernel"]),
        (DEBIAN_12 + "unwritable /root\n", ["home"]),
        (DEBIAN_12 + "unwritable /home/other\n", []),
    ],
)
def test_what_is_missing(text: str, missing: list[str]) -> None:
    assert needs(text) == missing


@pytest.mark.parametrize(
    ("settings", "forwards"),
    [
        ([], None),
        (["allowtcpforwarding yes"], True),
        (["allowtcpforwarding all"], True),
        (["allowtcpforwarding local"], True),
        (["allowtcpforwarding remote"], False),
        (["allowtcpforwarding no"], False),
        (["allowtcpforwarding no", "allowtcpforwarding yes"], True),
        (["AllowTcpForwarding no"], False),
        (["AllowTcpForwarding yes", "DisableForwarding yes"], False),
        (["allowtcpforwarding maybe"], None),
        (["allowtcpforwarding yes", "disableforwarding yes"], False),
        (["allowtcpforwarding yes", "disableforwarding no"], True),
    ],
)
def test_whether_sshd_forwards(settings: list[str], forwards: bool | None) -> None:
    text = DEBIAN_12 + "".join(f"sshd {line}\n" for line in settings)
    assert equipment(text).forwards is forwards
    assert needs(text) == (["forwarding"] if forwards is False else [])


def test_words_say_what_is_there_instead() -> None:
    (libc, libstdcxx, kernel) = lacks(equipment(CENTOS_7), "")
    assert libc.words == "glibc 2.28 (it has 2.17)"
    assert libstdcxx.words == "libstdc++.so.6.0.25 (it has 6.0.19)"
    assert kernel.words == "Linux 4.18 (it has 3.10)"


@pytest.mark.parametrize("text", ["", "has bash", "equipment-x", "sshd allowtcpforwarding no"])
def test_nothing_is_missing_where_nobody_looked(text: str) -> None:
    assert read(text.splitlines()) is None


WORDS = st.sampled_from(
    ["equipment\n", "kernel ", "has ", "file libc-2.", "file libstdc++.so.6.0.", "file ld", ".so"]
)


@given(st.lists(WORDS | st.text(max_size=8) | st.just("9" * 5000), max_size=12).map("".join))
def test_whatever_is_said_words_are_short_and_plain(text: str) -> None:
    found = read(f"equipment\n{text}".splitlines())
    assert found is not None
    for lack in lacks(found, "/root"):
        assert lack.words.isprintable()
        assert len(lack.words) < 100


@pytest.mark.parametrize("shell", SHELLS)
def test_script_tells_of_this_machine(shell: tuple[str, ...], tmp_path: Path) -> None:
    for home, unwritable in ((tmp_path, ""), (tmp_path / "no", str(tmp_path / "no"))):
        done = subprocess.run(
            [*shell, "-c", f"{SCRIPT}\nset -f\nequipment {home}"],
            capture_output=True,
            check=False,
            timeout=20,
        )
        assert done.stderr == b""
        found = equipment(done.stdout.decode())
        release = platform.release().split(".")
        assert found.kernel == (int(release[0]), int(release[1].split("-")[0]))
        assert found.commands == {
            name for name in ("bash", "tar", "curl", "wget") if shutil.which(name)
        }
        libc, version = platform.libc_ver()
        if libc == "glibc":
            assert any(name.startswith("ld-linux") for name in found.loaders)
            minor = int(version.split(".")[1])
            assert found.glibc == (minor if minor < 34 else None)
        assert found.unwritable == unwritable


def copied(program: str, root: Path) -> None:
    """Put a program into a root file system, with the libraries that it is linked with."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    for path in (program, *libraries):
        into = root / path.lstrip("/")
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, into)


@pytest.mark.skipif(not IS_ROOT, reason="chroot needs root")
@pytest.mark.skipif(shutil.which("ldd") is None, reason="the root is made by ldd")
@pytest.mark.parametrize("has_id", [True, False])
def test_script_in_an_old_image_with_next_to_nothing(tmp_path: Path, has_id: bool) -> None:
    """What a container with glibc 2.17 has, by the names of its files."""
    for program in ("/bin/sh", "/usr/bin/id") if has_id else ("/bin/sh",):
        copied(program, tmp_path)
    for folder in ("usr/lib64", "etc", "dev", "lib/x86_64-linux-gnu"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name in ("dev/null", "lib/x86_64-linux-gnu/libc-2.17.so", "usr/lib64/libstdc++.so.6.0.19"):
        (tmp_path / name).touch()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/nowhere:/bin/sh\n")
    done = subprocess.run(
        ["chroot", tmp_path, *command("root", 22)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=20,
    )
    inside = parse(done.stdout)
    found = inside.equipment
    assert found is not None
    assert (found.glibc, found.libstdcxx, found.commands) == (17, 19, frozenset())
    assert found.kernel is None, "there is no /proc"
    # Without id nobody knows whether it is root for whom the folder is not there.
    assert (inside.home, found.unwritable) == ("/nowhere", "/nowhere" if has_id else "")
