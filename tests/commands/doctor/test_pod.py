"""The pod and its container: why they do not run."""

from __future__ import annotations

from typing import Any

import pytest

from kubectl_nodeport.commands.doctor.finding import Status
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import ApiError, ForbiddenError, UnreachableError
from kubectl_nodeport.kube.target import Target
from tests.commands.doctor.cases import FakeShell, case, found
from tests.commands.fake_api import FakeApi
from tests.commands.world import NODE, World
from tests.kube import make


def world(status: dict[str, Any]) -> World:
    return World(api=FakeApi({**make.pod("dev"), "status": status}, NODE))


def status(state: dict[str, Any], phase: str = "Pending", **more: Any) -> dict[str, Any]:
    containers = [{"name": "main", "state": state, "restartCount": more.pop("restarts", 0)}]
    return {"phase": phase, "containerStatuses": containers, **more}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "message": "0/1 nodes are available: 1 Insufficient cpu.",
}


@pytest.mark.parametrize(
    ("of_status", "seen", "why", "command"),
    [
        (
            status(waiting("ImagePullBackOff", 'Back-off pulling image "nope"')),
            "pod dev is pending: ImagePullBackOff: Back-off pulling",
            "the node cannot get its image",
            "kubectl describe pod dev -n default",
        ),
        (
            status(waiting("ErrImageNeverPull")),
            "ErrImageNeverPull",
            "the node cannot get its image",
            "kubectl describe pod dev -n default",
        ),
        (
            status(waiting("CreateContainerConfigError", 'secret "x" not found')),
            'secret "x" not found',
            "a ConfigMap, a Secret",
            "kubectl describe pod dev -n default",
        ),
        (
            status(waiting("CrashLoopBackOff", "back-off 10s"), "Running", restarts=3),
            "keeps crashing: CrashLoopBackOff: back-off 10s, 3 restarts",
            "ends by itself",
            "kubectl logs dev -c main -n default --previous",
        ),
        (
            {"phase": "Pending", "conditions": [UNSCHEDULABLE]},
            "pod dev is pending: 0/1 nodes are available: 1 Insufficient cpu.",
            "no node takes it",
            "kubectl describe pod dev -n default",
        ),
        (
            status(waiting("ContainerCreating")),
            "pod dev is pending: ContainerCreating",
            "nothing can listen in it yet",
            "kubectl describe pod dev -n default",
        ),
    ],
)
def test_container_that_does_not_run(
    of_status: dict[str, Any], seen: str, why: str, command: str
) -> None:
    findings = found(case(world(of_status)))
    finding = findings["container"]
    assert finding.status is Status.FAIL
    assert seen in finding.seen
    assert why in finding.why
    assert finding.command == command
    assert findings["pod"].status is Status.OK
    blamed = ("inside", "sshd", "own-key", "address", "vscode-tools")
    assert {findings[name].because for name in blamed} == {"container"}


def test_pod_that_is_not_there() -> None:
    findings = found(case(target=Target("devv")))
    assert findings["pod"].status is Status.FAIL
    assert 'no pod "devv"' in findings["pod"].seen
    assert findings["pod"].hint == "did you mean: dev"
    assert findings["entry"].because == findings["rule"].because == "pod"
    assert findings["ssh-keys"].status is Status.OK


def test_pod_that_is_not_ready() -> None:
    there = World()
    document = there.api.get("pods", "dev")
    assert document is not None
    document["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    findings = found(case(there))
    assert findings["pod"].status is Status.WARNING
    assert findings["own-key"].status is Status.OK


@pytest.mark.parametrize(
    ("words", "seen", "hint"),
    [
        ('exec: "sh": executable file not found in $PATH', "there is no shell in", ""),
        ("it broke", "it broke", "try again"),
    ],
)
def test_container_that_cannot_be_asked(words: str, seen: str, hint: str) -> None:
    shell = FakeShell(b"", error=NodeportError(words, hint="try again"))
    findings = found(case(shell=shell))
    finding = findings["inside"]
    assert (finding.status, finding.hint) == (Status.WARNING, hint)
    assert seen in finding.seen
    assert findings["sshd-port"].because == findings["own-key"].because == "inside"
    assert findings["sshd"].seen.startswith("port 22 answers through the API server, with the host")
    assert findings["address"].status is Status.OK


def test_an_answer_that_broke_off() -> None:
    finding = found(case(shell=FakeShell(b"user root\n")))["inside"]
    assert finding.status is Status.WARNING
    assert "cannot be looked into" in finding.seen
    assert "kubectl exec dev -n default -c main -- sh -c true" in finding.hint


def test_container_that_cannot_be_asked_and_runs_no_server() -> None:
    there = World()
    there.tunnel.error = NodeportError("port 22 of pod dev cannot be reached", hint="its log")
    findings = found(case(there, shell=FakeShell(b"", error=NodeportError("no shell", hint=""))))
    finding = findings["sshd"]
    assert (finding.status, finding.hint) == (Status.FAIL, "its log")
    assert findings["own-key"].because == "inside"


@pytest.mark.parametrize(
    "error",
    [
        ForbiddenError("it is forbidden", hint="ask", status=403),
        ApiError("a proxy knows no websockets", hint="", status=400),
        UnreachableError("it did not answer in time", hint=""),
    ],
)
def test_container_that_cannot_be_asked_nor_its_port(error: NodeportError) -> None:
    there = World()
    there.tunnel.error = error
    findings = found(case(there, shell=FakeShell(b"", error=NodeportError("no shell", hint=""))))
    assert findings["sshd"].because == "inside"


@pytest.mark.parametrize("user", ["a\nb", "a;b", "-x"])
def test_user_that_cannot_be(user: str) -> None:
    """The name stands in commands."""
    finding = found(case(target=Target("dev", user)))["pod"]
    assert finding.status is Status.FAIL
    assert "cannot be a user name" in finding.seen


def test_port_at_which_no_ssh_server_answers() -> None:
    there = World()
    there.tunnel.error = NodeportError("not an ssh server, it says: HTTP/1.1 400", hint="so")
    findings = found(case(there))
    finding = findings["sshd-port"]
    assert (finding.status, finding.hint) == (Status.FAIL, "so")
    assert finding.seen == "not an ssh server, it says: HTTP/1.1 400"
    assert findings["own-key"].status is Status.OK
