"""address against the real cluster: the seed's story of svc/mysql."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import ANSWERS_AT, Desk

pytestmark = pytest.mark.cluster


def mysql(desk: Desk, protocol: str = "TCP") -> int:
    """A NodePort Service of somebody's for the pod mysql; its port on the nodes."""
    port: dict[str, Any] = {"port": 3306, "protocol": protocol}
    spec = {"type": "NodePort", "selector": {"app": "mysql"}, "ports": [port]}
    body = {"metadata": {"name": "mysql"}, "spec": spec}
    made = desk.cluster.api.create(f"{desk.ns.path}/services", body)
    number: int = made["spec"]["ports"][0]["nodePort"]
    return number


def test_service_of_others(anywhere: Desk) -> None:
    desk = anywhere
    desk.ns.pod("mysql", runs="echo", port=3306)
    port = mysql(desk)
    where = f"{ANSWERS_AT[desk.cluster.profile.name]}:{port}"
    done = desk.nodeport("address", "svc/mysql")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{where}\n", "")
    done = desk.nodeport("address", "svc/mysql", "-o", "json")
    (item,) = json.loads(done.stdout)["items"]
    assert item["status"]["proof"] == "connection", "seen arriving in the pod"
    (answered,) = [c for c in item["status"]["candidates"] if c["result"] == "answered"]
    assert f"{answered['address']}:{port}" == where
    assert 0 < answered["seconds"] < 5
    assert desk.nodeport("address", "pod/mysql", "-o", "name").stdout == f"{where}\n"


def test_rule(desk: Desk) -> None:
    desk.ns.pod("dev", host_keys="own")
    port = desk.connect("dev")["port"]
    done = desk.nodeport("address", "dev", "-o", "json")
    (item,) = json.loads(done.stdout)["items"]
    assert (item["status"]["address"], item["spec"]["nodePort"]) == ("127.0.0.1", port)
    assert item["status"]["proof"] == "connection"
    (answered,) = [c for c in item["status"]["candidates"] if c["result"] == "answered"]
    assert "host key SHA256:" in answered["detail"]


def test_another_programs_port_is_no_answer(desk: Desk) -> None:
    """On the laptop's 127.0.0.1 something else holds the port: no connection arrives in the pod."""
    desk.ns.pod("mysql", runs="echo", port=3306)
    port = mysql(desk)
    desk.cluster.use("orbstack")
    desk.cluster.use("lan")
    squatter = desk.laptop.popen(
        ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr", "EXEC:cat"]
    )
    try:
        until(
            "the squatter",
            lambda: (
                desk.type("socat", "-u", "OPEN:/dev/null", f"TCP:127.0.0.1:{port}").returncode == 0
            ),
        )
        with desk.firewall():
            done = desk.nodeport("address", "svc/mysql", "--timeout", "4s")
    finally:
        squatter.kill()
        squatter.wait(10)
    assert (done.returncode, done.stdout) == (1, "")
    assert "127.0.0.1: accepts connections, but none arrives in the pod" in done.stderr


def test_udp_and_nothing(desk: Desk) -> None:
    desk.ns.pod("mysql", runs="echo", port=3306)
    done = desk.nodeport("address", "svc/mysql")
    assert 'no service "mysql"' in done.stderr
    port = mysql(desk, "UDP")
    done = desk.nodeport("address", "svc/mysql")
    assert (done.returncode, done.stdout) == (0, f"127.0.0.1:{port}\n")
    assert "is UDP, where no answer can be waited for" in done.stderr
