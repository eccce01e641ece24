"""Kubeconfig, server and rights."""

from __future__ import annotations

import threading

import pytest

from kubectl_nodeport.commands.doctor.case import Case, DoctorRequest
from kubectl_nodeport.commands.doctor.finding import Status
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Request, UnreachableError
from tests.commands.doctor.cases import FakeMachine, case, first_fail, found, results
from tests.commands.world import World
from tests.kube import make


def test_healthy() -> None:
    findings = found(case())
    assert results(findings) == {}
    assert findings["server"].seen == "https://127.0.0.1:6443 is Kubernetes v1.34.4"


def test_nothing_is_changed() -> None:
    there = World()
    found(case(there))
    writes = [one for one in there.api.writes() if one != "create selfsubjectaccessreviews"]
    assert writes == []
    assert there.hosts.written == {}
    assert all(session.closed for session in there.exec.sessions)


def test_without_a_target_nothing_of_a_pod_is_asked() -> None:
    there = World()
    findings = found(case(there, target=None))
    assert list(findings) == [
        *("kubeconfig", "server", "rights", "optional-rights"),
        *("ssh-client", "ssh-config", "ssh-keys", "platform"),
    ]
    assert results(findings) == {}
    assert not any("pods" in line for line in there.api.log if not line.startswith("create self"))


def test_no_kubeconfig_explains_the_rest() -> None:
    def no_edges() -> object:
        raise NodeportError("no kubeconfig: ~/.kube/config does not exist", hint="set KUBECONFIG")

    findings = found(Case(DoctorRequest(), no_edges, FakeMachine().machine))  # type: ignore[arg-type]
    assert (findings["kubeconfig"].status, findings["ssh-client"].status) == (
        Status.FAIL,
        Status.OK,
    )
    rest = {n: f for n, f in findings.items() if n not in ("kubeconfig", "ssh-client")}
    assert {finding.because for finding in rest.values()} == {"kubeconfig"}


def test_server_that_is_not_checked() -> None:
    connection = make.connection(cluster={"insecure-skip-tls-verify": True})
    finding = found(case(World(connection=connection)))["kubeconfig"]
    assert finding.status is Status.WARNING
    assert "insecure-skip-tls-verify" in finding.seen


def test_server_that_does_not_answer() -> None:
    there = World()

    def down(_request: Request) -> None:
        raise UnreachableError("the API server refused the connection", hint="kubectl version")

    there.api.before = down
    findings = found(case(there))
    assert results(findings, Status.SKIPPED) | {"server": "fail"} == {
        "kubeconfig": "ok",
        "server": "fail",
        "ssh-client": "ok",
        "ssh-config": "ok",
        "ssh-keys": "ok",
        "platform": "ok",
    }
    assert findings["pod"].because == "server"


@pytest.mark.parametrize("version", ["v1.34.4", "v1.33.1+k3s1", "v1.30.0-eks-a1b2"])
def test_versions(version: str) -> None:
    there = World()
    there.api.version = version
    asked = case(there)
    assert version in found(asked)["server"].seen
    assert asked.minor == int(version[3:5])


@pytest.mark.parametrize("version", ["", "v1.34.4\x1b[2J", "two", "v1." + "9" * 50])
def test_a_version_that_is_none(version: str) -> None:
    there = World()
    there.api.version = version
    asked = case(there)
    assert found(asked)["server"].seen == "https://127.0.0.1:6443 answers, its version is not known"
    assert asked.minor == 0


@pytest.mark.parametrize(
    ("missing", "result", "seen"),
    [
        (["get pods"], "fail", "missing: get pods"),
        (["create services"], "warning", "missing: create services"),
        (["list services"], "warning", "missing: list services"),
        (["list services", "get pods/portforward"], "fail", "missing: list services"),
    ],
)
def test_rights_that_are_needed(missing: list[str], result: str, seen: str) -> None:
    there = World()
    for one in missing:
        there.api.forbid(*one.split(" "))
    finding = found(case(there))["rights"]
    assert (finding.status.value, finding.seen) == (result, seen)
    assert finding.command == f"kubectl auth can-i {missing[0]} -n default"
    assert finding.why


def test_no_right_at_all() -> None:
    there = World()
    for right in ("get pods", "list services", "create services"):
        there.api.forbid(*right.split(" "))
    asked = case(there)
    assert first_fail(asked).name == "rights"
    assert found(case(there))["address"].because == "rights"


@pytest.mark.parametrize(
    ("missing", "cost"),
    [
        ("list pods", "is not proven"),
        ("patch pods", "needs labels that this pod has alone"),
        ("get pods/exec", "host keys, user and settings are not read"),
        ("delete services", "disconnect fails"),
        ("get nodes", "the node's other addresses are not tried"),
    ],
)
def test_each_right_that_helps_tells_its_cost(missing: str, cost: str) -> None:
    there = World()
    there.api.forbid(*missing.split(" "))
    finding = found(case(there))["optional-rights"]
    assert finding.status is Status.WARNING
    assert (finding.seen, cost in finding.why) == (f"missing: {missing}", True)


def test_without_exec_nothing_inside_is_blamed() -> None:
    there = World()
    there.api.forbid("get", "pods/exec")
    findings = found(case(there))
    inside = ("inside", "sshd-port", "login", "own-key", "vscode-home")
    assert {findings[name].because for name in inside} == {"optional-rights"}
    assert "answers through the API server" in findings["sshd"].seen
    there.api.forbid("get", "pods/portforward")
    assert found(case(there))["sshd"].because == "inside"


def test_create_exec_is_asked_for_from_1_35_on() -> None:
    for version, result in (("v1.34.4", "ok"), ("v1.35.0", "warning")):
        there = World()
        there.api.version = version
        there.api.forbid("create", "pods/exec")
        assert found(case(there))["optional-rights"].status.value == result


def test_rights_are_asked_for_once_and_several_at_the_same_time() -> None:
    there = World()
    pairs = threading.Barrier(2, timeout=20)

    def met(request: Request) -> None:
        if request.resource == "selfsubjectaccessreviews":
            pairs.wait()

    there.api.before = met
    assert results(found(case(there))) == {}
    asked = [one.body for one in there.api.requests if one.resource == "selfsubjectaccessreviews"]
    assert len(asked) == len({str(body) for body in asked}) == 12


def test_silence_is_waited_for_once() -> None:
    there = World()

    def silent(request: Request) -> None:
        if request.resource in ("pods", "networkpolicies"):
            raise UnreachableError("it did not answer in time", hint="")

    there.api.before = silent
    assert found(case(there))["pod"].status is Status.FAIL
    assert there.api.log.count("get pods/dev") == 1
