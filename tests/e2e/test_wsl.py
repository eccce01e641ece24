"""Inside WSL, by the laptop's environment: a folder of its home stands in for a Windows drive."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

WINDOWS = "windows/Users/Jane"


def stand_in(desk: Desk, name: str, text: str) -> None:
    path = desk.laptop.home / "bin" / name
    path.parent.mkdir(exist_ok=True)
    desk.laptop.write(path, f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_ssh_of_windows_gets_there_too(desk: Desk) -> None:
    """By a NodePort, then by the tunnel, which Windows starts through wsl.exe."""
    desk.ns.pod("dev")
    there = desk.laptop.home / WINDOWS
    there.mkdir(parents=True)
    stand_in(desk, "wslvar", "printf 'C:\\\\Users\\\\Jane\\r\\n'")
    stand_in(desk, "wslpath", f"echo {desk.laptop.inside(there)}")
    inside = desk.laptop.inside(desk.laptop.home / "bin")
    path = f"{inside}:{desk.laptop.environment()['PATH']}"
    environ = {"WSL_DISTRO_NAME": "Ubuntu", "PATH": path}
    for way, tunnel in ("nodeport", False), ("tunnel", True):
        words = ["kubectl", "nodeport", "connect", "dev", "-n", str(desk.ns), "--via", way]
        done = desk.laptop.run(words, env=environ)
        assert done.returncode == 0, done.stderr
        assert ("ssh.exe dev." in done.stderr) != tunnel
        config = there / ".ssh" / "config"
        assert ('ProxyCommand "C:/Windows/System32/wsl.exe" -d Ubuntu -u root --exec /' in
                config.read_text()) == tunnel  # fmt: skip
        alias = next(
            line.split()[1] for line in config.read_text().splitlines() if line.startswith("Host ")
        )
        proxy = []
        if tunnel:  # what stands behind --exec is what is started
            text = config.read_text()
            command = text[text.index("--exec ") + 7 :].splitlines()[0]
            proxy = ["-o", f"ProxyCommand={command}"]
        there_too = str(desk.laptop.inside(config))
        assert desk.ssh(alias, "hostname") == "dev"
        done = desk.type("ssh", "-F", there_too, *proxy, alias, "hostname")
        assert done.stdout == "dev\n", done.stderr
