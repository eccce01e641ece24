from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from kubectl_nodeport.commands.rules import CreationRefusedError, make_rule
from kubectl_nodeport.commands.standing import Wanted, find_rule
from kubectl_nodeport.commands.withdraw import withdraw
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json, Request
from kubectl_nodeport.rule.binding import bind
from kubectl_nodeport.rule.rule import Exposed, Rule
from tests.commands.fake_api import FakeApi, unreachable
from tests.kube import make

CLUSTER = "ca:0123"
RULE = Rule("ssh", "default", "pod/dev", 22)
NAME = RULE.service_name
LABEL = "kubectl-nodeport/ssh"
ANNOTATION = "nodeport.crater.raids.io/ssh"


def pod(document: Json | None = None) -> Pod:
    return Pod.of(document or make.pod("dev"))


def expose(api: FakeApi, name: str = "dev", rule: Rule = RULE) -> Exposed:
    """find_rule and make_rule as connect runs them, on the pod as it is."""
    document = api.get("pods", name)
    assert document is not None
    found = Pod.of(document)
    asked = wanted(found, rule)
    standing = find_rule(api, asked)
    return standing.exposed or make_rule(api, asked, standing, [])


def wanted(found: Pod, rule: Rule = RULE) -> Wanted:
    return Wanted(rule, found, bind(found), CLUSTER)


def failure(api: FakeApi) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        expose(api)
    return caught.value


def is_clean(api: FakeApi, *others: str) -> bool:
    """Nothing of ours is left in the cluster."""
    return api.services() == list(others) and all(
        LABEL not in (document["metadata"].get("labels") or {})
        and ANNOTATION not in (document["metadata"].get("annotations") or {})
        for (resource, _, _), document in api.objects.items()
        if resource == "pods"
    )


def foreign(name: str = "theirs", node_port: int = 30333, **spec: object) -> Json:
    return {
        "kind": "Service",
        "metadata": {"name": name, "uid": f"uid-of-{name}"},
        "spec": {
            "type": "NodePort",
            "selector": {"app": "dev"},
            "ports": [{"port": 22, "targetPort": 22, "nodePort": node_port}],
            **spec,
        },
    }


def reached(api: FakeApi) -> list[str]:
    """The pods that our Service selects, by the fake's own matching."""
    found = api.get("services", NAME)
    assert found is not None
    labels = ",".join(f"{k}={v}" for k, v in found["spec"]["selector"].items())
    query = (("labelSelector", labels),)
    page = api.send(Request("list", "pods", "", namespace="default", query=query))
    return [item["metadata"]["name"] for item in page["items"]]


class TestNew:
    def test_requests_and_what_is_made(self) -> None:
        api = FakeApi(make.pod("dev"))
        exposed = expose(api)
        assert api.log == ["list services", "create services", "patch pods/dev"]
        assert exposed.made_now
        assert exposed.ours
        assert exposed.node_port == RULE.preferred_ports(CLUSTER)[0]
        assert reached(api) == ["dev"]
        changed = api.get("pods", "dev")
        assert changed is not None
        assert changed["metadata"]["labels"]["app"] == "dev", "other labels stay"
        assert json.loads(changed["metadata"]["annotations"][ANNOTATION]) == {
            "name": "ssh",
            "containerPort": 22,
            "address": "192.168.5.82",
            "nodePort": exposed.node_port,
        }

    def test_writes_say_who_they_are_and_guard_the_pod(self) -> None:
        api = FakeApi(make.pod("dev"))
        expose(api)
        create, patch = api.requests[1:]
        assert create.query == patch.query == (("fieldManager", "kubectl-nodeport"),)
        assert patch.body is not None
        assert patch.body["metadata"]["uid"] == make.UID

    def test_second_look_finds_it_unchanged(self) -> None:
        api = FakeApi(make.pod("dev"))
        first = expose(api)
        before = copy.deepcopy(api.objects)
        api.log.clear()
        again = expose(api)
        assert api.log == ["list services", "list pods"]
        assert api.objects == before
        assert again == replace(first, made_now=False)

    def test_pods_with_equal_labels_get_rules_of_their_own(self) -> None:
        twin = make.pod("dev-2", uid="another-uid", labels={"app": "dev"})
        api = FakeApi(make.pod("dev"), twin)
        one, two = expose(api), expose(api, "dev-2", Rule("ssh", "default", "pod/dev-2", 22))
        assert one.node_port != two.node_port
        assert reached(api) == ["dev"]

    def test_two_rules_of_one_pod(self) -> None:
        api = FakeApi(make.pod("dev"))
        expose(api)
        expose(api, rule=Rule("http", "default", "pod/dev", 80))
        assert len(api.services()) == 2
        assert reached(api) == ["dev"]

    def test_services_on_many_pages(self) -> None:
        others = [foreign(f"s{n}", 30400 + n, selector={"app": "x"}) for n in range(25)]
        api = FakeApi(make.pod("dev"), *others, page=10)
        first = expose(api)
        api.log.clear()
        assert expose(api).id == first.id
        assert api.log == ["list services"] * 3 + ["list pods"]


class TestNodePort:
    def test_allocated_ports_are_passed_over(self) -> None:
        first, second = RULE.preferred_ports(CLUSTER)
        api = FakeApi(make.pod("dev"), foreign("a", first, selector={"app": "x"}))
        assert expose(api).node_port == second
        api = FakeApi(
            make.pod("dev"),
            foreign("a", first, selector={"app": "x"}),
            foreign("b", second, selector={"app": "x"}),
        )
        assert expose(api).node_port == 30000
        assert api.log.count("create services") == 3

    def test_other_refusals_of_a_field_are_errors_at_once(self) -> None:
        api = FakeApi(make.pod("dev"))
        api.refused["create services"] = (422, "Invalid", "spec.ipFamilyPolicy: Invalid value")
        assert isinstance(failure(api), CreationRefusedError)
        assert api.log == ["list services", "create services"]

    def test_no_port_left(self) -> None:
        api = FakeApi(make.pod("dev"))
        message = "spec.ports[0].nodePort: Internal error: failed to allocate a nodePort"
        api.refused["create services"] = (422, "Invalid", message)
        assert "failed to allocate a nodePort" in failure(api).message
        assert api.log.count("create services") == 3
        assert is_clean(api)


class TestStale:
    def test_rule_of_an_earlier_pod_is_made_anew_on_its_port(self) -> None:
        api = FakeApi(make.pod("dev"))
        first = expose(api)
        old = api.get("services", NAME)
        assert old is not None
        api.add(make.pod("dev", uid="a-new-uid"))
        api.log.clear()
        second = expose(api)
        assert second.made_now
        assert second.node_port == first.node_port
        assert second.id != first.id
        assert reached(api) == ["dev"]
        new = api.get("services", NAME)
        assert new is not None
        assert new["metadata"]["ownerReferences"][0]["uid"] == "a-new-uid"
        assert api.log[:4] == [
            "list services",
            f"delete services/{NAME}",
            "create services",
            "patch pods/dev",
        ]

    def test_port_that_the_server_chose_is_kept_too(self) -> None:
        api = FakeApi(make.pod("dev"))
        api.refused["create services"] = (422, "Invalid", "nodePort: already allocated")
        api.before = lambda _r: api.refused.clear() if len(api.log) == 4 else None
        assert expose(api).node_port == 30000
        api.add(make.pod("dev", uid="a-new-uid"))
        assert expose(api).node_port == 30000

    def test_label_that_was_taken_off(self) -> None:
        api = FakeApi(make.pod("dev"))
        first = expose(api)
        found = api.get("pods", "dev")
        assert found is not None
        del found["metadata"]["labels"][LABEL]
        second = expose(api)
        assert second == replace(first, made_now=False), "tied again, not made anew"
        assert reached(api) == ["dev"]

    def test_label_that_is_copied_again_and_again(self) -> None:
        twin = make.pod("evil", uid="another-uid")
        api = FakeApi(make.pod("dev"), twin)
        expose(api)

        def copies(_request: Request) -> None:
            dev, evil = (api.get("pods", name) for name in ("dev", "evil"))
            assert dev is not None
            assert evil is not None
            evil["metadata"]["labels"] = dict(dev["metadata"]["labels"])

        api.after = copies
        copies(Request("get", "pods", ""))
        told = failure(api)
        assert "another pod takes over every label of pod dev" in told.message
        assert api.services() == []

    def test_label_that_was_copied_to_another_pod(self) -> None:
        """As a Deployment does whose template was taken from `kubectl get pod -o yaml`."""
        api = FakeApi(make.pod("dev"))
        expose(api)
        labelled = api.get("pods", "dev")
        assert labelled is not None
        labels = dict(labelled["metadata"]["labels"])
        api.add(make.pod("copy", uid="copy-uid", labels=labels))
        assert reached(api) == ["copy", "dev"]
        assert expose(api).made_now
        assert reached(api) == ["dev"]

    def test_only_this_very_service_is_deleted(self) -> None:
        api = FakeApi(make.pod("dev"))
        expose(api)
        api.add(make.pod("dev", uid="a-new-uid"))

        def made_anew(request: Request) -> None:
            found = api.get("services", NAME)
            if request.verb == "delete" and found:
                found["metadata"]["uid"] = "made-by-another-run"

        api.before = made_anew
        failure(api)
        assert api.services() == [NAME]


class TestName:
    def test_rule_for_another_port(self) -> None:
        api = FakeApi(make.pod("dev"))
        expose(api)
        with pytest.raises(NodeportError) as caught:
            expose(api, rule=Rule("ssh", "default", "pod/dev", 2222))
        assert caught.value.message == ('the rule "ssh" of pod dev leads to port 22, not to 2222')
        assert caught.value.hint == (
            "--port 22 uses it, --name makes another; "
            "or delete it first: kubectl nodeport delete dev --name ssh -n default"
        )

    def test_name_is_taken_by_a_service_that_is_not_ours(self) -> None:
        api = FakeApi(make.pod("dev"), foreign(NAME, selector={"app": "other"}))
        before = copy.deepcopy(api.objects)
        told = failure(api)
        assert "is taken by a Service that kubectl nodeport did not make" in told.message
        assert api.objects == before

    def test_copied_manifest_is_not_taken_for_ours(self) -> None:
        api = FakeApi(make.pod("dev"))
        expose(api)
        mine = api.get("services", NAME)
        assert mine is not None
        copied = copy.deepcopy(mine)
        copied["metadata"] |= {"name": "copied", "uid": "copied"}
        copied["spec"]["ports"][0]["nodePort"] = 30999
        del api.objects["services", "default", NAME]
        api.add(copied)
        found = expose(api)
        # It reaches this pod alone, so it is used; it is not ours to change or delete.
        assert (found.service, found.ours) == ("copied", False)


class TestRace:
    def test_other_run_made_the_same_rule_meanwhile(self) -> None:
        api = FakeApi(make.pod("dev"))
        other = FakeApi(make.pod("dev"))
        theirs = expose(other)

        def come_first(request: Request) -> None:
            if request.verb == "create":
                api.objects.update(copy.deepcopy(other.objects))

        api.before = come_first
        found = expose(api)
        assert found.id == theirs.id
        assert not found.made_now
        assert api.log == [
            "list services",
            "create services",
            f"get services/{NAME}",
            "patch pods/dev",
        ]

    def test_other_run_has_not_set_the_label_yet(self) -> None:
        """Seen between its create and its patch, a rule is joined, not taken for a stale one."""
        api = FakeApi(make.pod("dev"))
        theirs: list[Exposed] = []

        def meanwhile(request: Request) -> None:
            if request.verb == "patch" and not theirs:
                api.before = lambda _request: None
                theirs.append(expose(api))

        api.before = meanwhile
        mine = expose(api)
        assert [theirs[0].id, theirs[0].made_now] == [mine.id, False]
        assert api.services() == [NAME]
        assert reached(api) == ["dev"]

    @pytest.mark.parametrize(
        "change",
        [
            {"spec": {"type": "ClusterIP", "ports": [{"port": 22, "targetPort": 22}]}},
            {"metadata": {"annotations": {}}},
            {"spec": {"selector": {"app": "dev"}}},
            {"metadata": {"ownerReferences": []}},
        ],
    )
    def test_admission_that_changes_the_service(self, change: Json) -> None:
        class Admission(FakeApi):
            def send(self, request: Request) -> Json:
                answer = super().send(request)
                for part, fields in change.items() if request.verb == "create" else ():
                    answer[part].update(fields)
                return answer

        api = Admission(make.pod("dev"))
        assert "the cluster changed the Service" in failure(api).message
        assert is_clean(api)

    def test_other_run_made_it_for_another_pod(self) -> None:
        api = FakeApi(make.pod("dev"))
        other = FakeApi(make.pod("dev", uid="an-older-uid"))
        expose(other)

        def come_first(request: Request) -> None:
            if request.verb == "create":
                api.objects["services", "default", NAME] = copy.deepcopy(
                    other.objects["services", "default", NAME]
                )

        api.before = come_first
        assert "was replaced while it was looked at" in failure(api).message
        assert api.services() == [NAME]

    def test_other_run_made_it_for_another_port(self) -> None:
        api, other = FakeApi(make.pod("dev")), FakeApi(make.pod("dev"))
        expose(other, rule=Rule("ssh", "default", "pod/dev", 2222))

        def come_first(request: Request) -> None:
            if request.verb == "create":
                api.objects.update(copy.deepcopy(other.objects))

        api.before = come_first
        assert "leads to port 2222, not to 22" in failure(api).message
        assert api.services() == [NAME]

    def test_name_was_free_again_when_looked_at(self) -> None:
        api = FakeApi(make.pod("dev"))
        api.refused["create services"] = (409, "AlreadyExists", "already exists")
        assert "was replaced while it was looked at" in failure(api).message

    def test_pod_was_replaced_before_it_got_its_label(self) -> None:
        api = FakeApi(make.pod("dev"))

        def replaced(request: Request) -> None:
            if request.verb == "create":
                api.add(make.pod("dev", uid="a-new-uid"))

        api.before = replaced
        told = failure(api)
        assert "give the pod the rule's label" in told.message
        assert is_clean(api)


class TestRights:
    def test_pods_patch_refused_and_labels_are_this_pods_alone(self) -> None:
        api = FakeApi(make.pod("dev"), make.pod("web", uid="w", labels={"app": "web"}))
        api.forbid("patch", "pods")
        exposed = expose(api)
        assert exposed.made_now
        found = api.get("services", NAME)
        assert found is not None
        assert found["spec"]["selector"] == {"app": "dev"}
        assert reached(api) == ["dev"]
        api.log.clear()
        assert not expose(api).made_now
        assert api.writes() == []

    @pytest.mark.parametrize("labels", [{"app": "dev"}, {}])
    def test_pods_patch_refused_and_labels_are_shared(self, labels: Json) -> None:
        api = FakeApi(
            make.pod("dev", labels=labels), make.pod("dev-2", uid="x", labels={"app": "dev"})
        )
        api.forbid("patch", "pods")
        told = failure(api)
        assert "the right to patch pods -n default is missing" in told.message
        assert "kubectl auth can-i patch pods -n default" in told.hint
        assert is_clean(api)

    def test_pods_patch_and_list_refused(self) -> None:
        api = FakeApi(make.pod("dev"))
        api.forbid("patch", "pods")
        api.forbid("list", "pods")
        told = failure(api)
        assert "may share its labels" in told.message
        assert "the right to patch pods" in told.message
        assert is_clean(api)

    def test_pods_list_refused(self) -> None:
        api = FakeApi(make.pod("dev"))
        api.forbid("list", "pods")
        assert expose(api).made_now
        document = api.get("pods", "dev")
        assert document is not None
        again = find_rule(api, wanted(Pod.of(document)))
        assert again.exposed is not None
        assert "not proven that the rule reaches this pod alone" in again.notes[0]

    @pytest.mark.parametrize(
        "message",
        [
            'services "x" is forbidden: exceeded quota: none, requested: services.nodeports=1',
            'admission webhook "policy" denied the request: no NodePorts',
        ],
    )
    def test_create_refused_by_quota_or_admission(self, message: str) -> None:
        api = FakeApi(make.pod("dev"))
        api.refused["create services"] = (403, "Forbidden", message)
        told = failure(api)
        assert isinstance(told, CreationRefusedError)
        assert message in told.message
        assert api.log == ["list services", "create services"]

    def test_services_list_refused(self) -> None:
        api = FakeApi(make.pod("dev"))
        api.forbid("list", "services")
        assert "the right to list services -n default is missing" in failure(api).message
        assert api.writes() == []


class TestForeign:
    def test_node_port_for_this_pod_and_port_is_used(self) -> None:
        api = FakeApi(make.pod("dev"), foreign())
        before = copy.deepcopy(api.objects)
        found = expose(api)
        assert (found.service, found.node_port, found.ours) == ("theirs", 30333, False)
        assert api.objects == before
        assert api.log == ["list services", "list pods"]

    @pytest.mark.parametrize(
        "other",
        [
            foreign(type="ClusterIP"),
            foreign(selector={"app": "elsewhere"}),
            foreign(selector={}),
            foreign(selector=None),
            foreign(ports=[{"port": 22, "targetPort": 2222, "nodePort": 30333}]),
        ],
    )
    def test_what_does_not_lead_there_is_not_used(self, other: Json) -> None:
        api = FakeApi(make.pod("dev"), other)
        assert expose(api).made_now
        assert api.get("services", "theirs") is not None

    def test_not_used_when_it_reaches_two_pods(self) -> None:
        api = FakeApi(make.pod("dev"), make.pod("dev-2", uid="x", labels={"app": "dev"}), foreign())
        assert expose(api).ours

    def test_not_used_when_it_cannot_be_proven(self) -> None:
        api = FakeApi(make.pod("dev"), foreign())
        api.forbid("list", "pods")
        assert expose(api).ours

    def test_not_used_for_a_pod_that_is_not_ready_and_that_it_leaves_out(self) -> None:
        unready = make.pod("dev", conditions=[{"type": "Ready", "status": "False"}])
        assert expose(FakeApi(unready, foreign())).ours
        assert not expose(FakeApi(unready, foreign(publishNotReadyAddresses=True))).ours

    def test_only_a_few_are_asked_about(self) -> None:
        many = [foreign(f"s{n}", 30400 + n) for n in range(20)]
        api = FakeApi(make.pod("dev"), make.pod("dev-2", uid="x", labels={"app": "dev"}), *many)
        expose(api)
        assert api.log.count("list pods") == 3


def raising(error: BaseException, verb: str, resource: str) -> Callable[[Request], None]:
    """Raise at each such request."""

    def hook(request: Request) -> None:
        if (request.verb, request.resource) == (verb, resource):
            raise error

    return hook


class TestCleanUp:
    @pytest.mark.parametrize(
        "error", [KeyboardInterrupt(), SystemExit(143), unreachable(), RuntimeError("bug")]
    )
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_label_fails(self, error: BaseException, when: str) -> None:
        api = FakeApi(make.pod("dev"))

        def once(request: Request) -> None:
            if request.verb == "patch" and api.log.count("patch pods/dev") == 1:
                raise error

        setattr(api, when, once)
        with pytest.raises(type(error)):
            expose(api)
        assert is_clean(api)

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), unreachable()])
    def test_answer_to_the_create_is_lost(self, error: BaseException) -> None:
        api = FakeApi(make.pod("dev"))
        api.after = raising(error, "create", "services")
        with pytest.raises(type(error)):
            expose(api)
        assert is_clean(api)

    def test_server_gives_up_after_it_created(self) -> None:
        """etcd took it, the answer says that it timed out: an apiserver under load does that."""
        api = FakeApi(make.pod("dev"))

        def created_all_the_same(request: Request) -> None:
            if request.verb == "create":
                api.refused.clear()
                api._create(request)
                api.refused["create services"] = (504, "Timeout", "request did not complete")

        api.before = created_all_the_same
        assert "request did not complete" in failure(api).message
        assert is_clean(api)

    def test_create_that_never_arrived_leaves_others_alone(self) -> None:
        api = FakeApi(make.pod("dev"), foreign(NAME, selector={"app": "x"}))
        api.before = raising(unreachable(), "create", "services")
        failure(api)
        assert api.services() == [NAME]

    def test_whether_it_was_made_cannot_be_known(self) -> None:
        api = FakeApi(make.pod("dev"))

        def gone(request: Request) -> None:
            if request.verb != "list":
                raise unreachable()

        api.after = gone
        told = failure(api)
        assert told.message.startswith(f"service {NAME} in namespace default may be left behind: ")
        assert told.hint == f"kubectl delete service {NAME} -n default"

    def test_delete_is_refused(self) -> None:
        api = FakeApi(make.pod("dev"))
        exposed = expose(api)
        api.forbid("delete", "services")
        with pytest.raises(NodeportError) as caught:
            withdraw(api, exposed, pod())
        assert caught.value.message.startswith(
            f"in namespace default: service {NAME} is left behind (the right to delete services"
        )
        assert LABEL not in str(api.get("pods", "dev")), "the rest is removed all the same"
        assert caught.value.hint == f"kubectl delete service {NAME} -n default"

    def test_label_cannot_be_taken_off(self) -> None:
        api = FakeApi(make.pod("dev"))
        exposed = expose(api)
        api.before = raising(unreachable(), "patch", "pods")
        with pytest.raises(NodeportError) as caught:
            withdraw(api, exposed, pod())
        assert api.services() == []
        assert "the label kubectl-nodeport/ssh of pod dev is left behind" in caught.value.message
        assert caught.value.hint == "kubectl label pod dev -n default kubectl-nodeport/ssh-"

    @pytest.mark.parametrize("gone", ["pod", "replaced", "service", "all"])
    def test_what_is_gone_already_is_fine(self, gone: str) -> None:
        api = FakeApi(make.pod("dev"))
        exposed = expose(api)
        if gone in ("pod", "all"):
            del api.objects["pods", "default", "dev"]
        if gone == "replaced":
            api.add(make.pod("dev", uid="a-new-uid"))
        if gone in ("service", "all"):
            del api.objects["services", "default", NAME]
        withdraw(api, exposed, pod())
        assert is_clean(api)

    def test_rule_that_another_run_made_anew_stays(self) -> None:
        api = FakeApi(make.pod("dev"))
        exposed = expose(api)
        found = api.get("services", NAME)
        assert found is not None
        document = api.get("pods", "dev")
        assert document is not None
        found["metadata"]["uid"] = "another"
        document["metadata"]["labels"][LABEL] = "another"
        withdraw(api, exposed, pod())
        assert api.services() == [NAME]
        assert document["metadata"]["labels"][LABEL] == "another"


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"items": None},
        {"items": {"a": 1}},
        {"items": [None, 7, "x", {}, {"metadata": None, "spec": []}]},
        {"items": [], "metadata": []},
        {"items": [], "metadata": {"continue": None}},
    ],
)
def test_odd_lists_are_read_as_empty(page: Json) -> None:
    class Odd(FakeApi):
        def _list(self, request: Request) -> Json:  # noqa: ARG002
            return page

    assert expose(Odd(make.pod("dev"))).made_now


class TestWhatOthersChanged:
    """Services and pods can be edited by anybody with the right to."""

    def changed(self, **spec: object) -> FakeApi:
        """The rule stands, and its Service's spec was changed by hand."""
        api = FakeApi(make.pod("dev"))
        expose(api)
        found = api.get("services", NAME)
        assert found is not None
        found["spec"] |= spec
        api.log.clear()
        return api

    @pytest.mark.parametrize(
        "selector",
        [
            {"app": "payments", "tier": "prod"},
            {LABEL: f"{make.UID}.0123456789abcdef", "app": "payments"},
            {LABEL: "x"},
            {},
        ],
    )
    def test_selector_that_was_changed_labels_no_pod(self, selector: dict[str, str]) -> None:
        api = self.changed(selector=selector)
        again = expose(api)
        carrier = api.get("pods", "dev")
        assert carrier is not None
        labels = dict(carrier["metadata"]["labels"])
        assert labels.pop(LABEL) == f"{make.UID}.{again.id}"
        assert labels == {"app": "dev"}
        assert reached(api) == ["dev"]

    def test_selector_of_own_labels_that_the_pod_lost(self) -> None:
        """A pod that was taken out of service by its label is not put back."""
        api = self.changed(selector={"app": "dev"})
        carrier = api.get("pods", "dev")
        assert carrier is not None
        carrier["metadata"]["labels"] = {"app": "quarantined"}
        expose(api)
        assert carrier["metadata"]["labels"]["app"] == "quarantined"
        now = api.get("pods", "dev")
        assert now is not None
        assert now["metadata"]["labels"]["app"] == "quarantined"

    def test_type_that_was_changed_back(self) -> None:
        ports = [{"name": "ssh", "port": 22, "targetPort": 22, "protocol": "TCP"}]
        api = self.changed(type="ClusterIP", ports=ports)
        assert expose(api).node_port == RULE.preferred_ports(CLUSTER)[0]
        assert api.services() == [NAME]

    def test_admission_changes_it_and_it_cannot_be_removed(self) -> None:
        api = FakeApi(make.pod("dev"))

        def admit(request: Request) -> None:
            if request.verb == "create" and request.body:
                request.body["spec"]["selector"] = {"app": "other"}

        api.before = admit
        api.refused["delete services"] = (500, "InternalError", "etcd is away")
        told = failure(api)
        assert "it is left behind in namespace default" in told.message
        assert told.hint == f"kubectl delete service {NAME} -n default"

    def test_annotation_of_a_rule_that_others_made_and_that_stands(self) -> None:
        theirs = foreign("np-jane-1a2b3", 31000)
        theirs["spec"]["ports"] = [{"port": 2222, "targetPort": 2222, "nodePort": 31000}]
        value = '{"name":"ssh","containerPort":2222,"address":"192.168.5.82","nodePort":31000}'
        document = make.pod("dev", annotations={ANNOTATION: value})
        api = FakeApi(document, theirs)
        told = failure(api)
        assert 'pod dev has a rule "ssh" already, which service np-jane-1a2b3 is' in told.message
        assert "--name" in told.hint
        assert api.writes() == []
        del api.objects["services", "default", "np-jane-1a2b3"]
        assert expose(api).made_now, "an annotation whose Service is gone blocks nothing"
