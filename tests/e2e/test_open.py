"""open with the installed program. The editors are programs that note how they were started."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from tests.cluster import pods
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster


def editor(desk: Desk, name: str, *, exit_code: int = 0) -> None:
    """Put a program of this name on the laptop's PATH."""
    place = desk.laptop.home / "bin" / name
    desk.laptop.write(place, f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" > ~/started\nexit {exit_code}\n')
    place.chmod(0o700)


def started(desk: Desk) -> list[str]:
    """The words with which the program was started, its own name without the folder first."""
    program, *words = (desk.laptop.home / "started").read_text().splitlines()
    return [program.rpartition("/")[2], *words]


def open_(desk: Desk, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """``kubectl nodeport open WORDS``, with ~/bin on PATH."""
    path = f"{desk.laptop.inside(desk.laptop.home)}/bin:{desk.laptop.environment()['PATH']}"
    return desk.nodeport("open", *words, env={"PATH": path, **environ})


def starting_in(desk: Desk, folder: str) -> None:
    """A pod dev whose container starts there."""
    words = pods.Words()
    manifest = pods.manifest("dev", words, desk.laptop.public_key())
    manifest["spec"]["containers"][0]["workingDir"] = folder
    desk.ns.pod("first")  # which makes sure of the image
    desk.cluster.api.create(f"{desk.ns.path}/pods", manifest)
    desk.ns.wait("dev", words)


def alias(desk: Desk) -> str:
    (line,) = desk.nodeport("get", "hosts", "-o", "name").stdout.splitlines()
    return line.removeprefix("host/")


def test_the_container_s_folder_in_the_first_editor_there_is(anywhere: Desk) -> None:
    desk = anywhere
    starting_in(desk, "/srv/my données")
    editor(desk, "zed")
    editor(desk, "codium")
    first = open_(desk, "dev")
    assert (first.returncode, first.stdout) == (0, ""), first.stderr
    assert "created in ~/.ssh/config, user root" in first.stderr
    host = alias(desk)
    assert f"opening /srv/my données on {host} in VSCodium" in first.stderr
    uri = f"vscode-remote://ssh-remote+{host}/srv/my%20donn%C3%A9es"
    assert started(desk) == ["codium", "--folder-uri", uri]
    assert desk.ssh(host, "hostname") == "dev"
    again = open_(desk, "dev", TERM_PROGRAM="zed")
    notes = [line for line in again.stderr.splitlines() if not line.startswith("note: ")]
    assert notes == [f"opening /srv/my données on {host} in Zed"]
    assert started(desk) == ["zed", f"ssh://{host}/srv/my%20donn%C3%A9es"]


@pytest.mark.parametrize(
    ("flags", "ends"),
    [
        (("--editor", "code"), "/root"),
        (("--editor", "code", "--folder", "/var/lib"), "/var/lib"),
        (("--editor", "code-insiders", "--folder=/a#b?c"), "/a%23b%3Fc"),
    ],
)
def test_flags(desk: Desk, flags: Sequence[str], ends: str) -> None:
    """Its exit code is passed on; where the container starts in / the user's home is opened."""
    desk.ns.pod("dev")
    editor(desk, flags[1], exit_code=7)
    done = open_(desk, "dev", *flags)
    assert (done.returncode, done.stdout) == (7, "")
    program, flag, uri = started(desk)
    assert (program, flag) == (flags[1], "--folder-uri")
    assert uri == f"vscode-remote://ssh-remote+{alias(desk)}{ends}"


def test_no_editor(desk: Desk) -> None:
    """A URL on stdout, alone, and a note."""
    desk.ns.pod("dev")
    done = open_(desk, "dev")
    host = alias(desk)
    assert (done.returncode, done.stdout) == (
        0,
        f"vscode://vscode-remote/ssh-remote+{host}/root\n",
    )
    assert f"note: code is not on PATH; this URL opens /root on {host} in VS Code" in done.stderr
    assert '"remote.SSH.remotePlatform"' in done.stderr
    editor(desk, "code")
    zed = open_(desk, "dev", "--editor", "zed")
    assert zed.stdout == f"zed://ssh/{host}/root\n"
    assert not (desk.laptop.home / "started").exists()
    again = open_(desk, "dev")
    assert "remotePlatform" not in again.stderr, "it is told once, of a new host"


def test_a_config_that_the_editor_does_not_read(desk: Desk) -> None:
    desk.ns.pod("dev")
    editor(desk, "code")
    done = open_(desk, "dev", "--ssh-config", "other.conf")
    assert done.returncode == 0
    home = desk.laptop.inside(desk.laptop.home)
    assert f"note: VS Code reads {home}/.ssh/config and not {home}/other.conf" in done.stderr
    settings = '{"remote.SSH.configFile": "~/other.conf"}'
    desk.laptop.write(desk.laptop.home / ".config/Code/User/settings.json", settings)
    assert "VS Code reads" not in open_(desk, "dev", "--ssh-config", "other.conf").stderr


def test_a_terminal_of_a_window_on_another_machine(desk: Desk) -> None:
    desk.ns.pod("dev")
    editor(desk, "code")
    there = {"TERM_PROGRAM": "vscode", "VSCODE_IPC_HOOK_CLI": "/run/ipc.sock"}
    done = open_(desk, "dev", **there)
    assert done.returncode == 0
    assert "note: this terminal is that of a window on another machine than VS Code's" in (
        done.stderr
    )


def test_what_cannot_be_connected_to_opens_nothing(desk: Desk) -> None:
    editor(desk, "code")
    done = open_(desk, "gone")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('error: no pod "gone"')
    assert not (desk.laptop.home / "started").exists()
