from __future__ import annotations

import json
from typing import Any

import pytest

from kubectl_nodeport.commands.expose import ExposeRequest, Opened, expose
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.kube.target import Target
from kubectl_nodeport.rule.rule import Rule
from tests.commands.fake_api import FakeApi
from tests.commands.world import NODE, FakeKnock, World
from tests.kube import make

PORTS = [
    {"containerPort": 25, "name": "smtp"},
    {"containerPort": 53, "name": "dns", "protocol": "UDP"},
]


def pod(**changes: Any) -> Json:
    containers = [{"name": "main", "image": "debian", "ports": PORTS}]
    return make.pod("dev", **{"containers": containers, **changes})


def world(*objects: Json) -> World:
    return World(api=FakeApi(*(objects or (pod(),)), NODE))


def run(made: World, name: str | None = "ssh", **asked: Any) -> Opened:
    made.api.log.clear()
    made.notes.clear()
    return expose(ExposeRequest(Target("dev"), name, **asked), made.edges)


def refused(made: World, name: str | None = "ssh", **asked: Any) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        run(made, name, **asked)
    return caught.value


def rules_on(made: World) -> dict[str, Any]:
    found = made.api.get("pods", "dev")
    assert found is not None
    return {k: json.loads(v) for k, v in found["metadata"]["annotations"].items()}


def test_three_rules_as_in_craters_page() -> None:
    made = world()
    rules = {"smtp": 25, "ssh": 22, "telnet": 23}
    opened = {name: run(made, name, port=port) for name, port in rules.items()}
    assert sorted(made.api.services()) == [f"nodeport-dev-{name}" for name in sorted(rules)]
    for name, port in rules.items():
        (one,) = opened[name].listed
        assert (one.name, one.port, one.target, one.pods) == (name, port, "pod/dev", ("dev",))
        assert rules_on(made)[f"nodeport.crater.raids.io/{name}"] == {
            "name": name,
            "containerPort": port,
            "address": "192.168.5.82",
            "nodePort": one.node_port,
        }


def test_requests_of_a_new_rule_and_of_one_that_stands() -> None:
    made = world()
    assert run(made).change == "created"
    assert sorted(made.api.log) == [
        *("create services", "get nodes/node-1", "get pods/dev", "list services", "patch pods/dev")
    ]
    assert run(made).change == "unchanged"
    assert sorted(made.api.log) == [
        *("get nodes/node-1", "get pods/dev", "list pods", "list services")
    ]


def test_two_rules_on_one_container_port() -> None:
    made = world()
    one, two = run(made, "ssh"), run(made, "shell", port=22)
    assert one.listed[0].node_port != two.listed[0].node_port
    assert two.change == "created"


def test_address_is_the_first_that_accepts() -> None:
    made = world()
    (one,) = (opened := run(made)).listed
    assert one.address == "127.0.0.1"
    assert opened.answering == frozenset([one.node_port])


def test_nothing_answers_yet() -> None:
    made = world()
    made.knock.open = set()
    opened = run(made)
    assert opened.listed[0].address == "127.0.0.1", "the most promising"
    assert opened.answering == frozenset()
    assert opened.listed[0].problem == "nothing answers there yet"
    assert made.api.services() == ["nodeport-dev-ssh"], "the rule stands"


def test_udp_is_not_asked() -> None:
    made = World(api=FakeApi(pod(), NODE), knock=FakeKnock())
    opened = run(made, "dns", port="dns", protocol="UDP")
    assert (opened.listed[0].port, opened.listed[0].protocol) == (53, "UDP")
    assert opened.answering is None
    assert made.knock.ports == []
    found = made.api.get("services", "nodeport-dev-dns")
    assert found is not None
    assert found["spec"]["ports"][0]["protocol"] == "UDP"


@pytest.mark.parametrize(
    ("name", "port", "expected"),
    [
        ("smtp", None, 25),
        ("smtp", "smtp", 25),
        ("mail", "smtp", 25),
        ("ssh", None, 22),
        ("ssh", 2222, 2222),
    ],
)
def test_which_port(name: str, port: int | str | None, expected: int) -> None:
    assert run(world(), name, port=port).listed[0].port == expected


ONE = [{"containerPort": 8080, "name": "http"}]


@pytest.mark.parametrize(
    ("declared", "asked", "name", "port"),
    [
        (ONE, {}, "http", 8080),
        (ONE, {"port": 8080}, "http", 8080),
        (ONE, {"port": "http"}, "http", 8080),
        (ONE, {"port": 22}, "ssh", 22),
        ([], {}, "ssh", 22),
        ([], {"port": 22}, "ssh", 22),
        (PORTS, {"protocol": "UDP"}, "dns", 53),
        (PORTS, {}, "smtp", 25),
    ],
)
def test_name_that_was_left_out(
    declared: list[Json], asked: dict[str, Any], name: str, port: int
) -> None:
    containers = [{"name": "main", "image": "debian", "ports": declared}]
    (one,) = run(world(pod(containers=containers)), None, **asked).listed
    assert (one.name, one.port) == (name, port)


@pytest.mark.parametrize(
    ("declared", "asked", "message"),
    [
        ([], {"port": 8080}, "what is the rule for port 8080 of pod dev to be called?"),
        ([{"containerPort": 80, "name": "http-web"}], {}, "what is the rule for port 80 of pod"),
        ([*ONE, {"containerPort": 81}], {}, "which port of pod dev is the rule to open?"),
    ],
)
def test_no_name_can_be_made_out(declared: list[Json], asked: dict[str, Any], message: str) -> None:
    made = world(pod(containers=[{"name": "main", "image": "debian", "ports": declared}]))
    assert message in refused(made, None, **asked).message
    assert made.api.writes() == []


@pytest.mark.parametrize(
    ("name", "asked", "message", "hint"),
    [
        ("Ssh", {}, '"Ssh" is not a name for a rule', "1 to 20 lower-case letters"),
        ("s" * 21, {}, "is not a name for a rule", "1 to 20 lower-case letters"),
        ("s;h", {}, "is not a name for a rule", "1 to 20 lower-case letters"),
        ("", {}, '"" is not a name for a rule', "1 to 20 lower-case letters"),
        ("web", {}, 'which port of pod dev is the rule "web" to open?', "declares 25 (smtp)"),
        ("web", {"port": "http"}, 'a TCP port named "http"', "smtp (25/TCP), dns (53/UDP)"),
        ("dns", {"port": "dns"}, 'a TCP port named "dns"', "dns (53/UDP)"),
    ],
)
def test_refused_before_anything_is_made(
    name: str, asked: dict[str, Any], message: str, hint: str
) -> None:
    made = world()
    told = refused(made, name, **asked)
    assert message in told.message
    assert hint in told.hint
    assert made.api.writes() == []


def test_same_name_and_another_port() -> None:
    made = world()
    run(made, "ssh", port=22)
    told = refused(made, "ssh", port=2222)
    assert told.message == 'the rule "ssh" of pod dev leads to port 22, not to 2222'
    assert "kubectl nodeport delete dev --name ssh -n default" in told.hint
    assert made.api.writes() == []
    told = refused(made, "ssh", port=22, protocol="UDP")
    assert "leads to port 22, not to 22/UDP" in told.message


class TestNodePort:
    def test_exactly_this_one(self) -> None:
        assert run(world(), node_port=30080).listed[0].node_port == 30080

    def test_taken(self) -> None:
        made = world()
        run(made, "ssh", node_port=30080)
        told = refused(made, "shell", port=22, node_port=30080)
        assert told.message == "NodePort 30080 cannot be had: another Service has it"
        assert made.api.services() == ["nodeport-dev-ssh"]

    def test_out_of_range(self) -> None:
        told = refused(world(), node_port=80)
        assert told.message == "NodePort 80 cannot be had: the range is 30000-32767"

    def test_rule_stands_with_another(self) -> None:
        made = world()
        first = run(made).listed[0].node_port
        told = refused(made, node_port=30080)
        assert told.message == f'the rule "ssh" of pod dev has NodePort {first}, not 30080'
        assert made.api.writes() == []

    def test_cluster_with_another_range(self) -> None:
        made = world()
        made.api.node_port_range = (20000, 22767)
        port = run(made).listed[0].node_port
        rule = Rule("ssh", "default", "pod/dev", 22)
        assert port == rule.preferred_ports(made.connection.identity, (20086, 22767))[0]
        assert made.api.log.count("create services") == 2

    def test_tiny_range_that_is_used_up_but_for_one(self) -> None:
        made = world()
        made.api.node_port_range = (20000, 20002)
        ports = {run(made, name, port=22).listed[0].node_port for name in ("a", "b", "c")}
        assert ports == {20000, 20001, 20002}


def test_dry_run_makes_nothing() -> None:
    made = world()
    opened = run(made, "smtp", dry_run=True)
    assert made.api.writes() == []
    assert (opened.change, opened.answering, opened.dry_run) == ("created", None, True)
    assert opened.listed[0].node_port == run(made, "smtp").listed[0].node_port


def test_pod_that_is_not_running_yet_may_have_a_rule() -> None:
    document = pod(phase="Pending", conditions=[{"type": "Ready", "status": "False"}])
    assert run(world(document)).change == "created"


def test_host_network_is_refused() -> None:
    made = world(pod(hostNetwork=True))
    assert "a rule would open the node's own port" in refused(made).message
    assert made.api.writes() == []


def test_without_the_right_to_read_nodes() -> None:
    made = world()
    made.api.forbid("get", "nodes")
    opened = run(made)
    assert opened.change == "created"
    assert any("right to get nodes" in note for note in made.notes)
