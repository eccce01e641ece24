from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.binding import bind
from kubectl_nodeport.rule.listed import Host, Listed, Seen, is_about, key, listed, source
from kubectl_nodeport.rule.reached import Backend, matching, problem, reached
from kubectl_nodeport.rule.rule import Rule
from tests.kube import make

ID = "0123456789abcdef"
LABEL = f"{make.UID}.{ID}"
ANNOTATION = "nodeport.crater.raids.io/ssh"
NOT_READY = [{"type": "Ready", "status": "False"}]
MALFORMED = "its annotation is malformed: its value is not JSON"


def dev(name: str = "dev", **changes: Any) -> Json:
    """A pod that our rule reaches."""
    changes.setdefault("labels", {"app": "dev", "kubectl-nodeport/ssh": LABEL})
    return make.pod(name, **changes)


def ours(**spec: Any) -> Json:
    """Our rule for dev, as the API server gives it."""
    binding = bind(Pod.of(make.pod("dev")))
    made = copy.deepcopy(
        service.manifest(Rule("ssh", "default", "pod/dev", 22), binding, ID, 30222)
    )
    made["metadata"] |= {"uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"}
    made["spec"] |= spec
    return made


def theirs(*ports: Json, name: str = "web", **changes: Any) -> Json:
    """A Service of someone else's."""
    return {
        "metadata": {"name": name, "namespace": "default", **changes},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "dev"},
            "ports": list(ports) or [{"port": 80, "targetPort": 8080, "nodePort": 30080}],
        },
    }


def craters(port_name: object = "ssh") -> Json:
    """Crater's rule for dev."""
    return theirs(
        {"port": 22, "targetPort": 22, "nodePort": 31222},
        name="np-jane-1a2b3",
        annotations={"crater.raids.io/port-name": port_name},
        ownerReferences=[{"kind": "Pod", "name": "dev", "controller": True}],
    )


def note(**fields: object) -> dict[str, str]:
    """A pod's annotation for the rule ssh."""
    value = {"name": "ssh", "containerPort": 22, "address": "10.9.9.9", "nodePort": 30222}
    return {ANNOTATION: json.dumps({**value, **fields})}


def seen(*services: Json, pods: tuple[Json, ...] = (), hosts: tuple[Host, ...] = ()) -> Seen:
    """What get sees in a namespace of which it has all pods."""
    backends = [Backend.of(document) for document in pods]
    behind = {at: matching(one, backends) for one in services if (at := key(one))}
    return Seen(services, [one.pod for one in backends], behind, hosts)


RULE = Listed(
    name="ssh",
    namespace="default",
    target="pod/dev",
    pods=("dev",),
    port=22,
    address="192.168.5.82",
    node_port=30222,
    service="nodeport-dev-ssh",
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
)
OTHER = Listed(
    name="web",
    namespace="default",
    pods=("dev",),
    port=8080,
    address="192.168.5.82",
    node_port=30080,
    service="web",
    source="other",
)
CRATER = replace(
    OTHER,
    name="ssh",
    target="pod/dev",
    port=22,
    node_port=31222,
    service="np-jane-1a2b3",
    source="crater",
)
ALONE = replace(
    RULE,
    pods=(),
    service="",
    source="crater",
    created=None,
    address="10.9.9.9",
    problem="has an annotation, but no Service",
)


class TestSources:
    def test_ours(self) -> None:
        assert listed(seen(ours(), pods=(dev(),))) == (RULE,)

    def test_ours_without_its_pods(self) -> None:
        """As with -A: nothing is said of what was not looked at."""
        assert listed(Seen([ours()])) == (replace(RULE, pods=None, address=""),)

    def test_copied_manifest_is_not_ours(self) -> None:
        copied = ours()
        copied["metadata"]["name"] = "copy"
        (row,) = listed(seen(copied, pods=(dev(),)))
        assert (row.source, row.name, row.target) == ("other", "ssh", "")
        assert not row.ours

    def test_rule_of_a_workload(self) -> None:
        made = ours()
        made["metadata"]["annotations"]["kubectl-nodeport/target"] = "deployment/api"
        assert listed(seen(made, pods=(dev(),))) == (replace(RULE, target="deployment/api"),)

    def test_crater(self) -> None:
        assert listed(seen(craters(), pods=(dev(),))) == (CRATER,)

    @pytest.mark.parametrize("port_name", ["", 7, None, "a\x1b[2J", "a\nb", "x" * 64])
    def test_crater_with_a_malformed_name(self, port_name: object) -> None:
        told = "its annotation crater.raids.io/port-name is malformed"
        expected = replace(CRATER, name="np-jane-1a2b3", problem=told)
        assert listed(seen(craters(port_name), pods=(dev(),))) == (expected,)

    def test_of_others(self) -> None:
        assert listed(seen(theirs(), pods=(dev(),))) == (OTHER,)

    def test_of_others_over_several_pods_is_no_problem(self) -> None:
        pods = (dev(), dev("two", uid="2"))
        assert listed(seen(theirs(), pods=pods)) == (replace(OTHER, pods=("dev", "two")),)

    def test_a_row_for_each_open_port(self) -> None:
        rows = listed(
            Seen(
                [
                    theirs(
                        {"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080},
                        {"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053},
                        {"name": "closed", "port": 9, "targetPort": 9},
                    )
                ]
            )
        )
        assert [(r.name, r.port, r.protocol, r.node_port) for r in rows] == [
            ("dns", 53, "UDP", 30053),
            ("http", "http", "TCP", 30080),
        ]

    def test_order(self) -> None:
        rows = listed(seen(theirs(), craters(), ours(), pods=(dev(),)))
        assert [row.source for row in rows] == ["kubectl-nodeport", "crater", "other"]

    def test_ports_of_a_service_stay_together(self) -> None:
        ports = [{"name": n, "port": 1, "nodePort": p} for n, p in (("b", 30001), ("a", 30002))]
        two = [{"name": n, "port": 1, "nodePort": p} for n, p in (("b", 30003), ("a", 30004))]
        rows = listed(Seen([theirs(*two, name="two"), theirs(*ports, name="one")]))
        assert [row.node_port for row in rows] == [30001, 30002, 30003, 30004]

    def test_damaged_annotations_of_ours(self) -> None:
        made = ours()
        made["metadata"]["annotations"] |= {
            "kubectl-nodeport/rule": "\x1b[2J",
            "kubectl-nodeport/target": "pod/\x1b[2J",
        }
        (row,) = listed(seen(made, pods=(dev(),)))
        assert (row.name, row.target) == ("nodeport-dev-ssh", "")
        assert row.problem == "its annotations do not name a rule"


class TestAnnotations:
    def test_one_row_for_a_service_and_its_annotation(self) -> None:
        assert listed(seen(ours(), pods=(dev(annotations=note()),))) == (RULE,)

    def test_the_service_is_the_truth(self) -> None:
        stale = note(nodePort=30999, containerPort=2222)
        assert listed(seen(ours(), pods=(dev(annotations=stale),))) == (RULE,)

    def test_address_of_the_annotation_where_the_pod_tells_none(self) -> None:
        pod = dev(annotations=note(), hostIP="", hostIPs=[])
        assert listed(seen(ours(), pods=(pod,))) == (replace(RULE, address="10.9.9.9"),)

    def test_service_that_is_gone(self) -> None:
        assert listed(seen(pods=(dev(annotations=note()),))) == (ALONE,)

    def test_service_of_another_pod_does_not_tell(self) -> None:
        two = dev("two", uid="2", labels={}, annotations=note())
        rows = listed(seen(ours(), pods=(dev(), two)))
        assert rows == (RULE, replace(ALONE, target="pod/two"))

    def test_service_whose_pods_are_not_known_tells_by_its_node_port(self) -> None:
        pod = Pod.of(dev(annotations=note(nodePort=30080)))
        rows = listed(Seen([theirs()], [pod]))
        assert rows == (replace(OTHER, pods=None, address="10.9.9.9"),)

    def test_followed_rule_whose_pods_are_not_known(self) -> None:
        made = ours()
        made["metadata"]["annotations"]["kubectl-nodeport/target"] = "deployment/api"
        assert len(listed(Seen([made], [Pod.of(dev(annotations=note()))]))) == 1

    @pytest.mark.parametrize("value", ["", "{", "[" * 5000])
    def test_malformed(self, value: str) -> None:
        (row,) = listed(seen(pods=(dev(annotations={ANNOTATION: value}),)))
        assert row == replace(ALONE, port=0, node_port=0, address="", problem=MALFORMED)

    def test_malformed_beside_its_service(self) -> None:
        rows = listed(seen(ours(), pods=(dev(annotations={ANNOTATION: "{"}),)))
        assert rows == (replace(RULE, problem=MALFORMED),)

    @pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "x" * 300, ""])
    def test_hostile_name(self, name: str) -> None:
        pod = dev(annotations={f"nodeport.crater.raids.io/{name}": "{}"})
        (row,) = listed(seen(pods=(pod,)))
        assert row.name == "?"

    def test_of_what_can_be_no_pod(self) -> None:
        pod = replace(Pod.of(dev(annotations=note())), name="\x1b[2J")
        assert listed(Seen([], [pod])) == ()


class TestHosts:
    HOST = Host("dev.default.kind", "127.0.0.1", "default", "nodeport-dev-ssh", ID)

    def test_entry_gives_alias_and_address(self) -> None:
        expected = replace(RULE, hosts=("dev.default.kind",), address="127.0.0.1")
        assert listed(seen(ours(), pods=(dev(),), hosts=(self.HOST,))) == (expected,)

    def test_several(self) -> None:
        hosts = (self.HOST, replace(self.HOST, alias="box"))
        assert listed(seen(ours(), hosts=hosts))[0].hosts == ("dev.default.kind", "box")

    @pytest.mark.parametrize(
        "other", [{"creation": "ffff"}, {"namespace": "lab"}, {"service": "nodeport-dev-web"}]
    )
    def test_entry_of_another_rule(self, other: dict[str, str]) -> None:
        host = replace(self.HOST, **other)
        assert listed(seen(ours(), pods=(dev(),), hosts=(host,))) == (RULE,)

    def test_entry_for_a_service_of_others(self) -> None:
        host = replace(self.HOST, service="web", creation="")
        (row,) = listed(seen(theirs(), pods=(dev(),), hosts=(host,)))
        assert row.hosts == ("dev.default.kind",)


CASES: list[tuple[list[Json], bool, list[str], str]] = [
    ([dev()], True, ["dev"], ""),
    ([dev()], False, ["dev"], ""),
    ([], True, [], "reaches no pod"),
    ([dev(labels={})], True, [], "reaches no pod"),
    ([dev(), dev("two")], True, ["dev", "two"], "reaches 2 pods"),
    ([dev(), dev("two")], False, ["dev", "two"], "reaches 2 pods"),
    ([dev(conditions=NOT_READY)], True, ["dev"], "pod dev is not ready"),
    ([dev(conditions=NOT_READY)], False, [], "reaches no pod: dev is not ready"),
    ([dev(), dev("two", conditions=NOT_READY)], True, ["dev", "two"], "reaches 2 pods"),
    ([dev(), dev("two", conditions=NOT_READY)], False, ["dev"], ""),
    ([dev(), dev("old", deletionTimestamp="x")], True, ["dev", "old"], "reaches 2 pods"),
    ([dev(), dev("old", deletionTimestamp="x")], False, ["dev"], ""),
    ([dev(deletionTimestamp="x")], False, ["dev"], "pod dev is being deleted"),
    ([dev(), dev("done", phase="Succeeded")], True, ["dev"], ""),
    ([dev(), dev("done", phase="Failed")], False, ["dev"], ""),
]


@pytest.mark.parametrize(("pods", "publishes", "names", "told"), CASES)
def test_what_is_reached(pods: list[Json], publishes: bool, names: list[str], told: str) -> None:
    rule = ours(publishNotReadyAddresses=publishes)
    behind = matching(rule, [Backend.of(pod) for pod in pods])
    assert [pod.name for pod in reached(rule, behind)] == names
    assert problem(rule, behind) == told


def test_pod_without_an_address_of_its_own_is_not_reached() -> None:
    pending = dev(phase="Pending")
    del pending["status"]["podIP"]
    assert reached(ours(), [Backend.of(pending)]) == ()


@pytest.mark.parametrize(
    ("one", "expected"),
    [(ours(), True), (craters(), True), (theirs(), True), (theirs(namespace="lab"), False)],
)
def test_is_about_a_pod(one: Json, expected: bool) -> None:
    assert is_about(one, [Pod.of(dev())]) is expected


def test_is_about_a_target_whose_pod_lost_the_label() -> None:
    pod = Pod.of(make.pod("dev", labels={}))
    assert is_about(ours(), [pod], ["pod/dev"])
    assert not is_about(ours(), [pod], ["pod/two"])
    assert not is_about(theirs(), [pod], ["pod/dev"])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
PLACES = [
    ("metadata",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("metadata", "annotations", "kubectl-nodeport/rule"),
    ("metadata", "annotations", "kubectl-nodeport/target"),
    ("metadata", "annotations", "crater.raids.io/port-name"),
    ("metadata", "ownerReferences"),
    ("metadata", "creationTimestamp"),
    ("spec",),
    ("spec", "ports"),
    ("spec", "selector"),
    *(("spec", "ports", name) for name in ("name", "port", "targetPort", "nodePort", "protocol")),
]


@given(made=st.sampled_from([ours, craters, theirs]), at=st.sampled_from(PLACES), value=ANYTHING)
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
def test_hostile_services_break_nothing(made: Any, at: tuple[str, ...], value: object) -> None:
    one = copy.deepcopy(made())
    inside: Any = one
    for name in at[:-1]:
        inside = inside.setdefault(name, {})
        inside = inside[0] if isinstance(inside, list) else inside
    inside[at[-1]] = value
    for row in listed(seen(one, pods=(dev(annotations=note()),))):
        texts = (row.name, row.namespace, row.target, row.service, row.problem, str(row.port))
        assert all(text.isprintable() and len(text) <= 320 for text in texts)
        assert type(row.node_port) is int
        assert row.protocol in ("TCP", "UDP", "SCTP")
    assert source(one) in ("kubectl-nodeport", "crater", "other")
