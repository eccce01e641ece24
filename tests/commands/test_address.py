from __future__ import annotations

from typing import Any

import pytest

from kubectl_nodeport.address.resolution import Proof
from kubectl_nodeport.cli.render.address import as_document, as_text, names
from kubectl_nodeport.commands.address import AddressRequest, Located, address, lost
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.kube.target import parse
from tests.commands.fake_api import FakeApi
from tests.commands.test_connect import OTHER_NODE
from tests.commands.test_get import pod, rule, theirs
from tests.commands.world import NODE, FakeExec, World, inside


def world(*objects: Json, output: bytes | None = None) -> World:
    return World(FakeApi(NODE, *objects), FakeExec(output or inside()))


def located(made: World, target: str, *wanted: str) -> tuple[Located, ...]:
    return address(AddressRequest(parse(target), wanted), made.edges)


def only(made: World, target: str, *wanted: str) -> Located:
    (one,) = located(made, target, *wanted)
    return one


def test_rule_of_a_pod_by_its_host_key() -> None:
    made = world(pod(), rule())
    found = only(made, "dev")
    assert (found.row.address, found.row.node_port) == ("127.0.0.1", 30222)
    assert found.answer is not None
    assert found.answer.proof is Proof.HOST_KEY
    assert made.knock.ports == []
    assert as_text([found]) == "127.0.0.1:30222"
    assert made.api.writes() == []
    assert [session.closed for session in made.exec.sessions] == [True]


def test_service_of_others_by_a_connection() -> None:
    made = world(pod(), theirs("mysql", port=3306), output=inside(port=80))
    found = only(made, "svc/mysql")
    assert as_text([found]) == "127.0.0.1:30080"
    assert made.knock.ports == [30080]
    assert found.answer is not None


def test_several() -> None:
    made = world(pod(), rule(), theirs("web"))
    found = located(made, "dev")
    assert [one.row.node_port for one in found] == [30222, 30080]
    assert as_text(found) == "127.0.0.1:30222  ssh\n127.0.0.1:30080  web"
    assert names(found) == ["127.0.0.1:30222", "127.0.0.1:30080"]
    assert as_text([only(made, "dev", "web")]) == "127.0.0.1:30080"


def test_ipv6_is_bracketed() -> None:
    status: Json = {"addresses": [{"type": "InternalIP", "address": "fd00::3"}]}
    six = theirs("web", ipFamilies=["IPv6"])
    made = World(FakeApi(pod(), six, {**NODE, "status": status}), FakeExec(inside(port=80)))
    made.knock.open = {"fd00::3"}
    assert as_text([only(made, "svc/web")]) == "[fd00::3]:30080"


def test_udp_is_not_asked() -> None:
    udp = theirs("dns", ports=[{"port": 53, "protocol": "UDP", "nodePort": 30053}])
    made = world(pod(), udp)
    found = only(made, "svc/dns")
    assert as_text([found]) == "127.0.0.1:30053"
    assert (found.answer, found.is_lost, lost([found])) == (None, False, None)
    assert made.knock.ports == []
    assert made.exec.calls == []
    assert "is UDP, where no answer can be waited for" in made.notes[0]
    status = as_document([found])["items"][0]["status"]
    assert (status["address"], status["answered"], status["proof"]) == ("127.0.0.1", False, None)


def test_without_exec_nothing_is_proven() -> None:
    made = world(pod(), rule())
    made.exec.error = NodeportError("the right to get pods/exec is missing", hint="ask for it")
    found = only(made, "dev")
    assert found.answer is not None
    assert found.answer.proof is Proof.ACCEPTED
    assert made.notes == [
        "that pod dev answers is not proven: the right to get pods/exec is missing"
    ]


def test_several_pods_prove_nothing() -> None:
    twin = pod("two", uid="uid-two", labels={"app": "dev"})
    made = world(pod(), twin, theirs("web"))
    assert only(made, "svc/web").answer is not None
    assert made.exec.calls == []
    assert "reaches 2 pods: which of them answers is not proven" in made.notes[0]


def test_container_that_does_not_tell_who_is_connected() -> None:
    made = world(pod(), theirs("web"), output=b"user root\nend\n")
    assert only(made, "svc/web").answer is not None
    assert "its container does not tell who is connected" in made.notes[0]


def test_nothing_answers() -> None:
    made = world(pod(), theirs("web"), OTHER_NODE, output=inside(port=80))
    made.knock.open = set()
    found = only(made, "svc/web")
    assert (as_text([found]), found.is_lost) == ("", True)
    failure = lost([found])
    assert failure is not None
    assert "NodePort 30080 of service web answers at no address from here" in failure.message
    assert "127.0.0.1: refused" in failure.message
    assert "docker desktop restart" in failure.hint
    (item,) = as_document([found])["items"]
    assert item["status"]["address"] is None
    assert [c["result"] for c in item["status"]["candidates"]] == ["refused"] * 2


@pytest.mark.parametrize(
    ("objects", "target", "wanted", "message"),
    [
        ([pod()], "dev", (), "pod/dev has no node port"),
        ([pod(), rule()], "dev", ("smtp",), "pod/dev has no node port named smtp"),
        (
            [pod(), theirs("web", type="ClusterIP", ports=[{"port": 80}])],
            "svc/web",
            (),
            "svc/web has no node port, it is of type ClusterIP",
        ),
        ([pod()], "svc/web", (), 'no service "web"'),
        ([], "dev", (), 'no pod "dev"'),
    ],
)
def test_nothing_to_ask(
    objects: list[Json], target: str, wanted: tuple[str, ...], message: str
) -> None:
    with pytest.raises(NodeportError) as caught:
        located(world(*objects), target, *wanted)
    assert message in caught.value.message
    assert caught.value.hint


def test_document() -> None:
    found = only(world(pod(), rule()), "dev")
    document: dict[str, Any] = as_document([found])
    assert (document["kind"], document["apiVersion"]) == ("AddressList", "kubectl-nodeport/v1")
    assert document["items"][0] == {
        "apiVersion": "kubectl-nodeport/v1",
        "kind": "Address",
        "metadata": {"name": "ssh", "namespace": "default"},
        "spec": {
            "target": "pod/dev",
            "port": 22,
            "protocol": "TCP",
            "nodePort": 30222,
            "service": "nodeport-dev-ssh",
        },
        "status": {
            "address": "127.0.0.1",
            "answered": True,
            "proof": "host-key",
            "candidates": [
                {
                    "address": "127.0.0.1",
                    "reason": "this machine: Docker Desktop forwards NodePorts to 127.0.0.1",
                    "result": "answered",
                    "detail": "answered",
                    "seconds": 0.0,
                }
            ],
        },
    }
