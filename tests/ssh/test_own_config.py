"""``~/.ssh/config`` of the passwd entry, in a mount namespace that has a passwd of the test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.posix import IS_ROOT
from tests.ssh.make import ALIAS
from tests.ssh.put_one import ROOT, command

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root to bind over /etc/passwd")

SYSTEM = Path("/etc/ssh/ssh_config")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "passwd").write_text(f"root:x:0:0::{tmp_path}/home:/bin/sh\n")
    (tmp_path / "ssh_config").write_text("")
    return tmp_path / "home"


def run(home: Path, *then: str, flags: tuple[str, ...] = (), env_home: str = "") -> list[str]:
    script = f"""
        set -e
        mount --bind {home.parent}/passwd /etc/passwd
        mount --bind {home.parent}/ssh_config {SYSTEM}
        "$@" || exit
        {"; ".join(then)}
    """
    words = command(home / ".ssh" / "config", ALIAS, *flags)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *words],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HOME": env_home or "/nowhere"},
    )
    if "unshare" in done.stderr:
        pytest.skip(f"this machine gives no mount namespace: {done.stderr.strip()}")
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_first_entry_makes_the_folder(home: Path) -> None:
    lines = run(home, f"ssh -T -G {ALIAS}")
    assert lines[0] == "created"
    assert "port 31380" in lines
    keys = f".ssh/kubectl-nodeport/{ALIAS}.known_hosts"
    assert {f"userknownhostsfile {place}/{keys}" for place in (home, "~")} & set(lines)
    folder = home / ".ssh"
    modes = [path.stat().st_mode & 0o777 for path in (folder, folder / "config")]
    assert modes == [0o700, 0o600]
    assert (
        f"  UserKnownHostsFile ~/.ssh/kubectl-nodeport/{ALIAS}.known_hosts\n"
        in (folder / "config").read_text()
    )


def test_what_ssh_does_anyway_is_not_taken_back(home: Path) -> None:
    """UpdateHostKeys is on by default, and off where the known_hosts file is another."""
    assert run(home) == ["created"]
    assert "UpdateHostKeys" not in (home / ".ssh" / "config").read_text()


def test_a_proxy_of_the_system_is_cancelled(home: Path) -> None:
    (home.parent / "ssh_config").write_text("Host *\n  ProxyCommand /usr/bin/false %h\n")
    lines = run(home, f"ssh -T -G {ALIAS}")
    assert lines[0] == "created"
    assert not [line for line in lines if line.startswith("proxycommand")]
    assert "  ProxyCommand none\n" in (home / ".ssh" / "config").read_text()
    assert run(home) == ["unchanged"]


def test_what_the_system_says_is_taken_back_or_told_with_its_line(home: Path) -> None:
    (home.parent / "ssh_config").write_text(
        "# site\nHost *\n  RemoteCommand date\n  UpdateHostKeys yes\n  BindAddress 127.0.0.9\n"
    )
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "config").write_text("Host *\n  RequestTTY force\n")
    (home / ".ssh" / "config").chmod(0o600)
    first, *lines = run(home, f"ssh -T -G {ALIAS}")
    assert f"bindaddress 127.0.0.9, from line 5 of {SYSTEM}; " in first
    assert lines[0] == "created"
    assert {"updatehostkeys false", "requesttty false"} <= set(lines)  # -T is what asked for false
    assert not [line for line in lines if line.startswith("remotecommand")]
    text = (home / ".ssh" / "config").read_text()
    assert "  RemoteCommand none\n  RequestTTY auto\n  UpdateHostKeys no\n" in text
    assert run(home) == [first, "unchanged"]


def test_a_config_that_others_may_write_is_told(home: Path) -> None:
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "config").write_text("Host a\n")
    (home / ".ssh" / "config").chmod(0o666)
    (line,) = run(home)
    assert "Bad owner or permissions" in line
    assert (home / ".ssh" / "config").read_text() == "Host a\n"


def test_our_own_file_is_included_by_its_short_name(home: Path) -> None:
    """Which is what VS Code's host picker follows best."""
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "config").write_text("User me\n")
    lines = run(home, f"ssh -T -G {ALIAS}", flags=("--include", "true"), env_home=str(home))
    assert lines[0] == "created"
    assert "user root" in lines
    text = (home / ".ssh" / "config").read_text()
    assert text.splitlines()[1:] == [
        "Include kubectl-nodeport/config",
        "# <<< kubectl-nodeport <<<",
        "User me",
    ]
    assert run(home, env_home=str(home)) == ["unchanged"]


def test_a_home_that_is_not_the_users_gets_the_long_name(home: Path) -> None:
    """ssh looks for a relative name below $HOME."""
    lines = run(home, f"ssh -T -G {ALIAS}", flags=("--include", "true"))
    assert lines[0] == "created"
    assert "port 31380" in lines
    line = (home / ".ssh" / "config").read_text().splitlines()[1]
    assert line == f'Include "{home}/.ssh/kubectl-nodeport/config"'
    assert run(home, env_home=str(home)) == ["unchanged"]
