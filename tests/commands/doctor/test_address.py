"""The rule, the node, the address, and what may keep connections from the pod."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kubectl_nodeport.address.resolution import Verdict
from kubectl_nodeport.commands.doctor.finding import Status
from kubectl_nodeport.errors import NodeportError
from tests.commands.doctor.cases import FakeMachine, case, found
from tests.commands.test_connect import ALIAS
from tests.commands.test_rules import foreign
from tests.commands.world import World

CONNECT = "kubectl nodeport connect dev -n default"
VPN = FakeMachine(interfaces=("lo", "eth0", "wg0"))


def connected(via: str = "auto") -> World:
    """A world in which connect has run."""
    there = World()
    there.connect(via=via)
    return there


def test_no_rule_yet() -> None:
    findings = found(case())
    assert findings["rule"].seen == "there is none yet, connect makes it"
    assert "connect would try 127.0.0.1" in findings["address"].seen
    assert "192.168.5.82" in findings["address"].seen


def test_rule_that_answers() -> None:
    there = connected()
    findings = found(case(there))
    assert "leads NodePort" in findings["rule"].seen
    assert findings["address"].seen.startswith("127.0.0.1 port ")
    assert findings["address"].status is Status.OK


def test_rule_that_answers_nowhere() -> None:
    there = connected()
    there.resolve.open = set()
    findings = found(case(there, VPN))
    finding = findings["address"]
    assert finding.status is Status.FAIL
    assert "tried 127.0.0.1: refused" in finding.seen
    assert finding.command == "kubectl nodeport connect dev -n default --via tunnel"
    assert "Docker Desktop forwards port" in finding.hint
    assert findings["platform"].status is Status.WARNING
    assert "wg0" in findings["platform"].seen


def test_vpn_is_no_matter_where_the_address_answers() -> None:
    finding = found(case(connected(), VPN))["platform"]
    assert (finding.status, finding.seen) == (Status.OK, "Linux, with wg0")


def test_rule_of_an_earlier_pod() -> None:
    there = connected()
    document = there.api.get("pods", "dev")
    assert document is not None
    document["metadata"]["uid"] = "another"
    finding = found(case(there))["rule"]
    assert finding.status is Status.FAIL
    assert finding.seen.endswith("and the rule behind it does not reach this pod")
    assert finding.command == CONNECT
    there.hosts.written.clear()
    finding = found(case(there))["rule"]
    assert (finding.status, finding.command) == (Status.WARNING, CONNECT)


@pytest.mark.parametrize("is_replaced", [True, False])
def test_rule_that_is_gone_from_behind_the_entry(is_replaced: bool) -> None:
    there = connected()
    port = there.hosts.written[ALIAS].port
    (service,) = there.api.services()
    del there.api.objects["services", "default", service]
    if is_replaced:
        document = there.api.get("pods", "dev")
        assert document is not None
        document["metadata"]["uid"] = "another"
    finding = found(case(there))["rule"]
    assert finding.status is Status.FAIL
    gone = f"the Host entry leads to NodePort {port}, and the rule behind it is gone"
    assert finding.seen == gone + " (the pod was replaced)" * is_replaced
    assert finding.command == CONNECT


def test_rule_that_has_another_port_than_the_entry() -> None:
    there = connected()
    entry = there.hosts.written[ALIAS]
    port = entry.port
    there.hosts.written[ALIAS] = dataclasses.replace(entry, port=30999)
    finding = found(case(there))["rule"]
    assert (finding.status, finding.command) == (Status.FAIL, CONNECT)
    seen = f"the Host entry leads to NodePort 30999, and the pod is behind NodePort {port}, of"
    assert finding.seen.startswith(seen)


def test_entry_by_one_of_two_services_of_others() -> None:
    """connect would take the first; the entry's leads there as well."""
    there = World()
    there.api.add(foreign("second", 32022))
    there.connect()
    there.api.add(foreign("first", 32021))
    there.api.objects = dict(sorted(there.api.objects.items()))
    finding = found(case(there))["rule"]
    assert (finding.status, "service first, made by others" in finding.seen) == (Status.OK, True)
    del there.api.objects["services", "default", "second"]
    finding = found(case(there))["rule"]
    assert finding.seen == (
        "the Host entry leads to NodePort 32022, and the pod is behind NodePort 32021, of "
        "service first"
    )


def test_host_that_goes_through_the_api_server() -> None:
    there = connected(via="tunnel")
    seen = "there is none, the Host entry goes through the API server"
    assert found(case(there))["rule"].seen == seen
    assert "answers through the API server" in found(case(there))["address"].seen
    there.tunnel.error = NodeportError("nothing listens there", hint="start it")
    finding = found(case(there))["address"]
    assert (finding.status, finding.seen) == (Status.FAIL, "nothing listens there")


def test_rule_of_another_port() -> None:
    finding = found(case(connected(), asked={"port": 2222}))["rule"]
    assert finding.status is Status.FAIL
    assert 'the rule "ssh" of pod dev leads to port 22, not to 2222' in finding.seen


@pytest.mark.parametrize(
    ("changes", "seen", "command"),
    [
        (
            {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            "node node-1 is not ready",
            "kubectl describe node node-1",
        ),
        (
            {"metadata": {"name": "node-1", "labels": {"type": "virtual-kubelet"}}},
            "node node-1 is a virtual one, without kube-proxy",
            "kubectl nodeport connect dev -n default --via tunnel",
        ),
    ],
)
def test_node(changes: dict[str, Any], seen: str, command: str) -> None:
    there = World()
    document = there.api.get("nodes", "node-1", "")
    assert document is not None
    document.update(changes)
    finding = found(case(there))["node"]
    assert (finding.status, finding.seen, finding.command) == (Status.FAIL, seen, command)


def test_name_of_a_node_that_would_be_run() -> None:
    there = World()
    document = there.api.get("nodes", "node-1", "")
    assert document is not None
    unready = [{"type": "Ready", "status": "False"}]
    document.update(metadata={"name": "x; reboot"}, status={"conditions": unready})
    assert found(case(there))["node"].command == "kubectl describe node node-1"


def test_without_the_right_to_read_the_node() -> None:
    there = World()
    there.api.forbid("get", "nodes")
    findings = found(case(there))
    assert findings["node"].because == "optional-rights"


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


FOR_DEV = policy("deny", podSelector={"matchLabels": {"app": "dev"}}, policyTypes=["Ingress"])


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (FOR_DEV, True),
        (policy("all", podSelector={}), True),
        (policy("some", podSelector={"matchExpressions": [{"key": "x"}]}), True),
        (policy("web", podSelector={"matchLabels": {"app": "web"}}), False),
        (policy("out", podSelector={}, policyTypes=["Egress"]), False),
        (policy("-; rm -rf /", podSelector={}), False),
        (policy("odd", podSelector="x"), True),
        ({"kind": "NetworkPolicy", "metadata": {"name": "none"}}, False),
    ],
)
def test_network_policy(of: dict[str, Any], told: bool) -> None:
    there = World()
    there.api.add(of)
    finding = found(case(there))["network-policy"]
    assert (finding.status is Status.WARNING) == told
    if told:
        name = of["metadata"]["name"]
        assert finding.command == f"kubectl describe networkpolicy {name} -n default"


def test_network_policy_that_lets_us_in() -> None:
    there = connected()
    there.api.add(FOR_DEV)
    seen = found(case(there))["network-policy"].seen
    assert seen == "deny is for this pod, and this machine is let in"


def test_network_policies_that_may_not_be_listed() -> None:
    there = World()
    there.api.forbid("list", "networkpolicies")
    finding = found(case(there))["network-policy"]
    assert (finding.status, "not known: " in finding.seen) == (Status.OK, True)


def test_another_server_at_the_address() -> None:
    there = connected()
    there.resolve.verdicts = {"127.0.0.1": Verdict.NOT_SSH}
    there.resolve.open = set()
    assert found(case(there))["address"].status is Status.FAIL


def test_entry_by_a_service_of_others_beside_a_stale_rule() -> None:
    there = World()
    there.api.add(foreign("theirs"))
    there.connect()
    (ours,) = [one for key, one in connected().api.objects.items() if key[0] == "services"]
    ours["metadata"]["ownerReferences"][0]["uid"] = "another"
    there.api.add(ours)
    assert found(case(there))["rule"].status is Status.WARNING
    del there.api.objects["services", "default", "theirs"]
    finding = found(case(there))["rule"]
    assert finding.status is Status.FAIL
    assert finding.seen.endswith("and the rule behind it is gone")


def test_entry_whose_address_does_not_answer_any_more() -> None:
    there = connected()
    there.resolve.open = {"192.168.5.82"}
    finding = found(case(there))["address"]
    assert (finding.status, finding.command) == (Status.FAIL, CONNECT)
    assert finding.seen.startswith(
        "the Host entry leads to 127.0.0.1, where the NodePort does not answer; 192.168.5.82 port "
    )


def test_address_that_was_slower_than_another() -> None:
    there = connected()
    turns = iter([{"192.168.5.82"}, {"127.0.0.1"}])

    def seen() -> None:
        there.resolve.open = next(turns)

    there.resolve.seen = seen
    finding = found(case(there))["address"]
    assert finding.status is Status.OK
    assert finding.seen.startswith("127.0.0.1 port ")


def test_the_entry_that_lost_its_keys() -> None:
    there = connected()
    there.hosts.known.clear()
    finding = found(case(there))["entry"]
    assert finding.status is Status.FAIL
    assert finding.command == "kubectl nodeport connect dev -n default"


def test_host_of_somebody_else() -> None:
    there = World()
    there.hosts.foreign.add("dev.default.docker-desktop")
    finding = found(case(there))["entry"]
    assert finding.status is Status.FAIL
    assert "kubectl nodeport did not make" in finding.seen


def test_sessions_are_closed() -> None:
    there = connected()
    of = case(there)
    found(of)
    shell: Any = there.exec
    assert len(shell.sessions) == 3
    assert all(one.closed for one in shell.sessions)
