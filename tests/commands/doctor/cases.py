"""A case of doctor, made of plain fakes: a healthy pod, unless a test says else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kubectl_nodeport.commands.doctor.case import Case, DoctorRequest, Machine
from kubectl_nodeport.commands.doctor.checks import ALL, of
from kubectl_nodeport.commands.doctor.finding import Checked, Finding, Status
from kubectl_nodeport.commands.doctor.runner import run
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.streams import Output
from kubectl_nodeport.kube.target import Target
from tests.commands.world import FakeSession, World, inside
from tests.ssh.make import key

OURS = key(50)
"""The key that ssh offers in `World`."""

DEV = Target("dev")

HEALTHY: Mapping[str, tuple[str, ...]] = {
    "user": ("root",),
    "uid": ("0",),
    "login": ("0",),
    "home": ("/root",),
    "has-home": ("",),
    "installed": ("/usr/sbin/sshd", "/usr/bin/apt-get"),
    "running": ("1 sshd",),
    "sshd": (
        "port 22",
        "allowtcpforwarding yes",
        "disableforwarding no",
        "permitrootlogin without-password",
        "strictmodes yes",
        "pubkeyauthentication yes",
    ),
    "config": ("/etc/ssh/sshd_config",),
    "keyfile": ("/root/.ssh/authorized_keys", "/root/.ssh/authorized_keys2"),
    "there": ("/root/.ssh/authorized_keys",),
    "mode": ("600 0 /root/.ssh/authorized_keys", "700 0 /root/.ssh", "700 0 /root"),
    "authorized": (OURS.openssh,),
    "equipment": ("",),
    "kernel": ("6.1.0",),
    "has": ("bash", "tar", "curl"),
    "file": ("ld-linux-x86-64.so.2", "libstdc++.so.6"),
    "free": ("9000000 /root", "9000000 /tmp"),
    "table": ("/proc/net/tcp",),
    "listen": ("00000000:0016",),
}
"""What container.examination's script prints, by the first word of its lines."""


def told(changes: Mapping[str, Sequence[str]]) -> bytes:
    """What the script prints, with the lines of some words changed.

    What sshd's file says is what sshd says, unless that is said.
    """
    changes = {"plain": changes.get("sshd", HEALTHY["sshd"]), **changes}
    lines = [
        f"{word} {rest}".rstrip()
        for word, rests in {**HEALTHY, **changes}.items()
        for rest in rests
    ]
    return "\n".join([*lines, "end", ""]).encode()


@dataclass
class FakeShell:
    """The container's shell: it answers doctor's script, and connect's."""

    examination: bytes
    look: bytes = field(default_factory=inside)
    error: Exception | None = None
    sessions: list[FakeSession] = field(default_factory=list)

    def start(
        self, namespace: str, pod: str, container: str, command: tuple[str, ...]
    ) -> FakeSession:
        assert (namespace, pod, container) == ("default", "dev", "main")
        if self.error:
            raise self.error
        said = self.look if "hostkey" in command[2] else self.examination
        self.sessions.append(FakeSession(Output(said, b"", None)))
        return self.sessions[-1]


@dataclass
class FakeMachine:
    ssh: str = "OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17 1 Jul 2025"
    error: NodeportError | None = None
    config_error: NodeportError | None = None
    interfaces: Sequence[str] = ("lo", "eth0")

    @property
    def machine(self) -> Machine:
        return Machine(self._version, self._settings, lambda: self.interfaces)

    def _version(self) -> str:
        if self.error:
            raise self.error
        return self.ssh

    def _settings(self, _host: str) -> Mapping[str, list[str]]:
        if self.config_error:
            raise self.config_error
        return {"user": ["me"]}


def case(
    world: World | None = None,
    machine: FakeMachine | None = None,
    *,
    shell: FakeShell | None = None,
    target: Target | None = DEV,
    asked: Mapping[str, object] | None = None,
    says: Mapping[str, Sequence[str]] | None = None,
) -> Case:
    """A case; ``says`` are words of the container's answer that are not healthy."""
    world = world or World()
    world.exec = shell or FakeShell(told(says or {}))  # type: ignore[assignment]
    request = DoctorRequest(target, **(asked or {}))  # type: ignore[arg-type]
    return Case(request, lambda: world.edges, (machine or FakeMachine()).machine)


def found(of_case: Case) -> dict[str, Finding]:
    """What all checks find."""
    has_target = of_case.request.target is not None
    return {one.name: one.finding for one in run(of(has_target=has_target), of_case)}


def first_fail(of_case: Case) -> Checked:
    """The first check that fails; there has to be one."""
    checked = run(ALL, of_case)
    return next(one for one in checked if one.finding.status is Status.FAIL)


def results(findings: Mapping[str, Finding], but: Status = Status.OK) -> dict[str, str]:
    """How the checks ended, but for those that ended so."""
    return {name: f.status.value for name, f in findings.items() if f.status is not but}
