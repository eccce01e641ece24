from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from kubectl_nodeport.commands.delete import Deleted, DeleteRequest, delete
from kubectl_nodeport.commands.expose import ExposeRequest, expose
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json, Request
from kubectl_nodeport.kube.target import Target, parse
from kubectl_nodeport.rule.annotation import value
from tests.commands.fake_api import FakeApi
from tests.commands.world import NODE, World
from tests.kube import make

OTHER_UID = make.UID.replace("0c3f", "1d4a")


def world(*objects: Json, rules: Sequence[str] = ("ssh", "smtp")) -> World:
    """A pod dev with these rules, and whatever else."""
    made = World(api=FakeApi(make.pod("dev"), NODE, *objects))
    for name in rules:
        expose(ExposeRequest(Target("dev"), name, 25), made.edges)
    forget(made)
    return made


def forget(made: World) -> None:
    made.api.log.clear()
    made.notes.clear()


def run(made: World, target: str | None = "dev", *names: str, **asked: Any) -> Deleted:
    forget(made)
    selector = asked.pop("selector", None)
    named = parse(target, None, selector) if target or selector else None
    return delete(DeleteRequest(named, names, **asked), made.edges)


def refused(made: World, target: str | None = "dev", *names: str, **asked: Any) -> NodeportError:
    before = dict(made.api.objects)
    with pytest.raises(NodeportError) as caught:
        run(made, target, *names, **asked)
    assert made.api.objects == before
    assert made.api.writes() == []
    return caught.value


def gone(done: Deleted) -> list[str]:
    return [f"{row.target} {row.name}" for row in done.rules]


def traces_on(made: World, pod: str = "dev") -> list[str]:
    found = made.api.get("pods", pod)
    assert found is not None
    keys = [*found["metadata"]["labels"], *found["metadata"]["annotations"]]
    return [key for key in keys if "nodeport" in key]


def plain(name: str, selector: Json, **annotations: str) -> Json:
    """A NodePort Service that someone else made."""
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "uid": name, "annotations": annotations},
        "spec": {
            "type": "NodePort",
            "selector": selector,
            "ports": [{"port": 22, "targetPort": 22, "nodePort": 31999}],
        },
    }


def craters(rule: str = "vscode") -> Json:
    document = plain(f"svc-{rule}", {"job": "dev"})
    document["metadata"] |= {
        "annotations": {"crater.raids.io/port-name": rule},
        "ownerReferences": [{"kind": "Pod", "name": "dev", "uid": make.UID}],
    }
    return document


def test_one_rule_by_its_name() -> None:
    made = world()
    assert gone(run(made, "dev", "smtp")) == ["pod/dev smtp"]
    assert made.api.services() == ["nodeport-dev-ssh"]
    assert traces_on(made) == ["kubectl-nodeport/ssh", "nodeport.crater.raids.io/ssh"]
    assert made.api.log == [
        "list services",
        "delete services/nodeport-dev-smtp",
        "get pods/dev",
        "patch pods/dev",
    ]
    assert made.notes == []


def test_two_rules_on_one_port_are_two() -> None:
    made = world(rules=("a", "b"))
    run(made, "dev", "a")
    assert made.api.services() == ["nodeport-dev-b"]
    assert traces_on(made) == ["kubectl-nodeport/b", "nodeport.crater.raids.io/b"]


def test_several_names_and_the_same_twice() -> None:
    made = world(rules=("a", "b", "c"))
    assert gone(run(made, "dev", "c", "a", "c")) == ["pod/dev a", "pod/dev c"]
    assert made.api.services() == ["nodeport-dev-b"]


def test_all_of_a_pod_leaves_other_pods() -> None:
    made = world(make.pod("web", uid=OTHER_UID))
    expose(ExposeRequest(Target("web"), "ssh", 22), made.edges)
    assert gone(run(made, all=True)) == ["pod/dev smtp", "pod/dev ssh"]
    assert made.api.services() == ["nodeport-web-ssh"]
    assert traces_on(made) == []
    assert len(traces_on(made, "web")) == 2


def test_all_of_the_namespace_leaves_what_is_not_ours() -> None:
    elsewhere = craters("other")
    elsewhere["metadata"]["namespace"] = "lab"
    made = world(craters(), plain("mysql", {"app": "mysql"}), elsewhere)
    assert gone(run(made, None, all=True)) == ["pod/dev smtp", "pod/dev ssh"]
    assert sorted(made.api.services()) == ["mysql", "svc-other", "svc-vscode"]


def test_rule_of_a_pod_that_is_gone() -> None:
    made = world()
    del made.api.objects["pods", "default", "dev"]
    assert gone(run(made, "dev", "ssh")) == ["pod/dev ssh"]
    assert gone(run(made, "dev", all=True)) == ["pod/dev smtp"]
    assert (made.api.services(), made.notes) == ([], [])


def test_pod_that_took_the_name_keeps_its_labels() -> None:
    made = world(rules=("ssh",))
    labels = {"kubectl-nodeport/ssh": f"{OTHER_UID}.feed"}
    made.api.add(make.pod("dev", uid=OTHER_UID, labels=labels))
    run(made, "dev", "ssh")
    assert traces_on(made) == ["kubectl-nodeport/ssh"]
    assert made.api.writes() == ["delete services/nodeport-dev-ssh"]


def test_service_that_took_the_name_meanwhile_stays() -> None:
    made = world(rules=("ssh",))

    def replace(request: Request) -> None:
        found = made.api.get("services", "nodeport-dev-ssh")
        if request.verb == "delete" and found is not None:
            found["metadata"]["uid"] = "a-new-one"

    made.api.before = replace
    run(made, "dev", "ssh")
    assert made.api.services() == ["nodeport-dev-ssh"]


def test_pod_that_changes_while_it_is_patched() -> None:
    made = world(rules=("ssh",))
    changes = iter(range(2))

    def change(request: Request) -> None:
        found = made.api.get("pods", "dev")
        if request.verb == "patch" and found is not None and next(changes, None) is not None:
            made.api.add(found)

    made.api.before = change
    run(made, "dev", "ssh")
    assert traces_on(made) == []
    assert made.api.log.count("patch pods/dev") == 3
    assert made.notes == []


def test_rule_that_was_edited_to_have_no_node_port() -> None:
    made = world(rules=("ssh",))
    found = made.api.get("services", "nodeport-dev-ssh")
    assert found is not None
    del found["spec"]["ports"][0]["nodePort"]
    run(made, None, all=True)
    assert made.api.services() == []


class TestWhatIsNotClear:
    def test_no_name(self) -> None:
        err = refused(world())
        assert err.message == "which rule of pod/dev is to be deleted? It has smtp, ssh"
        assert "kubectl nodeport delete dev --name smtp -n default" in err.hint

    def test_no_name_and_no_rule(self) -> None:
        err = refused(world(rules=()))
        assert err.message == "pod/dev has no rule of kubectl nodeport"

    def test_no_name_and_no_pod(self) -> None:
        err = refused(world(), "deb")
        assert err.message.startswith('no pod "deb" in ')
        assert err.hint == "did you mean: dev"

    def test_nothing_named(self) -> None:
        assert refused(world(), None).message == "what is to be deleted?"
        assert refused(world(), None, "ssh").message == "what is to be deleted?"

    def test_name_and_all(self) -> None:
        assert refused(world(), "dev", "ssh", all=True).message == "both --name and --all are given"

    def test_unknown_name_has_near_ones(self) -> None:
        err = refused(world(), "dev", "ssj")
        assert (err.message, err.hint) == ('pod/dev has no rule "ssj"', "did you mean ssh?")

    def test_one_of_two_names_is_unknown(self) -> None:
        err = refused(world(), "dev", "ssh", "web")
        assert (err.message, err.hint) == ('pod/dev has no rule "web"', "its rules: smtp, ssh")

    def test_name_of_a_rule_of_a_pod_that_does_not_exist(self) -> None:
        assert refused(world(), "nobody", "ssh").message.startswith('no pod "nobody" in ')

    def test_all_of_a_pod_that_has_none(self) -> None:
        assert run(world(rules=()), all=True) == Deleted()

    def test_all_of_a_pod_that_does_not_exist(self) -> None:
        assert refused(world(), "nobody", all=True).message.startswith('no pod "nobody" in ')

    def test_selector_that_matches_nothing(self) -> None:
        err = refused(world(), None, "ssh", selector="app=nobody")
        assert err.message == "-l 'app=nobody' has no rule of kubectl nodeport"


class TestWhatIsNotOurs:
    def test_craters_rule(self) -> None:
        err = refused(world(craters()), "dev", "vscode")
        assert err.message == (
            '"vscode" of pod/dev is Crater\'s (service svc-vscode), so it is not deleted'
        )
        assert "kubectl delete service svc-vscode -n default" in err.hint

    def test_annotation_of_crater_without_a_service(self) -> None:
        made = world(rules=())
        found = made.api.get("pods", "dev")
        assert found is not None
        key = "nodeport.crater.raids.io/ssh"
        found["metadata"]["annotations"] = {key: value("ssh", 22, "192.168.5.82", 31000)}
        err = refused(made, "dev", "ssh")
        assert err.message == (
            'of the rule "ssh" of pod/dev there is an annotation alone, and nothing tells that '
            "kubectl nodeport made it"
        )
        assert f"kubectl annotate pod/dev {key}- -n default" in err.hint

    def test_plain_service_by_its_name(self) -> None:
        err = refused(world(plain("web", {"app": "dev"})), "dev", "web")
        assert err.message == (
            '"web" of pod/dev is not made by kubectl nodeport (service web), so it is not deleted'
        )

    def test_copied_manifest(self) -> None:
        made = world(rules=("ssh",))
        copy = dict(made.api.objects["services", "default", "nodeport-dev-ssh"])
        copy["metadata"] = {**copy["metadata"], "name": "copied", "uid": "copied"}
        made.api.add(copy)
        assert gone(run(made, None, all=True)) == ["pod/dev ssh"]
        assert made.api.services() == ["copied"]

    @pytest.mark.parametrize("target", ["svc/mysql", "svc/svc-vscode"])
    def test_service(self, target: str) -> None:
        err = refused(world(craters(), plain("mysql", {"app": "mysql"})), target)
        assert "was not changed by kubectl nodeport" in err.message

    def test_rule_that_is_the_workloads(self) -> None:
        made = follows()
        err = refused(made, "api-1", "ssh")
        assert err.message == 'the rule "ssh" that reaches pod/api-1 is that of deployment/api'
        assert err.hint == "kubectl nodeport delete deployment/api --name ssh -n default"


def deployment(replicas: int) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "default", "uid": "d-1"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "api"}}},
    }


def follows() -> World:
    """A deployment of one replica, with a rule that follows it."""
    made = world(deployment(1), make.pod("api-1", uid="u-1", labels={"app": "api"}), rules=())
    expose(ExposeRequest(parse("deploy/api"), "ssh", 22), made.edges)
    return made


class TestWorkloads:
    def test_rule_that_follows(self) -> None:
        made = follows()
        assert traces_on(made, "api-1") == ["nodeport.crater.raids.io/ssh"]
        assert gone(run(made, "deploy/api", "ssh")) == ["deployment/api ssh"]
        assert made.api.services() == []
        assert traces_on(made, "api-1") == []

    def test_workload_that_is_gone(self) -> None:
        made = follows()
        del made.api.objects["deployments", "default", "api"]
        assert gone(run(made, "deploy/api", "ssh")) == ["deployment/api ssh"]
        assert any('no deployment "api" in' in note for note in made.notes)

    def test_workload_that_does_not_exist(self) -> None:
        assert refused(follows(), "deploy/app", "ssh").hint == "did you mean: api"

    def test_rules_of_its_pods(self) -> None:
        made = world(
            deployment(2),
            make.pod("api-1", uid="u-1", labels={"app": "api"}),
            make.pod("api-2", uid="u-2", labels={"app": "api"}),
        )
        for pod in ("api-1", "api-2"):
            expose(ExposeRequest(Target(pod), "ssh", 22), made.edges)
        assert gone(run(made, "deploy/api", "ssh")) == ["pod/api-1 ssh", "pod/api-2 ssh"]
        assert sorted(made.api.services()) == ["nodeport-dev-smtp", "nodeport-dev-ssh"]

    def test_stateful_set_that_is_scaled_to_none(self) -> None:
        labels = {"app": "web", "statefulset.kubernetes.io/pod-name": "web-0"}
        document = make.pod("web-0", uid="u-1", labels=labels)
        document["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "name": "web",
                "uid": "s-1",
                "controller": True,
            }
        ]
        stateful_set = deployment(1) | {"kind": "StatefulSet"}
        stateful_set["metadata"] = {"name": "web", "namespace": "default", "uid": "s-1"}
        stateful_set["spec"]["selector"]["matchLabels"] = {"app": "web"}
        made = world(document, stateful_set)
        expose(ExposeRequest(Target("web-0"), "ssh", 22), made.edges)
        del made.api.objects["pods", "default", "web-0"]
        assert gone(run(made, "sts/web", all=True)) == ["pod/web-0 ssh"]

    def test_selector(self) -> None:
        made = follows()
        expose(ExposeRequest(Target("dev"), "ssh", 22), made.edges)
        assert gone(run(made, None, "ssh", selector="app=dev")) == ["pod/dev ssh"]
        assert gone(run(made, None, all=True, selector="app=api")) == ["deployment/api ssh"]


class TestServices:
    def test_rule_by_its_service(self) -> None:
        made = world()
        assert gone(run(made, "svc/nodeport-dev-ssh")) == ["pod/dev ssh"]
        assert made.api.services() == ["nodeport-dev-smtp"]
        assert "kubectl-nodeport/ssh" not in traces_on(made)

    def test_former_type_comes_back(self) -> None:
        document = plain(
            "mysql", {"app": "mysql"}, **{"kubectl-nodeport/former-type": "ClusterIP default/mysql"}
        )
        made = world(document)
        done = run(made, "svc/mysql")
        assert done.closed is not None
        assert (done.closed.name, done.closed.kind, done.rules) == ("mysql", "ClusterIP", ())
        found = made.api.get("services", "mysql")
        assert found is not None
        assert found["spec"]["type"] == "ClusterIP"

    def test_all_of_the_namespace_tells_of_services_that_are_open(self) -> None:
        document = plain(
            "mysql", {"app": "mysql"}, **{"kubectl-nodeport/former-type": "ClusterIP default/mysql"}
        )
        made = world(document)
        run(made, None, all=True)
        assert made.api.services() == ["mysql"]
        assert made.notes == [
            "svc/mysql stays open; kubectl nodeport delete svc/mysql gives it its former type back"
        ]

    @pytest.mark.parametrize(("names", "all_rules"), [(("ssh",), False), ((), True)])
    def test_service_has_no_names(self, names: tuple[str, ...], all_rules: bool) -> None:
        err = refused(world(), "svc/nodeport-dev-ssh", *names, all=all_rules)
        assert "is one Service" in err.message

    def test_service_that_does_not_exist(self) -> None:
        assert refused(world(), "svc/nodeport-dev-ssj").hint.startswith(
            "did you mean: nodeport-dev-ssh"
        )


class TestWhatIsLeft:
    def test_label_of_a_service_that_someone_deleted(self) -> None:
        made = world(rules=("ssh",))
        del made.api.objects["services", "default", "nodeport-dev-ssh"]
        assert gone(run(made, "dev", "ssh")) == ["pod/dev ssh"]
        assert traces_on(made) == []
        assert refused(made, "dev", "ssh").message == "pod/dev has no rule of kubectl nodeport"

    def test_without_the_right_to_patch_pods(self) -> None:
        made = world(rules=("ssh",))
        made.api.forbid("patch", "pods")
        assert gone(run(made, "dev", "ssh")) == ["pod/dev ssh"]
        assert made.api.services() == []
        (note,) = made.notes
        assert note.startswith('the label and annotation of the rule "ssh" stay on pod/dev')
        assert "patch pods" in note

    def test_with_list_and_delete_services_alone(self) -> None:
        made = world()
        for verb in ("get", "list", "patch"):
            made.api.forbid(verb, "pods")
        assert gone(run(made, "dev", "ssh")) == ["pod/dev ssh"]
        assert gone(run(made, "dev", all=True)) == ["pod/dev smtp"]
        assert made.api.services() == []

    def test_one_that_cannot_be_deleted_does_not_keep_the_others(self) -> None:
        made = world(rules=("a", "b", "c"))

        def fail(request: Request) -> None:
            if (request.verb, request.name) == ("delete", "nodeport-dev-b"):
                raise NodeportError("the API server broke off its answer", hint="again")

        made.api.before = fail
        done = run(made, all=True)
        assert gone(done) == ["pod/dev a", "pod/dev c"]
        assert made.api.services() == ["nodeport-dev-b"]
        assert done.left is not None
        assert done.left.message == (
            'not deleted: rule "b" of pod/dev: the API server broke off its answer'
        )
        assert traces_on(made) == ["kubectl-nodeport/b", "nodeport.crater.raids.io/b"]

    def test_what_came_back_for_all_is_said_once(self) -> None:
        made = world()
        made.api.forbid("delete", "services")
        done = run(made, all=True)
        assert done.rules == ()
        assert done.left is not None
        assert re.fullmatch(
            r'not deleted: rule "smtp" of pod/dev, rule "ssh" of pod/dev: the right to delete '
            "services.* is missing.*",
            done.left.message,
        )
        assert "kubectl auth can-i delete services" in done.left.hint

    def test_interruption_waits_for_the_end_of_a_deletion(self) -> None:
        made = world()

        def interrupt(request: Request) -> None:
            if request.verb == "delete":
                os.kill(os.getpid(), signal.SIGINT)

        made.api.before = interrupt
        with pytest.raises(KeyboardInterrupt):
            run(made, all=True)
        assert made.api.services() == ["nodeport-dev-ssh"]
        assert traces_on(made) == ["kubectl-nodeport/ssh", "nodeport.crater.raids.io/ssh"]


class TestHosts:
    def test_host_that_leads_nowhere_now(self) -> None:
        made = world(rules=())
        done = made.connect("dev")
        run(made, "dev", "ssh")
        assert made.notes == [
            f"the host {done.entry.alias} leads nowhere now; "
            "kubectl nodeport connect makes its rule again"
        ]

    def test_dry_run_tells_what_would_lead_nowhere(self) -> None:
        made = world(rules=())
        done = made.connect("dev")
        run(made, "dev", "ssh", dry_run=True)
        assert made.notes == [
            f"the host {done.entry.alias} would lead nowhere; "
            "kubectl nodeport connect makes its rule again"
        ]

    @pytest.mark.parametrize(
        ("others", "told"), [(1, "a host"), (2, "2 hosts"), (0, None)], ids=str
    )
    def test_hosts_of_others_are_told(self, others: int, told: str | None) -> None:
        made = world(rules=())
        made.connect("dev")
        for _ in range(others):
            World(api=made.api).connect("dev")
        service = "of somebody else, noted on service nodeport-dev-ssh,"
        run(made, "dev", "ssh", dry_run=True)
        assert made.notes[1:] == ([f"{told} {service} would lead nowhere"] if told else [])
        run(made, "dev", "ssh")
        assert made.notes[1:] == ([f"{told} {service} may lead nowhere now"] if told else [])

    def test_hosts_of_other_rules(self) -> None:
        made = world(rules=("smtp",))
        made.connect("dev")
        run(made, "dev", "smtp")
        assert made.notes == []

    def test_host_of_an_earlier_creation(self) -> None:
        made = world(rules=())
        made.connect("dev")
        run(made, "dev", "ssh")
        expose(ExposeRequest(Target("dev"), "ssh", 22), made.edges)
        run(made, "dev", "ssh")
        assert made.notes == []


def test_dry_run_changes_nothing() -> None:
    made = world()
    before = dict(made.api.objects)
    done = run(made, "dev", "ssh", dry_run=True)
    assert (gone(done), done.dry_run) == (["pod/dev ssh"], True)
    assert (made.api.objects, made.api.writes()) == (before, [])


class TestRulesThatOthersChanged:
    def test_rule_whose_type_was_changed_goes_all_the_same(self) -> None:
        made = world(rules=("ssh",))
        found = made.api.get("services", "nodeport-dev-ssh")
        assert found is not None
        found["spec"]["type"] = "ClusterIP"
        for port in found["spec"]["ports"]:
            del port["nodePort"]
        assert gone(run(made, "dev", "ssh")) == ["pod/dev ssh"]
        assert made.api.services() == []

    def test_service_that_is_not_ours_any_more_keeps_its_pod(self) -> None:
        made = world(rules=("ssh",))
        found = made.api.get("services", "nodeport-dev-ssh")
        assert found is not None
        del found["metadata"]["labels"]
        told = refused(made, "dev", "ssh")
        assert "ssh" in told.message
        assert traces_on(made)

    def test_marks_of_ours_on_a_service_of_another_name(self) -> None:
        made = world(rules=("ssh",))
        ours = made.api.get("services", "nodeport-dev-ssh")
        assert ours is not None
        forged = {**ours, "metadata": {**ours["metadata"], "name": "prod-db", "uid": "uid-db"}}
        forged["metadata"]["annotations"] = {
            **ours["metadata"]["annotations"],
            "kubectl-nodeport/service": "default/prod-db",
        }
        forged["metadata"]["ownerReferences"] = []
        made.api.add(forged)
        del made.api.objects["services", "default", "nodeport-dev-ssh"]
        expose(ExposeRequest(Target("dev"), "ssh", 25), made.edges)
        assert sorted(made.api.services()) == ["nodeport-dev-ssh", "prod-db"]
