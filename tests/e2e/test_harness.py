"""The real Kubernetes of tests/cluster keeps its own promises."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.cluster import guard
from tests.cluster.api import until
from tests.cluster.cluster import Cluster, free_name
from tests.cluster.laptop import REPOSITORY, Laptop
from tests.cluster.namespace import Namespace
from tests.cluster.namespaces import connected
from tests.cluster.node import KIND
from tests.cluster.process import ProcessId, run
from tests.cluster.sshd_log import most_within
from tests.cluster.state import State, folder_of

pytestmark = pytest.mark.cluster

_LONG_RUN = """\
import sys, time
from tests.cluster.cluster import Cluster
from tests.cluster.node import KIND
cluster = Cluster.start(sys.argv[1], identity=KIND)
cluster.use("docker-desktop-kind")
cluster.reset_home()
with cluster.namespace() as ns:
    ns.pod("dev")
    (node,) = cluster.api.get("/api/v1/nodes")["items"]
    print(node["metadata"]["name"], node["spec"]["providerID"], flush=True)
    time.sleep(600)
"""


_KINDS = ("mnt", "net", "pid")


def test_killed_runs_and_down_leave_nothing(cluster: Cluster) -> None:  # noqa: ARG001 builds first
    name = free_name("harness")
    before = _machine(name)
    seen: set[ProcessId] = set()
    spaces = Spaces()
    for moment in ("starting", "serving"):
        with _run(_LONG_RUN, name) as killed:
            if moment == "starting":
                until("its state", lambda: State.read(folder_of(name)) is not None)
            else:
                assert killed.stdout is not None
                name_and_provider = killed.stdout.readline().split()
                assert name_and_provider == [KIND.name, KIND.provider_id]
            _look_around(name, seen, spaces)
            os.kill(killed.pid, signal.SIGKILL)
    run([sys.executable, "-m", "tests.cluster", "up", "--name", name], cwd=REPOSITORY)
    _look_around(name, seen, spaces)
    assert len(seen) > 20, "too few processes seen for a cluster with a pod"

    run([sys.executable, "-m", "tests.cluster", "down", "--name", name], cwd=REPOSITORY)

    assert not [process for process in seen if process.alive()]
    assert not spaces.names() & {space for entry in _processes() for space in _spaces(entry)}
    spaces.let_go()
    assert _machine(name) == before
    assert not folder_of(name).exists()


def _run(program: str, *arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def _machine(name: str) -> dict[str, object]:
    """What a cluster could leave on the machine itself."""
    settings = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
    return {
        "mounts": [line for line in _lines("/proc/self/mountinfo") if name in line],
        "cgroups": sorted(map(str, Path("/sys/fs/cgroup").rglob(f"*{name}*"))),
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "rules": [line for line in run(["iptables-save"]).splitlines() if line[0] != "#"],
        "settings": [_lines(f"/proc/sys/{setting}") for setting in settings],
    }


class Spaces:
    """Namespaces, held open: the number of one that has gone is soon another's."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}

    def names(self) -> set[str]:
        return set(self._held)

    def hold(self, entry: Path, but: set[str]) -> None:
        """Those of a process, but for some."""
        for kind in _KINDS:
            with contextlib.suppress(OSError):  # it has just ended
                handle = os.open(entry / "ns" / kind, os.O_RDONLY | os.O_CLOEXEC)
                space = str(Path(f"/proc/self/fd/{handle}").readlink())
                if space in but or space in self._held:
                    os.close(handle)
                else:
                    self._held[space] = handle

    def let_go(self) -> None:
        for handle in self._held.values():
            os.close(handle)


def _look_around(name: str, seen: set[ProcessId], spaces: Spaces) -> None:
    """Note the processes of the cluster's node and laptop, and the namespaces they are in."""
    state = State.read(folder_of(name))
    assert state is not None
    laptop = str(Path(f"/proc/{state.laptop.pid}/ns/mnt").readlink())
    own = set(_spaces(Path("/proc/self")))
    parents = {int(entry.name): _parent(entry) for entry in _processes()}
    for entry in _processes():
        pid: int | None = int(entry.name)
        while pid and pid != state.node.pid:
            pid = parents.get(pid)
        here = set(_spaces(entry))
        if here and (pid or laptop in here):
            seen.add(ProcessId.of(int(entry.name)))
            spaces.hold(entry, own)


def _processes() -> list[Path]:
    return [entry for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _spaces(entry: Path) -> Iterator[str]:
    for kind in _KINDS:
        try:
            yield str((entry / "ns" / kind).readlink())
        except OSError:  # it has just ended
            return


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def test_home_in_the_laptop_is_not_the_real_one(laptop: Laptop) -> None:
    laptop.run(["sh", "-c", "echo made inside >~root/.ssh/mark"], check=True)

    assert (laptop.home / ".ssh" / "mark").read_text() == "made inside\n"
    assert not (Path.home() / ".ssh" / "mark").exists()
    written = laptop.run(["touch", sys.prefix + "/mark", str(REPOSITORY / "mark")])
    below_home = [path for path in (sys.prefix, REPOSITORY) if Path.home() in Path(path).parents]
    assert written.stderr.count("Read-only") == len(below_home)
    for folder in (Path(sys.prefix), REPOSITORY):
        (folder / "mark").unlink(missing_ok=True)


def test_no_packet_leaves_the_machine(cluster: Cluster, laptop: Laptop) -> None:
    asked = ["ip", "route", "get", "1.1.1.1"]

    assert "unreachable" in laptop.run(asked).stderr
    assert "default" not in cluster.run_in_node(["ip", "route"])


def test_profiles_reach_the_port_where_they_should(cluster: Cluster, ns: Namespace) -> None:
    ns.pod("dev")
    port = _expose(ns, {"app": "dev"})
    until("the port", lambda: _answers(cluster, "10.77.0.2", port, b"SSH-2.0-"), timeout_s=10)

    cluster.use("lan")
    assert _banner(cluster, "192.168.65.3", port).startswith(b"SSH-2.0-")
    with pytest.raises(ConnectionRefusedError):
        _banner(cluster, "127.0.0.1", port)

    cluster.use("docker-desktop")
    assert _banner(cluster, "127.0.0.1", port).startswith(b"SSH-2.0-")
    with pytest.raises(TimeoutError):
        _banner(cluster, "192.168.65.3", port)


def test_forwarder_accepts_and_closes_without_a_back_end(cluster: Cluster, ns: Namespace) -> None:
    cluster.use("docker-desktop")
    port = _expose(ns, {"app": "nobody"})

    until("a listener", lambda: _answers(cluster, "127.0.0.1", port, b""), timeout_s=10)
    assert _banner(cluster, "127.0.0.1", port) == b""


def _expose(ns: Namespace, selector: dict[str, str]) -> int:
    spec = {"type": "NodePort", "selector": selector, "ports": [{"port": 22}]}
    service = ns.api.create(
        f"{ns.path}/services", {"metadata": {"generateName": "s-"}, "spec": spec}
    )
    port: int = service["spec"]["ports"][0]["nodePort"]
    return port


def _answers(cluster: Cluster, address: str, port: int, start: bytes) -> bool:
    try:
        return _banner(cluster, address, port).startswith(start)
    except (ConnectionRefusedError, TimeoutError):
        return False  # kube-proxy or the forwarder has not seen the Service yet


def _banner(cluster: Cluster, address: str, port: int) -> bytes:
    with connected(cluster.laptop.process, (address, port), timeout_s=1) as connection:
        try:
            return connection.recv(64)
        except ConnectionResetError:
            return b""


def test_image_host_keys_are_shared_and_own_ones_are_not(cluster: Cluster, ns: Namespace) -> None:
    for name in ("one", "two"):
        ns.pod(name, wait=False)
        ns.pod(f"own-{name}", host_keys="own", wait=False)
    words = ns.words
    for name, chosen in words.items():
        ns.wait(name, chosen)

    keys = {name: _host_key(cluster, ns, name) for name in words}
    assert keys["one"] == keys["two"]
    assert len({keys["one"], keys["own-one"], keys["own-two"]}) == 3
    ns.replace_pod("own-one")
    assert _host_key(cluster, ns, "own-one") != keys["own-one"]


def test_trixie_punishes_who_knocks_too_often(
    cluster: Cluster, ns: Namespace, trixie: Literal["trixie"]
) -> None:
    """Fifteen banners in a row that nobody logs in after, and its OpenSSH 10 lets no more in."""
    cluster.use("lan")
    began_s = time.time()
    ns.pod("dev", image=trixie, verbose=True, passwords=False)
    port = _expose(ns, {"app": "dev"})
    until("the port", lambda: _answers(cluster, "192.168.65.3", port, b"SSH-2.0-OpenSSH_10"))

    until("a drop", lambda: _answers(cluster, "192.168.65.3", port, b"Not allowed at this time"))

    until("its log", lambda: ns.connections("dev")[-1].outcome == "dropped")
    *knocks, _ = ns.connections("dev")
    assert {knock.outcome for knock in knocks} == {"unauthenticated"}
    assert 15 <= len(knocks) <= 20
    times_s = ns.unauthenticated_s("dev")
    assert began_s < times_s[0]
    assert times_s[-1] < time.time()
    assert most_within(times_s, 10) == len(knocks)
    command = ["exec", "dev", "--", "/usr/sbin/sshd", "-T"]
    assert "passwordauthentication no" in cluster.kubectl("-n", ns.name, *command)


def test_connections_tell_who_logged_in(cluster: Cluster, laptop: Laptop, ns: Namespace) -> None:
    cluster.use("lan")
    ns.pod("dev", verbose=True)
    port = _expose(ns, {"app": "dev"})
    until("the port", lambda: _answers(cluster, "192.168.65.3", port, b"SSH-2.0-"))
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-p", str(port)]
    laptop.run(["ssh", *options, "192.168.65.3", "true"], check=True)

    outcomes = [each.outcome for each in ns.connections("dev")]
    assert outcomes == ["unauthenticated", "authenticated"]


def test_inside_a_pod_is_its_network_and_its_account(cluster: Cluster, ns: Namespace) -> None:
    cluster.use("docker-desktop")
    client = ns.pod("client")
    token = ns.user("reader", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
    with cluster.inside(ns, "client", token) as inside:
        assert inside.run(["hostname"]).stdout == "client\n"
        assert client.ip in inside.run(["hostname", "-I"]).stdout.split()
        assert (
            inside.run(["kubectl", "get", "pod", "client", "-o", "name"]).stdout == "pod/client\n"
        )
        assert inside.run(["kubectl", "nodeport", "version"]).returncode == 0
        refused = inside.run(["kubectl", "get", "nodes"]).stderr
        assert f"system:serviceaccount:{ns.name}:reader" in refused
        port = _expose(ns, {"app": "client"})
        keyscan = ["ssh-keyscan", "-t", "ed25519", "-p", str(port), "192.168.65.3"]
        until("the port", lambda: "ssh-ed25519" in inside.run(keyscan).stdout)


@pytest.mark.parametrize(
    ("times_s", "most"), [([], 0), ([1], 1), ([1, 5, 10.9, 11, 30], 3), ([1, 2, 40, 41, 42, 43], 4)]
)
def test_most_within_a_window(times_s: list[float], most: int) -> None:
    assert most_within(times_s, 10) == most


def _host_key(cluster: Cluster, ns: Namespace, pod: str) -> str:
    key = "/etc/ssh/ssh_host_ed25519_key.pub"
    return cluster.kubectl("-n", ns.name, "exec", pod, "--", "cat", key)


def test_relay_counts_delays_and_cuts(cluster: Cluster, laptop: Laptop, ns: Namespace) -> None:
    pods = f"{ns.path}/pods"
    with cluster.relay() as relay:
        laptop.run(["kubectl", f"--kubeconfig={relay.kubeconfig()}", "get", "--raw", pods])
        (request,) = relay.requests()
        assert (request.method, request.path, request.status) == ("GET", pods, 200)
        relay.reset()
        assert relay.requests() == []
    with cluster.relay(cut_after_bytes=10, cut_path="/pods") as relay:
        command = ["kubectl", f"--kubeconfig={relay.kubeconfig()}", "get", "--raw", pods]
        failed = laptop.run(command)
        assert failed.returncode
        assert "EOF" in failed.stderr
        assert relay.requests()[0].received_bytes == 10


@pytest.mark.parametrize("profile", ["lan", "no-route", "docker-desktop-kind"])
def test_relay_carries_streams_whole(cluster: Cluster, ns: Namespace, profile: str) -> None:
    """What upgrades to a websocket passes in both directions, in every kind of profile."""
    cluster.use(profile)
    ns.pod("dev")
    with cluster.relay() as relay:
        kubectl = f"kubectl --kubeconfig={relay.kubeconfig()} -n {ns.name} exec -i dev --"
        line = f"seq 4000000 | tee >(sha256sum >&2) | {kubectl} cat | sha256sum"
        done = cluster.laptop.run(["bash", "-c", line])
        assert done.stdout == done.stderr != ""
        assert relay.requests()[-1].status == 101


def test_kubectl_by_hand_takes_its_own_options(cluster: Cluster, ns: Namespace) -> None:
    command = [sys.executable, "-m", "tests.cluster", "--name", cluster.name, "kubectl"]
    created = ["-n", ns.name, "create", "configmap", "mark", "--output=name"]

    assert run([*command, *created], cwd=REPOSITORY) == "configmap/mark\n"


def test_guard_notices_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text(json.dumps({}))
    monkeypatch.setenv("KUBECONFIG", str(config))
    before = guard.snapshot()
    assert guard.changes(before) == []

    config.write_text(json.dumps({"kind": "Config"}))
    assert guard.changes(before) == [f"{config} was changed"]
