"""connect, with the installed program on the real cluster, through kubectl and the real ssh."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import ANSWERS_AT, Desk

pytestmark = pytest.mark.cluster


def test_connect_then_ssh(anywhere: Desk) -> None:
    """The first run makes everything, the second changes nothing; ssh and scp work."""
    desk, ns = anywhere, anywhere.ns
    ns.pod("dev")
    first = desk.nodeport("connect", "dev")
    assert first.returncode == 0, first.stderr
    context = desk.cluster.profile.context.replace("@", "-")
    alias = f"dev.{ns.name}.{context}"
    (service,) = desk.services()
    port = service["spec"]["ports"][0]["nodePort"]
    address = ANSWERS_AT[desk.cluster.profile.name]
    assert f"service/nodeport-dev-ssh created: NodePort {port} leads to port 22" in first.stdout
    assert f"{address}:{port} answers with a host key that the pod has" in first.stdout
    assert f"host/{alias} created in ~/.ssh/config, user root" in first.stdout
    assert f"  ssh {alias}\n" in first.stdout
    # The image has neither curl nor wget.
    assert "note: for VS Code container main lacks" in first.stderr
    assert "curl or wget" in first.stderr
    assert desk.ssh(alias, "hostname") == "dev"

    written, when = desk.config.read_bytes(), desk.config.stat().st_mtime_ns
    second = desk.nodeport("connect", "dev")
    assert second.returncode == 0, second.stderr
    assert "nothing changed" in second.stdout
    assert "for VS Code" not in second.stderr
    assert (desk.config.read_bytes(), desk.config.stat().st_mtime_ns) == (written, when)
    (same,) = desk.services()
    assert same["metadata"]["resourceVersion"] == service["metadata"]["resourceVersion"]

    (desk.laptop.home / "letter").write_text("by scp\n")
    assert desk.type("scp", "-o", "BatchMode=yes", "letter", f"{alias}:/tmp/").returncode == 0
    assert desk.ssh(alias, "cat", "/tmp/letter") == "by scp"


def test_the_rule_in_the_cluster(desk: Desk) -> None:
    """One pod behind the Service, Crater's annotation, and an owner that takes the rule along."""
    pod = desk.ns.pod("dev")
    done = desk.connect("dev")
    (service,) = desk.services()
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert [o["uid"] for o in service["metadata"]["ownerReferences"]] == [pod.uid]
    metadata = desk.cluster.api.get(f"{desk.ns.path}/pods/dev")["metadata"]
    assert service["spec"]["selector"].items() <= metadata["labels"].items()
    annotation = json.loads(metadata["annotations"]["nodeport.crater.raids.io/ssh"])
    assert annotation == {
        "name": "ssh",
        "containerPort": 22,
        "address": "192.168.65.3",
        "nodePort": done["port"],
    }
    desk.ns.delete_pod("dev")
    until("the end of the rule", lambda: desk.services() == [])


def test_dynamic_forwarding(anywhere: Desk) -> None:
    """ssh -D through the alias carries traffic, as Remote-SSH needs it to."""
    desk = anywhere
    desk.ns.pod("dev")
    alias = desk.connect("dev")["host"]
    master = desk.laptop.popen(
        ["ssh", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-N", "-D", "11080", alias]
    )
    try:
        through = "SOCKS4A:127.0.0.1:localhost:22,socksport=11080"
        banners: list[str] = []

        def banner() -> bool:
            banners.append(desk.type("socat", "-T", "1", through, "-").stdout)
            return banners[-1].startswith("SSH-2.0-OpenSSH")

        until("the pod's banner through the SOCKS port", banner, timeout_s=15)
    finally:
        master.kill()
        master.wait(timeout=10)


def test_two_pods_at_once(desk: Desk) -> None:
    """Two connects at the same time both land, in the cluster and in the file."""
    for name in ("one", "two"):
        desk.ns.pod(name)
    with ThreadPoolExecutor(2) as pool:
        hosts = [done["host"] for done in pool.map(desk.connect, ("one", "two"))]
    assert [desk.ssh(host, "hostname") for host in hosts] == ["one", "two"]


def test_one_pod_twice_at_once(desk: Desk) -> None:
    """Two people who connect to one pod at the same time end with one rule."""
    desk.ns.pod("dev")
    with ThreadPoolExecutor(2) as pool:
        pair = pool.map(
            lambda file: desk.connect("dev", "--ssh-config", file), ("a.conf", "b.conf")
        )
        ports = {done["port"] for done in pair}
    assert len(ports) == 1
    assert len(desk.services()) == 1


def test_one_person_twice_at_once(desk: Desk) -> None:
    """One of the two makes the rule, and the host knows it, whichever writes last."""
    desk.ns.pod("dev")
    with ThreadPoolExecutor(2) as pool:
        hosts = {done["host"] for done in pool.map(desk.connect, ("dev", "dev"))}
    assert len(hosts) == 1
    assert desk.connect("dev")["sshConfig"]["change"] == "unchanged"
    gone = desk.nodeport("disconnect", "--all")
    assert (gone.returncode, "service/nodeport-dev-ssh deleted" in gone.stdout) == (0, True), gone
    desk.assert_nothing_left(but_backups=True)


def test_entries_in_a_file_of_their_own(desk: Desk) -> None:
    """What would win over a block does not win over an Include at the top; tunnels find it too."""
    desk.ns.pod("dev")
    desk.config.write_text("User nobody-else\n")
    assert "nobody-else" in desk.refused("dev")
    first = desk.connect("dev", "--include")
    assert desk.ssh(first["host"], "hostname") == "dev"
    again = desk.nodeport("connect", "dev").stdout
    assert f"host/{first['host']} unchanged in ~/.ssh/kubectl-nodeport/config, user root" in again
    desk.connect("dev", "--via", "tunnel")
    assert desk.ssh(first["host"], "hostname") == "dev"
    lines = desk.config.read_text().splitlines()
    assert lines[1:] == [
        "Include kubectl-nodeport/config",
        "# <<< kubectl-nodeport <<<",
        "User nobody-else",
    ]
    assert first["host"] in desk.nodeport("get", "hosts", "-o", "name").stdout
    desk.config.write_text("\n".join([*lines[:3], "Host mine", ""]))
    desk.connect("dev", "--include=false")
    assert f"Host {first['host']}" in desk.config.read_text().splitlines()


@pytest.mark.parametrize("keys", ["own", "image"])
def test_replaced_pod(desk: Desk, keys: str) -> None:
    """A pod of the same name with other keys is refused by ssh until connect has vouched for it."""
    desk.ns.pod("dev", host_keys=keys)
    first = desk.connect("dev")
    assert desk.ssh(first["host"], "hostname") == "dev"
    desk.ns.replace_pod("dev")
    colleague = desk.connect("dev", "--ssh-config", "colleague.conf")
    assert colleague["port"] == first["port"]
    login = desk.type("ssh", "-o", "BatchMode=yes", first["host"], "hostname")
    if keys == "own":
        assert "Host key verification failed" in login.stderr
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in login.stderr
    else:
        assert login.stdout == "dev\n"
    again = desk.connect("dev")
    assert again["sshConfig"]["change"] == "updated"
    assert (again["hostKeys"] == first["hostKeys"]) == (keys == "image")
    assert desk.ssh(first["host"], "hostname") == "dev"
    assert desk.connect("dev")["sshConfig"]["change"] == "unchanged"


def test_pod_that_is_not_ready(anywhere: Desk) -> None:
    """A pod that fails its readiness probe is reached, and connect says so."""
    desk = anywhere
    desk.ns.pod("dev", ready=False)
    done = desk.nodeport("connect", "dev", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert "note: pod dev is not ready" in done.stderr
    assert desk.ssh(json.loads(done.stdout)["host"], "hostname") == "dev"


def test_pods_of_a_deployment(anywhere: Desk) -> None:
    """Three pods with equal labels and one host key: each alias leads to its own pod."""
    desk = anywhere
    pods = [pod.name for pod in desk.ns.deployment("web", replicas=3)]
    hosts = [desk.connect(pod)["host"] for pod in pods]
    for _ in range(3):
        assert [desk.ssh(host, "hostname") for host in hosts] == pods


def test_node_port_of_someone_else(desk: Desk) -> None:
    """A NodePort that reaches exactly this pod and port is used, not doubled."""
    desk.ns.pod("dev")
    desk.cluster.kubectl("-n", desk.ns.name, "expose", "pod", "dev", "--type=NodePort")
    done = desk.connect("dev")
    assert done["service"] == {"name": "dev", "change": "unchanged", "ours": False}
    assert desk.ssh(done["host"], "hostname") == "dev"
    assert len(desk.services()) == 1


def test_user_port_key_and_alias(desk: Desk) -> None:
    """USER@, --port, -i and --host all arrive in the entry."""
    desk.ns.pod("dev", port=2222, port_name=None)
    home = desk.laptop.home
    (home / ".ssh" / "id_ed25519").rename(home / "work key")
    done = desk.connect("dev@dev", "--port", "2222", "-i", "work key", "--host", "box")
    assert (done["host"], done["user"], done["containerPort"]) == ("box", "dev", 2222)
    assert desk.ssh("box", "whoami") == "dev"


def test_named_port_is_the_default(desk: Desk) -> None:
    """The container port that is named ssh is taken where --port is not given."""
    desk.ns.pod("dev", port=2222)
    assert desk.connect("dev")["containerPort"] == 2222


def test_dry_run_makes_nothing(desk: Desk) -> None:
    """--dry-run says what would be made: no Service, no file, no folder."""
    desk.ns.pod("dev")
    done = desk.nodeport("connect", "dev", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "service/nodeport-dev-ssh would be created" in done.stdout
    assert "+Host dev." in done.stdout
    desk.assert_nothing_left()
    assert sorted(p.name for p in desk.config.parent.iterdir()) == ["id_ed25519", "id_ed25519.pub"]


def test_the_users_file_stays(desk: Desk) -> None:
    """What the user wrote keeps its bytes, its place and its mode."""
    mine = b"# mine\nAddKeysToAgent no\r\n\n# the work box\nHost work\n  HostName 192.0.2.7\n# \xff"
    desk.config.write_bytes(mine)
    desk.config.chmod(0o640)
    desk.ns.pod("dev")
    desk.connect("dev")
    text = desk.config.read_bytes()
    start, end = text.index(b"# >>> kubectl-nodeport"), text.index(b"# <<< kubectl-nodeport")
    after = text[text.index(b"\n", end) + 1 :]
    assert text[:start] + after == mine
    assert after.startswith(b"# the work box\nHost work\n")
    assert oct(desk.config.stat().st_mode & 0o777) == "0o640"


def test_flags_name_the_cluster(desk: Desk) -> None:
    """--kubeconfig and --context win over the environment, before the verb and after it."""
    desk.ns.pod("dev")
    kubeconfig = desk.laptop.home / ".kube" / "config"
    elsewhere = desk.laptop.write(desk.laptop.home / "kc", kubeconfig.read_text())
    kubeconfig.unlink()
    context = desk.cluster.profile.context
    words = ("--kubeconfig", str(elsewhere), "connect", "dev", f"--context={context}")
    done = desk.nodeport(*words, env={"KUBECONFIG": "/nowhere"})
    assert done.returncode == 0, done.stderr


def test_kubectl_knows_the_plugin(desk: Desk) -> None:
    """kubectl lists it without a warning, and its help reads like kubectl's own."""
    listed = desk.type("kubectl", "plugin", "list")
    assert listed.returncode == 0, listed.stderr
    assert "kubectl-nodeport" in listed.stdout
    assert "warning" not in (listed.stdout + listed.stderr).lower()
    helped = desk.type("kubectl", "nodeport", "--help").stdout
    assert "Available Commands:\n  connect" in helped
    ours, own = (
        desk.type(*words, "--help").stdout
        for words in (("kubectl", "nodeport", "connect"), ("kubectl", "port-forward"))
    )
    for heading in ("Examples:\n  # ", "\n\nOptions:\n    ", "\n\nUsage:\n  kubectl "):
        assert heading in ours
        assert heading in own


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "\ninterrupted\n"), (signal.SIGTERM, 143, "")],
)
def test_an_end_from_outside_leaves_nothing(desk: Desk, number: int, code: int, said: str) -> None:
    """Interrupted while it waits for an address: the Service and the label are gone again."""
    desk.ns.pod("dev")
    desk.cluster.use("lan")
    with desk.firewall():
        connect = ["kubectl", "nodeport", "connect", "dev", "-qn", desk.ns.name]
        process = desk.laptop.popen(connect, stderr=subprocess.PIPE)
        until("the pod's label", lambda: "nodeport" in str(labels(desk, "dev")), timeout_s=20)
        os.killpg(process.pid, number)
        assert process.communicate(timeout=20)[1] == said
        assert process.returncode == code
    desk.assert_nothing_left()


def labels(desk: Desk, pod: str) -> object:
    """A pod's labels as they are now."""
    return desk.cluster.api.get(f"{desk.ns.path}/pods/{pod}")["metadata"]["labels"]
