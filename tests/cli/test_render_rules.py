"""What get prints, to the letter; docs/output.md promises the JSON."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.cli.output import formatted
from kubectl_nodeport.cli.render import hosts, rules
from kubectl_nodeport.cli.render.table import age, cell, lines, table, widths
from kubectl_nodeport.rule.listed import Listed
from tests.ssh.make import entry, origin

NOW = datetime(2026, 1, 10, tzinfo=timezone.utc)
RULE = Listed(
    name="ssh",
    namespace="default",
    target="pod/dev",
    pods=("dev",),
    port=22,
    address="127.0.0.1",
    node_port=32513,
    service="nodeport-dev-ssh",
    created=NOW - timedelta(minutes=41),
    hosts=("dev.default.kind",),
)
CRATER = replace(RULE, service="np-jane-1a2b3", source="crater", node_port=31222, hosts=())
OTHER = Listed(
    name="dns",
    namespace="default",
    pods=("a", "b", "c", "d"),
    port="dns",
    protocol="UDP",
    node_port=30053,
    service="coredns",
    source="other",
    created=NOW - timedelta(days=400),
)
ALONE = replace(
    CRATER,
    pods=(),
    service="",
    address="10.9.9.9",
    created=None,
    problem="has an annotation, but no Service",
)
FOLLOWED = replace(RULE, target="deployment/api", pods=None, hosts=(), created=NOW)


class TestTable:
    def test_columns(self) -> None:
        assert (
            rules.table([RULE, CRATER, OTHER], NOW)
            == """\
NAME              POD                 PORT      ADDRESS     NODEPORT   HOST               AGE
ssh               dev                 22        127.0.0.1   32513      dev.default.kind   41m
ssh (crater)      dev                 22        127.0.0.1   31222      <none>             41m
coredns (other)   a,b,c + 1 more...   dns/UDP   <unknown>   30053      <none>             400d"""
        )

    def test_wide_with_namespaces(self) -> None:
        text = rules.table([ALONE, FOLLOWED], NOW, wide=True, with_namespace=True)
        first, second, third = (re.split(" {3,}", line) for line in text.splitlines())
        assert first[0] == "NAMESPACE"
        assert first[8:] == ["TARGET", "SERVICE", "MANAGED-BY", "PROBLEM"]
        assert second[:2] == ["default", "ssh (crater)"]
        assert second[7:10] == ["<unknown>", "pod/dev", "<none>"]
        assert second[10:] == ["crater", "has an annotation, but no Service"]
        assert third[2:4] == ["deployment/api", "22"]
        assert third[7:9] == ["0s", "deployment/api"]
        assert third[9:] == ["nodeport-dev-ssh", "kubectl-nodeport", "<none>"]

    def test_nothing(self) -> None:
        assert rules.table([], NOW) == ""

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"pods": ("dev",)}, "dev"),
            ({"pods": ("a", "b")}, "a,b"),
            ({"pods": ()}, "api"),
            ({"pods": (), "target": ""}, "<none>"),
            ({"pods": None, "target": ""}, "<unknown>"),
            ({"pods": None, "target": "deployment/api"}, "deployment/api"),
        ],
    )
    def test_pod(self, change: dict[str, object], expected: str) -> None:
        one = replace(RULE, **{"target": "pod/api", **change})  # type: ignore[arg-type]
        assert rules.row(one, NOW)[1] == expected

    def test_what_is_not_known(self) -> None:
        one = Listed("ssh", "default")
        assert rules.row(one, NOW)[1:] == ("<unknown>",) * 4 + ("<none>", "<unknown>")


def test_names() -> None:
    """One for each Service, and none for a rule that has none."""
    assert rules.names([RULE, replace(RULE, node_port=1), OTHER, ALONE]) == [
        "service/nodeport-dev-ssh",
        "service/coredns",
    ]


class TestDocument:
    def test_rule(self) -> None:
        assert rules.rule_list([RULE]) == {
            "apiVersion": "kubectl-nodeport/v1",
            "kind": "RuleList",
            "metadata": {},
            "items": [
                {
                    "apiVersion": "kubectl-nodeport/v1",
                    "kind": "Rule",
                    "metadata": {
                        "name": "ssh",
                        "namespace": "default",
                        "creationTimestamp": "2026-01-09T23:19:00Z",
                    },
                    "spec": {
                        "target": "pod/dev",
                        "port": 22,
                        "protocol": "TCP",
                        "nodePort": 32513,
                    },
                    "status": {
                        "managedBy": "kubectl-nodeport",
                        "service": "nodeport-dev-ssh",
                        "pods": ["dev"],
                        "address": "127.0.0.1",
                        "hosts": ["dev.default.kind"],
                        "problem": None,
                    },
                }
            ],
        }

    def test_what_is_not_known_is_null(self) -> None:
        (one,) = rules.rule_list([Listed("ssh", "default", source="other")])["items"]
        assert one["metadata"]["creationTimestamp"] is None
        assert one["spec"] == {"target": None, "port": None, "protocol": "TCP", "nodePort": None}
        assert one["status"] == {
            "managedBy": "other",
            "service": None,
            "pods": None,
            "address": None,
            "hosts": [],
            "problem": None,
        }

    def test_empty(self) -> None:
        assert rules.rule_list([])["items"] == []
        assert hosts.host_list([])["items"] == []


class TestHosts:
    ENTRIES = (entry(), entry("box", identity_file="/home/me/.ssh/work", origin=origin(service="")))

    def test_table(self) -> None:
        assert (
            hosts.table(self.ENTRIES)
            == """\
HOST                         ADDRESS     PORT    USER   CONTEXT          NAMESPACE   TARGET
dev.default.docker-desktop   127.0.0.1   31380   root   docker-desktop   default     pod/dev
box                          127.0.0.1   31380   root   docker-desktop   default     pod/dev"""
        )

    def test_wide(self) -> None:
        heading, first, second = hosts.table(self.ENTRIES, wide=True).splitlines()
        assert heading.split()[7:] == ["RULE", "SERVICE", "IDENTITY"]
        assert first.split()[7:] == ["ssh", "np-dev-ssh", "<none>"]
        assert second.split()[7:] == ["ssh", "<none>", "/home/me/.ssh/work"]

    def test_tunnel(self) -> None:
        """Its HostName is the alias, which is no address."""
        made = replace(entry(), program=("/opt/kubectl-nodeport", "proxy"))
        assert hosts.table([made]).splitlines()[1].split()[1:3] == ["<tunnel>", "<none>"]
        spec = hosts.host_list([made])["items"][0]["spec"]
        assert (spec["via"], spec["address"], spec["port"]) == ("tunnel", None, None)

    def test_nothing(self) -> None:
        assert hosts.table([]) == ""

    def test_names(self) -> None:
        assert hosts.names(self.ENTRIES) == ["host/dev.default.docker-desktop", "host/box"]

    def test_document(self) -> None:
        document = hosts.host_list([entry()])
        assert (document["kind"], document["apiVersion"]) == ("HostList", "kubectl-nodeport/v1")
        assert document["items"] == [
            {
                "apiVersion": "kubectl-nodeport/v1",
                "kind": "Host",
                "metadata": {"name": "dev.default.docker-desktop"},
                "spec": {
                    "via": "nodeport",
                    "address": "127.0.0.1",
                    "port": 31380,
                    "user": "root",
                    "identityFile": None,
                    "knownHostsFile": (
                        "~/.ssh/kubectl-nodeport/dev.default.docker-desktop.known_hosts"
                    ),
                },
                "origin": {
                    "context": "docker-desktop",
                    "kubeconfig": ["/home/me/.kube/config"],
                    "cluster": "sha256:0123",
                    "namespace": "default",
                    "target": "pod/dev",
                    "podUid": "7a5a0f4e-8a3c-4a43-9d0c-0d9f2b7f2f11",
                    "rule": "ssh",
                    "service": "np-dev-ssh",
                    "madeRule": True,
                },
            }
        ]


MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-2, "<invalid>"),
        (-1.9, "0s"),
        (-0.5, "0s"),
        (0, "0s"),
        (5.9, "5s"),
        (119, "119s"),
        (120, "2m"),
        (192, "3m12s"),
        (9 * MINUTE + 59, "9m59s"),
        (10 * MINUTE, "10m"),
        (10 * MINUTE + 1, "10m"),
        (41 * MINUTE, "41m"),
        (179 * MINUTE + 59, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + MINUTE, "3h1m"),
        (7 * HOUR + 59 * MINUTE, "7h59m"),
        (8 * HOUR + MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (48 * HOUR, "2d"),
        (63 * HOUR, "2d15h"),
        (8 * DAY - 1, "7d23h"),
        (8 * DAY + HOUR, "8d"),
        (729 * DAY, "729d"),
        (730 * DAY, "2y"),
        (731 * DAY, "2y1d"),
        (8 * 365 * DAY - 1, "7y364d"),
        (8 * 365 * DAY + DAY, "8y"),
    ],
)
def test_age(seconds: float, expected: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == expected


def test_age_that_is_not_known() -> None:
    assert age(None, NOW) == "<unknown>"


def test_later_rows_keep_the_columns() -> None:
    first = widths([("NAME", "AGE"), ("a-long-name", "5s")])
    assert lines([("b", "1s")], first) == ["b             1s"]
    wider = widths([("an-even-longer-name", "1s")], first)
    assert lines([("an-even-longer-name", "1s")], wider) == ["an-even-longer-name   1s"]
    assert widths([("b", "1s")], wider) == wider


@given(rows=st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1))
def test_columns_align_whatever_is_in_them(rows: list[tuple[str, ...]]) -> None:
    cells = [tuple(map(cell, row)) for row in rows]
    printed = table(cells).split("\n")
    assert len(printed) == len(rows)
    starts = widths(cells)
    for line, row in zip(printed, cells, strict=True):
        assert line.isprintable()
        assert line[starts[0] :].startswith(row[1])
        assert line[sum(starts) :] == row[2]


def test_more_rows_below_others() -> None:
    first, columns = rules.more([RULE], (), NOW)
    assert first == rules.table([RULE], NOW)
    below, same = rules.more([replace(RULE, name="web")], columns, NOW)
    assert below == first.splitlines()[1].replace("ssh", "web")
    assert same == columns


def test_cell() -> None:
    assert cell("") == cell(" \n ") == "<none>"
    assert cell("a\x1b[2J\nb\u202e") == "a?[2J b?"
    assert cell("x" * 1_000_000) == "x" * 252 + "…"


def test_hostile_texts() -> None:
    evil = "x\x1b[2J\r\x07\u202e" + "y" * 500
    one = Listed(evil, evil, evil, (evil,), evil, evil, evil, 1, evil, "other", None, (evil,), evil)
    for line in rules.table([one], NOW, wide=True, with_namespace=True).split("\n"):
        assert line.isprintable()
        assert len(line) < 12 * 260
    for chosen in ("json", "yaml"):
        text = formatted(chosen, rules.rule_list([one]))
        assert text.isascii()
        assert text.replace("\n", "").isprintable()
