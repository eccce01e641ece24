"""ssh on this machine: its version, its configuration; and the machine's system."""

from __future__ import annotations

import dataclasses

import pytest

from kubectl_nodeport.address.facts import LocalFacts
from kubectl_nodeport.commands.doctor.case import Case
from kubectl_nodeport.commands.doctor.finding import Status
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.entry import HostEntry
from tests.commands.doctor.cases import FakeMachine, case, found, results
from tests.commands.world import FakeHosts, World


@pytest.mark.parametrize(
    ("said", "result", "seen"),
    [
        ("OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17", "ok", "OpenSSH_9.2p1"),
        ("OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2", "ok", "OpenSSH_for_Windows_9.5p1"),
        ("OpenSSH_7.6p1", "ok", "OpenSSH_7.6p1"),
        ("OpenSSH_7.4p1, OpenSSL 1.0.2k", "fail", "OpenSSH_7.4p1 is older than OpenSSH 7.6"),
        ("Dropbear v2022.83", "warning", "ssh says that it is Dropbear v2022.83"),
        ("", "warning", "ssh says that it is nothing"),
    ],
)
def test_version(said: str, result: str, seen: str) -> None:
    finding = found(case(machine=FakeMachine(said)))["ssh-client"]
    assert (finding.status.value, finding.seen) == (result, seen)


def test_no_ssh() -> None:
    gone = FakeMachine(error=NodeportError("ssh cannot be run: not found", hint="install it"))
    findings = found(case(machine=gone))
    assert results(findings)["ssh-client"] == "fail"
    assert findings["ssh-config"].because == findings["ssh-keys"].because == "ssh-client"
    assert findings["own-key"].because == "ssh-client"
    assert findings["sshd"].status is Status.OK


def test_configuration_that_ssh_refuses() -> None:
    bad = NodeportError("ssh does not accept the config: line 3: Bad option", hint="see ssh -G")
    findings = found(case(machine=FakeMachine(config_error=bad)))
    assert findings["ssh-config"].seen == bad.message
    assert findings["entry"].because == "ssh-config"


class Damaged(FakeHosts):
    """Host entries that cannot be read."""

    def entries(self) -> tuple[HostEntry, ...]:
        raise NodeportError("line 7: the block has no end", hint="mend it")


def test_file_that_cannot_be_read_is_blamed_once() -> None:
    findings = found(case(World(hosts=Damaged())))
    assert findings["ssh-config"].seen == "line 7: the block has no end"
    assert results(findings) == {
        "ssh-config": "fail",
        "ssh-keys": "skipped",
        "own-key": "skipped",
        "entry": "skipped",
        "host-keys": "skipped",
    }


def on(**local: object) -> Case:
    there = World()
    of = case(there)
    edges = dataclasses.replace(there.edges, local=LocalFacts(**local))  # type: ignore[arg-type]
    of.make_edges = lambda: edges
    return of


@pytest.mark.parametrize(
    ("local", "seen", "why"),
    [
        ({"platform": "darwin"}, "macOS", "Local Network"),
        ({"platform": "linux", "wsl": True}, "Linux, in WSL", "docs/wsl.md"),
        ({"platform": "linux", "in_cluster": True}, "Linux, in a pod", "NetworkPolicy"),
        ({"platform": "win32"}, "Windows", ""),
    ],
)
def test_platform(local: dict[str, object], seen: str, why: str) -> None:
    """What the system may have to do with it is told where the address does not answer."""
    assert found(on(**local))["platform"].seen == seen
    of = on(**local)
    of.unreached = True
    finding = found(of)["platform"]
    assert finding.status is (Status.WARNING if why else Status.OK)
    assert why in finding.why


def test_tunnel_interfaces_of_macos_say_nothing() -> None:
    of = on(platform="darwin")
    of.machine = FakeMachine(interfaces=("tun0",)).machine
    assert found(of)["platform"].seen == "macOS"
