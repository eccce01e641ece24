from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kubectl_nodeport.container import sshd
from kubectl_nodeport.container.sshd import Server, SshdError, Wish
from tests.container.answers import answer, said
from tests.ssh.make import key

ROOT = Path(__file__).parent.parent.parent


def wish(**changes: object) -> Wish:
    return Wish(**{"seed": bytes(32), "key": key(1), "port": 20022, **changes})  # type: ignore[arg-type]


def test_no_place() -> None:
    """Each is named once, although it may be the home as well, or mounted."""
    with pytest.raises(SshdError, match=r"in /tmp, /$") as caught:
        sshd.parse_put(b"tried /tmp\ntried /\ntried /\ntried /\x1b[2J\nfailed\nend\n", b"")
    assert "emptyDir" in caught.value.hint


def test_running_server() -> None:
    server = Server(20022, "", (0, 1, 0), key(7), "dev", "/home/dev", frozenset([key(1)]))
    assert sshd.parse_server(said(answer("running")), b"") == ("running", server)
    ground = sshd.parse_ground(b"status " + said(answer("running")))
    assert ground.server == server
    assert sshd.parse_ground(b"status " + said(answer("stopped"))).server is None


@pytest.mark.parametrize(
    ("listen", "loopback"),
    [("", False), ("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("x\n", False)],
)
def test_where_it_listens(listen: str, loopback: bool) -> None:
    _, server = sshd.parse_server(said(answer("running", listen=listen)), b"")
    assert server is not None
    assert server.is_loopback is loopback


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 0},
        {"port": 65536},
        {"port": "22"},
        {"port": True},
        {"user": "-oProxyCommand=x"},
        {"user": None},
        {"version": "x"},
        {"host_key": "ssh-ed25519 AAAA"},
        {"host_key": f"{key(1).openssh}\n{key(2).openssh}"},
        {"host_key": None},
    ],
)
def test_answer_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(SshdError, match="not what it should be"):
        sshd.parse_server(said(answer("running", **changes)), b"")


def test_home_that_cannot_be_is_left_out() -> None:
    _, server = sshd.parse_server(said(answer("running", home="/x;rm")), b"")
    assert server is not None
    assert server.home == ""


def test_error_is_told_in_one_line() -> None:
    error = {"error": {"code": "port", "message": "port 20022:\nin use"}}
    with pytest.raises(SshdError) as caught:
        sshd.parse_server(said(error), b"")
    assert caught.value.message == "the ssh server did not start: port 20022: in use"


@given(st.binary(max_size=300))
def test_anything_else_is_refused(output: bytes) -> None:
    assume(b"put" not in output)
    ground = sshd.parse_ground(output)
    assert (ground.program, ground.server) == (None, None)
    for parse in (sshd.parse_server, sshd.parse_put):
        with pytest.raises(SshdError):
            parse(output, output)


@pytest.mark.parametrize(
    ("machine", "architecture"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", None), ("", None), ("a b", None)],
)
def test_architecture(machine: str, architecture: str | None) -> None:
    assert sshd.parse_ground(f"machine {machine}\nend\n".encode()).architecture == architecture


@pytest.mark.parametrize(
    ("told", "folder"), [("/srv/a b", "/srv/a b"), ("srv", ""), ("/a\x1b[2J", ""), ("", "")]
)
def test_folder(told: str, folder: str) -> None:
    assert sshd.parse_ground(f"folder {told}\nend\n".encode()).folder == folder


@pytest.mark.parametrize(
    ("name", "fits"), [("dev", True), ("1000", True), ("root", False), ("", False)]
)
def test_whom_the_server_lets_in(name: str, fits: bool) -> None:
    ground = sshd.parse_ground(b"user dev\nuid 1000\nend\n")
    assert ground.is_logged_in_as(name) is fits


def test_what_start_reads() -> None:
    plain = json.loads(wish(exact=True, loopback=True, replaces=True).as_input())
    assert plain == {
        "host_key": "A" * 43 + "=",
        "authorized_keys": [key(1).openssh],
        "port": 20022,
        "port_fallback": False,
        "keyless_exit": True,
        "listen": "127.0.0.1",
        "replace": "always",
    }
    assert "\n" not in wish().as_input()


def test_version_is_the_programs() -> None:
    source = (ROOT / "sshd/internal/daemon/settings.go").read_text()
    found = re.search(r'^const Version = "(.*)"', source, re.MULTILINE)
    assert found
    assert found[1] == ".".join(map(str, sshd.VERSION))
