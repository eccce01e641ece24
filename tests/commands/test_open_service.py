from __future__ import annotations

import copy
from typing import Any

import pytest

from kubectl_nodeport.commands.expose import Opened
from kubectl_nodeport.commands.open_service import OpenRequest, close_service, open_service
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json, Request
from tests.commands.fake_api import FakeApi, unreachable
from tests.commands.world import NODE, World
from tests.kube import make

FORMER = "kubectl-nodeport/former-type"


def mysql(*ports: Json, **spec: Any) -> Json:
    return {
        "kind": "Service",
        "metadata": {"name": "mysql", "uid": "uid-of-mysql", "labels": {"app": "mysql"}},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "10.96.0.77",
            "ipFamilies": ["IPv4"],
            "selector": {"app": "db"},
            "ports": list(ports) or [{"port": 3306, "targetPort": 3306, "protocol": "TCP"}],
            **spec,
        },
    }


def world(service: Json, *more: Json) -> World:
    return World(api=FakeApi(service, make.pod("db"), NODE, *more))


def run(made: World, **asked: Any) -> Opened:
    made.api.log.clear()
    made.notes.clear()
    return open_service(OpenRequest("mysql", **asked), made.edges)


def refused(made: World, **asked: Any) -> NodeportError:
    before = copy.deepcopy(made.api.objects)
    with pytest.raises(NodeportError) as caught:
        run(made, **asked)
    assert made.api.objects == before
    return caught.value


def stored(made: World) -> Json:
    found = made.api.get("services", "mysql")
    assert found is not None
    return copy.deepcopy(found)


class TestOpen:
    def test_only_type_node_port_and_our_annotation_differ(self) -> None:
        made = world(mysql())
        before = stored(made)
        opened = run(made)
        after = stored(made)
        (port,) = after["spec"]["ports"]
        assert port.pop("nodePort") == opened.listed[0].node_port
        assert after["metadata"].pop("annotations") == {FORMER: "ClusterIP default/mysql"}
        assert after["spec"].pop("type") == "NodePort"
        before["spec"].pop("type")
        for document in (before, after):
            document["metadata"].pop("resourceVersion")
        assert after == before
        assert (opened.change, opened.became) == ("changed", "ClusterIP became NodePort")
        assert opened.listed[0].address == "127.0.0.1"
        assert made.api.writes() == ["patch services/mysql"]

    def test_patch_is_guarded_by_the_version_that_was_read(self) -> None:
        made = world(mysql())
        version = stored(made)["metadata"]["resourceVersion"]
        run(made)
        patch = next(r for r in made.api.requests if r.verb == "patch")
        assert patch.body is not None
        assert patch.body["metadata"]["resourceVersion"] == version
        assert patch.query == (("fieldManager", "kubectl-nodeport"),)

    def test_again_is_unchanged_and_keeps_the_former_type(self) -> None:
        made = world(mysql())
        run(made)
        before = stored(made)
        opened = run(made)
        assert made.api.writes() == []
        assert (opened.change, opened.became) == ("unchanged", "it is of type NodePort already")
        assert stored(made) == before

    def test_same_node_port_when_it_is_opened_again(self) -> None:
        made = world(mysql())
        first = run(made).listed[0].node_port
        close_service("mysql", made.edges)
        assert run(made).listed[0].node_port == first

    def test_preferred_port_is_taken(self) -> None:
        port = run(world(mysql())).listed[0].node_port
        other = mysql({"port": 1, "nodePort": port}, type="NodePort")
        other["metadata"]["name"] = "other"
        made = world(mysql(), other)
        assert run(made).listed[0].node_port not in (0, port)

    def test_all_ports_and_the_one_that_is_asked_for(self) -> None:
        ports = (
            {"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "targetPort": 53, "protocol": "TCP"},
        )
        made = world(mysql(*ports))
        opened = run(made, port="dns-tcp", node_port=30053)
        assert [(one.name, one.port, one.protocol) for one in opened.listed] == [
            ("dns", "dns", "UDP"),
            ("dns-tcp", 53, "TCP"),
        ]
        assert opened.listed[1].node_port == 30053
        assert made.knock.ports == [30053], "UDP cannot be asked"
        assert made.said == [
            "every port of svc/mysql becomes open on every node: 53/UDP (dns), 53 (dns-tcp)"
        ]

    def test_which_port_gets_the_node_port(self) -> None:
        ports = ({"name": "a", "port": 1}, {"name": "b", "port": 2})
        told = refused(world(mysql(*ports)), node_port=30053)
        assert told.message == (
            "which port of svc/mysql is to get NodePort 30053? It has 1 (a), 2 (b)"
        )
        told = refused(world(mysql(*ports)), port=3)
        assert told.message == "svc/mysql has no such port; it has 1 (a), 2 (b)"

    def test_node_port_cannot_be_had(self) -> None:
        told = refused(world(mysql()), node_port=80)
        assert "svc/mysql cannot get NodePort 80" in told.message

    def test_load_balancer_keeps_its_type(self) -> None:
        made = world(mysql({"port": 3306, "nodePort": 30306}, type="LoadBalancer"))
        opened = run(made)
        assert made.api.writes() == []
        assert opened.became == "it is of type LoadBalancer already"
        assert opened.listed[0].node_port == 30306

    @pytest.mark.parametrize(
        ("spec", "said", "hint"),
        [
            ({"type": "ExternalName", "externalName": "db.example"}, "ExternalName", "itself"),
            ({"clusterIP": "None"}, "is headless", "kubectl nodeport expose POD"),
            ({"type": "LoadBalancer"}, "without NodePorts", "use its own address"),
            ({"ports": []}, "has no ports", "-o yaml"),
        ],
    )
    def test_refusals(self, spec: Json, said: str, hint: str) -> None:
        told = refused(world(mysql(**spec)))
        assert said in told.message
        assert hint in told.hint

    def test_node_port_that_stands_is_another(self) -> None:
        made = world(mysql({"port": 3306, "nodePort": 30306}, type="NodePort"))
        assert (
            "has NodePort 30306 for port 3306, not 30307" in refused(made, node_port=30307).message
        )

    def test_dry_run(self) -> None:
        made = world(mysql())
        before = stored(made)
        opened = run(made, dry_run=True)
        assert stored(made) == before
        assert (opened.change, opened.dry_run) == ("changed", True)
        assert made.said == ["every port of svc/mysql would be open on every node: 3306"]
        assert opened.listed[0].node_port == run(made).listed[0].node_port

    def test_somebody_changes_it_meanwhile(self) -> None:
        made = world(mysql())

        def come_first(request: Request) -> None:
            if request.verb == "patch" and made.api.log.count("patch services/mysql") == 1:
                found = made.api.get("services", "mysql")
                assert found is not None
                found["metadata"] |= {"resourceVersion": "999", "labels": {"app": "new"}}

        made.api.before = come_first
        assert run(made).change == "changed"
        assert stored(made)["metadata"]["labels"] == {"app": "new"}

    @pytest.mark.parametrize(
        ("labels", "manager"),
        [
            ({"app.kubernetes.io/managed-by": "Helm"}, "Helm"),
            ({"argocd.argoproj.io/instance": "x"}, "argocd.argoproj.io"),
            ({"app.kubernetes.io/managed-by": "me"}, ""),
        ],
    )
    def test_managed_by_others(self, labels: dict[str, str], manager: str) -> None:
        document = mysql()
        document["metadata"]["labels"] = labels
        made = world(document)
        run(made)
        told = [note for note in made.notes if "may turn the change back" in note]
        expected = f"svc/mysql is managed by {manager}, which may turn the change back"
        assert told == ([expected] if manager else [])

    @pytest.mark.parametrize(
        "metadata",
        [
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:/Service:default/mysql"}},
            {"annotations": {"meta.helm.sh/release-name": "db"}},
            {
                "ownerReferences": [
                    {"apiVersion": "x/v1", "kind": "MySQL", "name": "db", "controller": True}
                ]
            },
        ],
    )
    def test_managed_by_others_by_other_signs(self, metadata: Json) -> None:
        document = mysql()
        document["metadata"] |= metadata
        made = world(document)
        run(made)
        assert any("may turn the change back" in note for note in made.notes)

    def test_it_is_unchanged_where_its_pods_cannot_be_read(self) -> None:
        made = world(mysql())

        def cut(request: Request) -> None:
            if (request.verb, request.resource) == ("list", "pods"):
                raise unreachable()

        made.api.before = cut
        assert "broke off its answer" in refused(made).message

    def test_malformed_port_shifts_no_node_port(self) -> None:
        made = world(mysql({"port": 1, "protocol": "ICMP"}, {"name": "b", "port": 2}))
        refused(made, port=2, node_port=30053)

    def test_other_ports_keep_their_preference(self) -> None:
        ports = ({"name": "a", "port": 1}, {"name": "b", "port": 2})
        chosen = run(world(mysql(*ports)), port=1, node_port=30053)
        assert chosen.listed[0].node_port == 30053
        assert chosen.listed[1].node_port == run(world(mysql(*ports))).listed[1].node_port

    def test_no_pod_and_no_selector(self) -> None:
        made = world(mysql(selector={"app": "none"}))
        assert run(made).listed[0].address == "127.0.0.1"
        assert "no running pod is behind svc/mysql" in made.notes
        made = world(mysql(selector={}))
        run(made)
        assert any("has no selector" in note for note in made.notes)


class TestClose:
    def test_it_is_as_it_was(self) -> None:
        made = world(mysql())
        before = stored(made)
        run(made)
        closed = close_service("mysql", made.edges)
        after = stored(made)
        assert (closed.name, closed.kind) == ("mysql", "ClusterIP")
        for document in (before, after):
            document["metadata"].pop("resourceVersion")
            for port in document["spec"]["ports"]:
                port.pop("nodePort", None)  # the real server lets go of it, see tests/e2e
        assert after["metadata"].pop("annotations") == {}
        assert after == before

    def test_not_ours(self) -> None:
        made = world(mysql({"port": 1, "nodePort": 30001}, type="NodePort"))
        before = stored(made)
        with pytest.raises(NodeportError) as caught:
            close_service("mysql", made.edges)
        assert "was not changed by kubectl nodeport" in caught.value.message
        assert stored(made) == before

    def test_type_was_changed_meanwhile(self) -> None:
        made = world(mysql())
        run(made)
        found = made.api.get("services", "mysql")
        assert found is not None
        found["spec"]["type"] = "LoadBalancer"
        closed = close_service("mysql", made.edges)
        assert closed.kind == stored(made)["spec"]["type"] == "LoadBalancer"
        assert stored(made)["metadata"]["annotations"] == {}
        assert "svc/mysql is of type LoadBalancer by now, which stays" in made.notes

    def test_our_annotation_goes_meanwhile(self) -> None:
        made = world(mysql())
        run(made)
        made.api.log.clear()

        def come_first(request: Request) -> None:
            if request.verb == "patch" and made.api.log.count("patch services/mysql") == 1:
                found = made.api.get("services", "mysql")
                assert found is not None
                found["metadata"] |= {"resourceVersion": "999", "annotations": {}}

        made.api.before = come_first
        with pytest.raises(NodeportError):
            close_service("mysql", made.edges)
        assert stored(made)["spec"]["type"] == "NodePort", "it is not ours to change any more"

    @pytest.mark.parametrize("closing", [False, True])
    @pytest.mark.parametrize("blind", [False, True])
    def test_answer_that_is_lost_is_made_out_by_another_look(
        self, closing: bool, blind: bool
    ) -> None:
        made = world(mysql())
        if closing:
            run(made)

        def cut(request: Request) -> None:
            if request.verb == "patch":
                made.api.after = lambda _request: None
                if blind:
                    made.api.before = cut_all
                raise unreachable()

        def cut_all(_request: Request) -> None:
            raise unreachable()

        made.api.after = cut
        if blind:
            with pytest.raises(NodeportError) as caught:
                close_service("mysql", made.edges) if closing else run(made)
            assert "whether the type of svc/mysql was changed is not known" in caught.value.message
            assert "kubectl nodeport delete svc/mysql" in caught.value.hint
            return
        kind = close_service("mysql", made.edges).kind if closing else run(made).change
        assert kind == ("ClusterIP" if closing else "changed")
        assert stored(made)["spec"]["type"] == ("ClusterIP" if closing else "NodePort")

    def test_dry_run(self) -> None:
        made = world(mysql())
        run(made)
        before = stored(made)
        assert close_service("mysql", made.edges, dry_run=True).kind == "ClusterIP"
        assert stored(made) == before

    @pytest.mark.parametrize(
        "value", ["", "ClusterIP", "LoadBalancer default/mysql", "ClusterIP lab/mysql", "x\ny"]
    )
    def test_annotation_that_is_not_of_our_making(self, value: str) -> None:
        document = mysql(type="NodePort")
        document["metadata"]["annotations"] = {FORMER: value}
        with pytest.raises(NodeportError):
            close_service("mysql", world(document).edges)
