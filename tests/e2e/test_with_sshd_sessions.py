"""What ssh's own clients do in a container of nothing but busybox, into which connect has brought a
server: there is no bash, no passwd, no /tmp, no sftp-server and no scp in it."""

from __future__ import annotations

import os

import pytest

from tests.cluster.api import until
from tests.cluster.bare import ENVIRONMENT
from tests.cluster.laptop import end
from tests.e2e.brought import disconnected, folder, inside, inventory, servers
from tests.e2e.conftest import Desk

pytestmark = pytest.mark.cluster

_BYTES = 3_000_000
_FILES = 50


def test_busybox(desk: Desk) -> None:
    """One pod for all that does not disturb the rest."""
    desk.ns.pod("dev", runs="nothing", image="busybox", env={"FROM_THE_POD": "a  b"})
    before = inventory(desk)
    done = desk.connect("dev", "--with-sshd")
    host = done["host"]
    assert done["user"] == "root", "although nothing there says so"
    assert folder(desk, "") in servers(desk), "in the root: there is no /tmp"
    _commands(desk, host)
    _environment(desk, host)
    _sftp(desk, host)
    _scp(desk, host)
    _forwarding(desk, host)
    inside(desk, "rm", "-r", "/put", "/many", "/www")
    disconnected(desk, "dev")
    assert inventory(desk) == before
    desk.assert_nothing_left(but_backups=True)


def _commands(desk: Desk, host: str) -> None:
    assert desk.ssh(host, "id -u; hostname") == "0\ndev"
    assert desk.type("ssh", host, "echo out; echo err >&2; exit 7").returncode == 7
    assert desk.ssh("-tt", host, "tty").startswith("/dev/pts/")


def _environment(desk: Desk, host: str) -> None:
    """That of the image, of the pod and of Kubernetes, as in the container's own process."""
    found = _variables(desk.ssh(host, "env"))
    own = _variables(inside(desk, "sh", "-c", r"tr '\0' '\n' </proc/1/environ"))
    assert own.items() >= {**ENVIRONMENT, "FROM_THE_POD": "a  b"}.items()
    assert own["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    changed = {key for key, value in own.items() if found.get(key) != value}
    assert changed <= {"HOME", "SHLVL"}
    assert found["SSH_CONNECTION"].endswith(" 20022")


def _variables(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value for key, _, value in pairs}


def _sftp(desk: Desk, host: str) -> None:
    """A file of some size and a tree, there and back."""
    home = desk.laptop.home
    (home / "put").write_bytes(os.urandom(_BYTES))
    (home / "put").chmod(0o640)
    (home / "many" / "deep").mkdir(parents=True)
    for number in range(_FILES):
        (home / "many" / "deep" / f"{number} é").write_text(f"{number}\n" * number)
    batch = "put -p put /put\nput -R many /\nget /put got\nget -R /many back\n"
    done = desk.laptop.run(["sftp", "-q", "-b", "-", host], stdin=batch)
    assert done.returncode == 0, done.stderr
    assert (home / "got").read_bytes() == (home / "put").read_bytes()
    assert _tree(desk, "back") == _tree(desk, "many")
    assert inside(desk, "stat", "-c", "%a %s", "/put") == f"640 {_BYTES}\n"


def _tree(desk: Desk, name: str) -> dict[str, bytes]:
    top = desk.laptop.home / name
    files = (path for path in top.rglob("*") if path.is_file())
    return {str(path.relative_to(top)): path.read_bytes() for path in files}


def _scp(desk: Desk, host: str) -> None:
    """As today's scp does it, which needs no scp there."""
    (desk.laptop.home / "copies").mkdir()
    done = desk.type("scp", "-q", "-r", f"{host}:/many", f"{host}:/put", "copies")
    assert done.returncode == 0, done.stderr
    assert _tree(desk, "copies/many") == _tree(desk, "many")
    assert (desk.laptop.home / "copies" / "put").stat().st_size == _BYTES
    done = desk.type("scp", "-q", "many/deep/7 é", f"{host}:/many/one")
    assert done.returncode == 0, done.stderr
    assert desk.ssh(host, "cat /many/one") == "\n".join(["7"] * 7)
    assert desk.type("scp", "-q", f"{host}:/not/there", "copies").returncode == 1


def _forwarding(desk: Desk, host: str) -> None:
    """A port of the laptop leads to what listens on the pod's own loopback address alone."""
    desk.ssh(host, "mkdir /www && echo from the pod >/www/word && httpd -p 127.0.0.1:8080 -h /www")
    get = r"exec 3<>/dev/tcp/127.0.0.1/8022 && printf 'GET /word HTTP/1.0\r\n\r\n' >&3 && cat <&3"
    ssh = ("ssh", "-N", "-o", "ExitOnForwardFailure=yes", "-L", "127.0.0.1:8022:127.0.0.1:8080")
    process = desk.laptop.popen([*ssh, host])
    try:
        until("an answer", lambda: "from the pod" in desk.type("bash", "-c", get).stdout, 30)
    finally:
        end(process)
