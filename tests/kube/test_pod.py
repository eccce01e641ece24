from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import (
    Container,
    ContainerPort,
    Controller,
    Pod,
    check_running,
    check_usable,
)
from tests.kube import make


def refused(pod: Pod) -> str:
    """What the checks say of the pod; "" where it is fine."""
    try:
        check_usable(pod)
        check_running(pod, pod.container())
    except NodeportError as err:
        return err.message if err.hint else "a refusal without a hint"
    return ""


def container_status(name: str = "main", restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": name, "restartCount": restarts, "state": state}


def test_running_pod() -> None:
    pod = Pod.of(make.pod("dev"))
    assert pod == Pod(
        namespace="default",
        name="dev",
        uid=make.UID,
        phase="Running",
        node="node-1",
        containers=(Container("main", started=datetime(2026, 1, 1, tzinfo=timezone.utc)),),
        labels={"app": "dev"},
        annotations={},
        host_ips=("192.168.5.82",),
    )
    assert refused(pod) == ""


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            make.pod(
                phase="Pending",
                nodeName=None,
                containerStatuses=[],
                conditions=[
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 Insufficient cpu.",
                    }
                ],
            ),
            "pod dev is pending: 0/1 nodes are available: 1 Insufficient cpu.",
        ),
        (
            make.pod(
                phase="Pending",
                containerStatuses=[container_status(waiting={"reason": "ContainerCreating"})],
            ),
            "pod dev is pending: ContainerCreating",
        ),
        (
            make.pod(
                phase="Pending",
                containerStatuses=[
                    container_status(
                        waiting={
                            "reason": "ImagePullBackOff",
                            "message": 'Back-off pulling image "nope"',
                        }
                    )
                ],
            ),
            'pod dev is pending: ImagePullBackOff: Back-off pulling image "nope"',
        ),
        (
            make.pod(phase="Pending", containerStatuses=[]),
            "pod dev is pending: its containers have not started",
        ),
        (
            make.pod(
                containerStatuses=[
                    container_status(
                        restarts=4,
                        waiting={
                            "reason": "CrashLoopBackOff",
                            "message": "back-off 40s restarting failed container=main",
                        },
                    )
                ]
            ),
            "container main of pod dev keeps crashing: CrashLoopBackOff: "
            "back-off 40s restarting failed container=main, 4 restarts",
        ),
        (
            make.pod(
                containerStatuses=[
                    container_status(restarts=1, terminated={"reason": "Error", "exitCode": 1})
                ]
            ),
            "container main of pod dev keeps crashing: Error, 1 restarts",
        ),
        (
            make.pod(containerStatuses=[container_status(terminated={"reason": "Completed"})]),
            "container main of pod dev does not run: Completed",
        ),
        (
            make.pod(phase="Unknown", containerStatuses=[]),
            "container main of pod dev does not run: the kubelet does not say why",
        ),
        (make.pod(phase="Succeeded"), "pod dev has completed, nothing runs in it any more"),
        (make.pod(phase="Failed"), "pod dev has failed, nothing runs in it any more"),
        (make.pod(deletionTimestamp="2026-01-01T00:00:00Z"), "pod dev is being deleted"),
        (
            make.pod(hostNetwork=True),
            "pod dev uses its node's network: a rule would open the node's own port",
        ),
        (make.pod(containers=[]), "pod dev has no containers"),
    ],
)
def test_pod_that_cannot_be_reached(document: dict[str, Any], message: str) -> None:
    assert refused(Pod.of(document)) == message


def test_pod_that_is_not_ready_is_fine() -> None:
    pod = Pod.of(make.pod(conditions=[{"type": "Ready", "status": "False"}]))
    assert not pod.ready
    assert refused(pod) == ""


def several(**changes: Any) -> Pod:
    return Pod.of(
        make.pod(
            containers=[
                {"name": "proxy", "ports": [{"containerPort": 15001}]},
                {
                    "name": "work",
                    "ports": [
                        {"containerPort": 53, "protocol": "UDP", "name": "ssh"},
                        {"containerPort": 2222, "name": "ssh", "protocol": "TCP"},
                    ],
                },
                {"name": "db", "ports": [{"containerPort": 5432, "name": "pg"}]},
            ],
            containerStatuses=[
                container_status(name, running={}) for name in ("db", "proxy", "work")
            ],
            **changes,
        )
    )


def test_container_that_declares_the_port_then_the_default_then_the_first() -> None:
    pod = several()
    assert pod.ssh_port() == 2222
    assert pod.container(2222).name == "work"
    assert pod.container(5432).name == "db"
    assert pod.container(22).name == "proxy"
    assert pod.container(53).name == "proxy"  # declared for UDP alone
    annotated = several(annotations={"kubectl.kubernetes.io/default-container": "db"})
    assert annotated.container(22).name == "db"
    assert annotated.container(2222).name == "work"
    wrong = several(annotations={"kubectl.kubernetes.io/default-container": "gone"})
    assert wrong.container().name == "proxy"


def test_whose_port_it_is() -> None:
    pod = several()
    proxy, work, db = pod.containers
    assert [pod.declares_beside(one, 2222) for one in (proxy, work, db)] == [True, False, True]
    assert not pod.declares_beside(db, 53), "for UDP alone"
    assert not pod.declares_beside(db, 22)


def test_port_of_two_containers_is_each_ones() -> None:
    both = [{"name": name, "ports": [{"containerPort": 22}]} for name in ("a", "b")]
    pod = Pod.of(make.pod(containers=both))
    assert not any(pod.declares_beside(one, 22) for one in pod.containers)


def test_ssh_port_is_22_where_none_is_named_so() -> None:
    assert Pod.of(make.pod()).ssh_port() == 22


def test_ports_are_read() -> None:
    assert several().containers[1].ports == (
        ContainerPort(53, "ssh", "UDP"),
        ContainerPort(2222, "ssh"),
    )


@pytest.mark.parametrize(
    ("address", "listed", "expected"),
    [
        ("10.0.0.1", [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], ("10.0.0.1", "fd00::1")),
        ("10.0.0.1", None, ("10.0.0.1",)),
        (None, [{"ip": "fd00:0:0::1"}], ("fd00::1",)),
        ("evil\n", [{"ip": "a.b"}, {}, "x", {"ip": 7}, {"ip": ["10.0.0.1"]}], ()),
        ("fe80::1%eth0", [{"ip": "fe80::1%\x1b[2J\nHost *"}], ()),
    ],
)
def test_host_ips_are_addresses(address: Any, listed: Any, expected: tuple[str, ...]) -> None:
    assert Pod.of(make.pod(hostIP=address, hostIPs=listed)).host_ips == expected


BORN, READY = "2026-01-01T10:00:00Z", "2026-01-01T10:00:05Z"


def conditions(ready: str, since: Any = READY) -> list[dict[str, Any]]:
    return [{"type": "Ready", "status": ready, "lastTransitionTime": since}]


def with_metadata(**more: Any) -> Pod:
    document = make.pod()
    document["metadata"] |= more
    return Pod.of(document)


def test_times() -> None:
    pod = Pod.of(make.pod(deletionTimestamp=READY, conditions=conditions("True")))
    assert pod.deleted == pod.ready_since == datetime(2026, 1, 1, 10, 0, 5, tzinfo=timezone.utc)
    born = with_metadata(creationTimestamp=BORN)
    assert born.created == datetime(2026, 1, 1, 10, tzinfo=timezone.utc)
    assert (born.deleted, born.deleting) == (None, False)


@pytest.mark.parametrize("ready", ["False", "Unknown"])
def test_a_pod_that_is_not_ready_is_so_since_never(ready: str) -> None:
    pod = Pod.of(make.pod(conditions=conditions(ready)))
    assert (pod.ready, pod.ready_since) == (False, None)


@pytest.mark.parametrize(
    "odd", ["", "yesterday", "2026-13-01T10:00:00Z", "2026-01-01", BORN + "\n", 7, [BORN], "٢" * 20]
)
def test_odd_times_count_as_none(odd: Any) -> None:
    document = make.pod(deletionTimestamp=odd, conditions=conditions("True", since=odd))
    document["metadata"]["creationTimestamp"] = odd
    pod = Pod.of(document)
    assert (pod.created, pod.deleted, pod.ready_since) == (None, None, None)
    assert (pod.deleting, pod.ready) == (True, True)


def test_sidecars_are_the_init_containers_that_are_restarted_for_ever() -> None:
    document = make.pod()
    document["spec"]["initContainers"] = [
        {"name": "proxy", "restartPolicy": "Always"},
        {"name": "logs", "restartPolicy": "Always"},
        {"name": "setup"},
    ]
    document["status"]["initContainerStatuses"] = [
        {"name": "proxy", "restartCount": 1},
        {"name": "logs", "restartCount": 2},
        {"name": "setup", "restartCount": 9},
    ]
    assert Pod.of(document).sidecar_restarts == 2
    assert Pod.of(make.pod()).sidecar_restarts == 0


OWNER = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "name": "web-7d9f",
    "uid": "u-1",
    "controller": True,
    "blockOwnerDeletion": True,
}


def test_controller() -> None:
    pod = with_metadata(ownerReferences=[{**OWNER, "controller": False, "name": "no"}, OWNER])
    assert pod.controller == Controller("ReplicaSet", "apps/v1", "web-7d9f", "u-1")


@pytest.mark.parametrize(
    "owners",
    [
        None,
        [],
        [{**OWNER, "controller": "true"}],
        [{**OWNER, "name": "evil\n"}],
        [{**OWNER, "kind": "replica set"}],
        [{**OWNER, "apiVersion": "apps/v1/x"}],
        [{**OWNER, "uid": ""}],
        [{k: v for k, v in OWNER.items() if k != "kind"}],
        "x",
    ],
)
def test_no_controller(owners: Any) -> None:
    assert with_metadata(ownerReferences=owners).controller is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


hostile = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@hostile
@given(JSON, JSON, JSON)
def test_arbitrary_parts_raise_nothing_else(metadata: Any, spec: Any, status: Any) -> None:
    refused(Pod.of({"metadata": metadata, "spec": spec, "status": status}))


FIELDS = ("labels", "annotations", "nodeName", "hostNetwork", "phase", "hostIP", "hostIPs",
          "conditions", "containers", "containerStatuses", "uid")  # fmt: skip


@hostile
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_arbitrary_fields_raise_nothing_else(changes: dict[str, Any]) -> None:
    refused(Pod.of(make.pod(**changes)))


@hostile
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "name": JSON,
                "ports": st.lists(
                    st.dictionaries(st.sampled_from(["containerPort", "name", "protocol"]), JSON),
                    max_size=2,
                ),
                "state": st.dictionaries(st.sampled_from(["running", "waiting"]), JSON),
                "type": JSON,
                "restartCount": JSON,
            },
        ),
        max_size=3,
    )
)
def test_arbitrary_items_raise_nothing_else(items: list[Any]) -> None:
    pod = Pod.of(make.pod(containers=items, containerStatuses=items, conditions=items))
    refused(pod)
    assert 1 <= pod.ssh_port() <= 65535
