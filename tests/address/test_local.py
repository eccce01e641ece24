"""Where this program runs, from files and variables laid out for it."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubectl_nodeport.address.facts import LocalFacts
from kubectl_nodeport.address.local import (
    is_bound_beyond_loopback,
    local_facts,
    own_lan_address,
)

_WSL_KERNEL = "Linux version 5.15.153.1-microsoft-standard-WSL2 (root@941d701f84f1)"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", "linux"), ("darwin", "darwin"), ("win32", "win32"), ("freebsd14", "linux")],
)
def test_platform(tmp_path: Path, platform: str, expected: str) -> None:
    assert local_facts({}, root=tmp_path, platform=platform).platform == expected


def test_an_ordinary_linux(tmp_path: Path) -> None:
    _write(tmp_path / "proc/version", "Linux version 6.1.0-18-amd64 (debian-kernel)")
    assert local_facts({}, root=tmp_path, platform="linux") == LocalFacts("linux")


def test_wsl_by_its_variable(tmp_path: Path) -> None:
    assert local_facts({"WSL_DISTRO_NAME": "Debian"}, root=tmp_path, platform="linux").wsl


def test_wsl_by_its_kernel(tmp_path: Path) -> None:
    _write(tmp_path / "proc/version", _WSL_KERNEL)
    assert local_facts({}, root=tmp_path, platform="linux").wsl


def test_windows_itself_is_not_wsl(tmp_path: Path) -> None:
    assert not local_facts({"WSL_DISTRO_NAME": "x"}, root=tmp_path, platform="win32").wsl


def test_in_a_cluster_takes_address_and_account(tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
    assert not local_facts(environ, root=tmp_path, platform="linux").in_cluster
    _write(tmp_path / "var/run/secrets/kubernetes.io/serviceaccount/token", "t")
    assert local_facts(environ, root=tmp_path, platform="linux").in_cluster
    assert not local_facts({}, root=tmp_path, platform="linux").in_cluster


def test_this_machine_is_read_without_arguments() -> None:
    assert local_facts().platform in ("linux", "darwin", "win32")


def test_the_own_address_is_never_loopback() -> None:
    found = own_lan_address(["127.0.0.1", "::1", "localhost", "not an address", "fe80::1"])
    assert found is None or not ipaddress.ip_address(found).is_loopback


_ASK = "from kubectl_nodeport.address.local import own_lan_address as towards\n"
_TWO_NETWORKS = """
import subprocess
for n in "12":
    for line in (
        "link add a% type veth peer name b%",
        "address add 10.%.0.7/24 dev a%",
        "link set a% up",
        "link set b% up",
    ):
        subprocess.run(["ip", *line.replace("%", n).split()], check=True)
subprocess.run("ip route add default via 10.2.0.1".split(), check=True)
"""


def in_a_network_of_its_own(code: str) -> str:
    """What Python prints where there is nothing but a loopback that is down, and what it makes."""
    isolated = ["unshare", "--map-root-user", "--net", sys.executable, "-c", code]
    try:
        done = subprocess.run(isolated, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if "unshare:" in done.stderr or "CalledProcessError" in done.stderr:
        pytest.skip(f"no right to make networks: {done.stderr[-80:]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_a_network_there_is_no_own_address() -> None:
    assert in_a_network_of_its_own(f"{_ASK}print(towards(['10.0.0.1']))") == "None\n"


def test_the_address_towards_the_first_that_can_be_reached() -> None:
    questions = ("['10.1.0.9']", "['10.2.0.9', '10.1.0.9']", "['127.0.0.1']", "")
    asked = "".join(f"print(towards({question}))\n" for question in questions)
    told = in_a_network_of_its_own(_TWO_NETWORKS + _ASK + asked)
    assert told.split() == ["10.1.0.7", "10.2.0.7", "10.2.0.7", "10.2.0.7"]


@pytest.fixture
def listening() -> Iterator[Callable[[str], int]]:
    """A function that listens on an address and tells the port."""
    with contextlib.ExitStack() as stack:

        def listen(address: str) -> int:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            server = stack.enter_context(socket.create_server((address, 0), family=family))
            return int(server.getsockname()[1])

        yield listen


# 127.0.0.2 stands for the LAN address.
def test_a_forwarder_on_loopback_alone_is_not_bound_beyond(listening: Callable[[str], int]) -> None:
    assert not is_bound_beyond_loopback(listening("127.0.0.1"), "127.0.0.2")


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.2"])
def test_one_on_all_addresses_or_on_that_one_is(
    listening: Callable[[str], int], address: str
) -> None:
    port = listening(address)
    assert is_bound_beyond_loopback(port, "127.0.0.2")
    assert is_bound_beyond_loopback(port, "127.0.0.2"), "asking must not change the answer"


def test_one_on_all_addresses_of_both_families_is() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        assert is_bound_beyond_loopback(server.getsockname()[1], "127.0.0.2")


def test_asking_leaves_the_port_free(listening: Callable[[str], int]) -> None:
    port = listening("127.0.0.1")
    assert not is_bound_beyond_loopback(port, "127.0.0.2")
    with socket.create_server(("127.0.0.2", port)):
        assert is_bound_beyond_loopback(port, "127.0.0.2")


def test_an_address_of_another_machine_is_not_bound_here(listening: Callable[[str], int]) -> None:
    assert not is_bound_beyond_loopback(listening("0.0.0.0"), "192.0.2.1")
