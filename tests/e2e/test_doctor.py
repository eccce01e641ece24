"""doctor against set-ups that are broken: it names the cause first, and its command mends it."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import Desk
from tests.e2e.test_errors import as_user
from tests.e2e.test_rbac import Person

pytestmark = pytest.mark.cluster

Status = dict[str, Any]

NO_LIBRARY = "vscode-libraries"
"""What every image of the tests lacks, Debian's smallest: the last thing that fails, then."""


def examined(desk: Desk, *words: str) -> dict[str, Status]:
    """What each check finds; the exit code has to be right."""
    done = desk.nodeport("doctor", *(words or ("dev",)), "-o", "json")
    assert done.stderr == ""
    found = {one["metadata"]["name"]: one["status"] for one in json.loads(done.stdout)["items"]}
    fails = [name for name, status in found.items() if status["result"] == "fail"]
    assert done.returncode == (1 if fails else 0)
    return found


def fails(found: dict[str, Status]) -> list[str]:
    """The checks that fail, in their order."""
    return [name for name, status in found.items() if status["result"] == "fail"]


def mend(desk: Desk, name: str, *words: str) -> Status:
    """The check fails first, and its very command is run; what it had found."""
    found = examined(desk, *words)
    assert fails(found)[0] == name, found
    done = desk.type(*shlex.split(found[name]["command"]))
    assert done.returncode == 0, (found[name], done.stderr)
    return found[name]


def assert_well(desk: Desk) -> None:
    """Nothing but the library is missing, connect works, and ssh after it."""

    def is_well() -> bool:
        return fails(examined(desk)) == [NO_LIBRARY]

    until("a pod that is well", is_well, timeout_s=20)  # sshd starts anew
    assert desk.ssh(desk.connect("dev")["host"], "hostname") == "dev"
    assert examined(desk)["address"]["result"] == "ok"


def inside(desk: Desk, script: str) -> None:
    """Change something in the container."""
    desk.cluster.kubectl("exec", "-n", desk.ns.name, "dev", "--", "sh", "-c", script)


def test_a_pod_that_is_well(anywhere: Desk) -> None:
    """Nothing is changed; what the image lacks is told, and once it is there nothing fails."""
    desk = anywhere
    desk.ns.pod("dev")
    assert fails(examined(desk)) == [NO_LIBRARY]
    inside(desk, "touch /usr/lib/libstdc++.so.6")
    found = examined(desk)
    assert fails(found) == []
    assert "connect would try" in found["address"]["seen"]
    desk.assert_nothing_left()
    done = desk.connect("dev")
    found = examined(desk)
    assert {status["result"] for status in found.values()} <= {"ok", "warning"}
    assert done["address"] in found["address"]["seen"]
    assert "proof: connection" in found["address"]["seen"]


def test_without_a_pod(desk: Desk) -> None:
    done = desk.nodeport("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.startswith("ok  ") for line in done.stdout.splitlines())
    assert "is Kubernetes v1." in done.stdout


def test_no_ssh_server(desk: Desk) -> None:
    desk.ns.pod("dev", runs="nothing", image="bare")
    assert "no ssh server is installed in container main" in mend(desk, "sshd")["seen"]
    assert_well(desk)
    assert "connect brought" in examined(desk)["authorized-keys"]["seen"]


def test_ssh_server_that_is_stopped(desk: Desk) -> None:
    """And nobody's key is there either: the second thing to be mended."""
    desk.ns.pod("dev", runs="nothing")
    assert "/usr/sbin/sshd is installed in container main" in mend(desk, "sshd")["seen"]
    assert "~/.ssh/id_ed25519" in mend(desk, "own-key")["seen"]
    assert_well(desk)


def test_another_port(desk: Desk) -> None:
    desk.ns.pod("dev", port=2222, port_name=None)
    seen = mend(desk, "sshd-port")["seen"]
    assert seen == "nothing listens on port 22; the ssh server listens on port 2222"
    found = examined(desk, "dev", "--port", "2222")
    assert fails(found) == [NO_LIBRARY]
    assert found["address"]["result"] == "ok"


@pytest.mark.parametrize(
    ("setting", "check"),
    [
        ("AllowTcpForwarding no", "forwarding"),
        ("DisableForwarding yes", "forwarding"),
        ("PermitRootLogin no", "login"),
        ("PubkeyAuthentication no", "login"),
        ("AuthorizedKeysFile none", "authorized-keys"),
    ],
)
def test_setting_of_sshd(desk: Desk, setting: str, check: str) -> None:
    desk.ns.pod("dev", env={"SSHD_SETTINGS": setting})
    mend(desk, check)
    assert_well(desk)


def test_setting_of_a_match_block(desk: Desk) -> None:
    """For whoever logs in, and no other; a line at the top of the file would change nothing."""
    desk.ns.pod("dev", env={"SSHD_SETTINGS": "Match User root\n  AllowTcpForwarding no"})
    found = examined(desk)
    assert fails(found)[0] == "forwarding"
    assert found["forwarding"]["command"] is None
    assert "Match block" in found["forwarding"]["hint"]
    assert fails(examined(desk, "dev@dev")) == [NO_LIBRARY]


def test_no_key_in_the_pod(desk: Desk) -> None:
    desk.ns.pod("dev", env={"AUTHORIZED_KEY": "# nobody"})
    refused = desk.type("ssh", "-o", "BatchMode=yes", desk.connect("dev")["host"], "true")
    assert refused.returncode == 255
    mend(desk, "own-key")
    assert_well(desk)


def test_key_of_another_user_than_the_containers(desk: Desk) -> None:
    desk.ns.pod("dev")
    inside(desk, "rm -r /home/dev/.ssh")
    found = examined(desk, "dev@dev")
    assert fails(found)[0] == "own-key"
    assert desk.type(*shlex.split(found["own-key"]["command"])).returncode == 0
    assert desk.ssh(desk.connect("dev@dev")["host"], "id -un") == "dev"


def test_keys_that_others_may_write(desk: Desk) -> None:
    desk.ns.pod("dev")
    inside(desk, "chmod 777 /root/.ssh; chown 1000 /root/.ssh/authorized_keys")
    mend(desk, "authorized-keys")
    assert_well(desk)


def test_login_shell_that_is_not_there(desk: Desk) -> None:
    desk.ns.pod("dev")
    inside(desk, "sed -i s,:/bin/bash,:/bin/zsh, /etc/passwd")
    assert mend(desk, "login")["seen"] == "the login shell of root, /bin/zsh, cannot be run"
    assert_well(desk)


def test_home_folder_that_is_not_there(desk: Desk) -> None:
    settings = "AuthorizedKeysFile /root/.ssh/authorized_keys"
    desk.ns.pod("dev", env={"SSHD_SETTINGS": settings})
    inside(desk, "touch /usr/lib/libstdc++.so.6; sed -i s,:/root:,:/srv/none:, /etc/passwd")
    assert mend(desk, "vscode-home")["seen"] == "the home folder /srv/none is not there"
    assert fails(examined(desk)) == []
    assert desk.ssh(desk.connect("dev")["host"], "pwd") == "/srv/none"


def test_home_folder_on_a_read_only_root(desk: Desk) -> None:
    """No command mends that; connect brings its server, and VS Code is what it keeps out."""
    desk.ns.pod("dev", runs="nothing", image="bare", restricted=True, volumes=["/tmp"])
    mend(desk, "sshd")
    found = examined(desk)
    assert fails(found) == [NO_LIBRARY, "vscode-home"]
    assert "cannot be written" in found["vscode-home"]["seen"]
    assert "mount a volume there" in found["vscode-home"]["hint"]


def test_firewall(desk: Desk) -> None:
    """A rule that answered, and does not any more."""
    desk.cluster.use("lan")
    desk.ns.pod("dev")
    desk.connect("dev")
    with desk.firewall():
        found = mend(desk, "address")
        assert "no reply: a firewall" in found["seen"]
        found = examined(desk)
        assert "through the API server" in found["address"]["seen"]
        assert fails(found) == [NO_LIBRARY]
        assert desk.ssh(desk.connect("dev")["host"], "hostname") == "dev"


def login(desk: Desk, host: str) -> int:
    """The exit code of ssh, as the Host entry is."""
    return desk.type("ssh", "-o", "BatchMode=yes", host, "true").returncode


def test_pod_that_was_replaced(desk: Desk) -> None:
    """Its rule went with it; the new one has the same host keys."""
    desk.ns.pod("dev")
    done = desk.connect("dev")
    desk.ns.replace_pod("dev")
    until("the end of its rule", lambda: desk.services() == [])
    assert login(desk, done["host"]) == 255
    port = done["port"]
    assert mend(desk, "rule")["seen"] == (
        f"the Host entry leads to NodePort {port}, and the rule behind it is gone "
        "(the pod was replaced)"
    )
    assert login(desk, done["host"]) == 0
    assert fails(examined(desk)) == [NO_LIBRARY]


def test_pod_that_was_replaced_behind_a_tunnel(desk: Desk) -> None:
    """It needs no rule; the keys are the new pod's own."""
    desk.ns.pod("dev", host_keys="own")
    host = desk.connect("dev", "--via", "tunnel")["host"]
    assert fails(examined(desk)) == [NO_LIBRARY]
    desk.ns.replace_pod("dev", host_keys="own")
    assert login(desk, host) == 255
    mend(desk, "host-keys")
    assert login(desk, host) == 0
    assert desk.services() == []


def test_pod_of_a_deployment_that_was_replaced(desk: Desk) -> None:
    """The rule follows, the pinned keys do not."""
    (before,) = desk.ns.deployment("api", replicas=1, host_keys="own")
    host = desk.connect("deploy/api")["host"]
    assert fails(examined(desk, "deploy/api")) == [NO_LIBRARY]
    desk.ns.delete_pod(before.name)
    (after,) = desk.ns.scale("api", 1, host_keys="own")
    until("ssh's refusal of its key", lambda: login(desk, host) == 255)
    seen = mend(desk, "host-keys", "deploy/api")["seen"]
    assert seen == f"none of those pinned for {host} is the pod's"
    assert desk.ssh(host, "hostname") == after.name
    assert fails(examined(desk, "deploy/api")) == [NO_LIBRARY]


def test_address_that_has_changed(desk: Desk) -> None:
    """The same cluster is reached by its node by now, and not by 127.0.0.1."""
    desk.ns.pod("dev")
    named = ("dev", "--host", "box")
    desk.connect(*named)
    desk.cluster.use("lan")
    assert login(desk, "box") == 255
    seen = mend(desk, "address", *named)["seen"]
    assert "leads to 127.0.0.1, where the NodePort does not answer; 192.168.65.3 port" in seen
    assert login(desk, "box") == 0


def test_no_rights(desk: Desk) -> None:
    desk.ns.pod("dev")
    user = as_user(desk, [])
    found = examined(desk, "dev", "--kubeconfig", user)
    assert fails(found) == ["rights"]
    assert found["rights"]["seen"] == "missing: get pods"
    assert f"kubectl --kubeconfig {user} auth can-i get pods" in found["rights"]["command"]
    assert found["pod"]["because"] == "rights"


def test_no_right_to_look_inside(desk: Desk) -> None:
    desk.ns.pod("dev")
    code, out, err = Person(desk, "get pods/exec", "create pods/exec").run("doctor", "dev")
    assert (code, err) == (0, "")
    assert "warning  optional-rights: missing: get pods/exec\n" in out
    assert "ok       sshd: port 22 answers through the API server, with the host" in out
    assert "skipped  3 checks that need optional-rights\n" in out
    nothing = "nothing found in the way, but not all was looked at"
    assert out.endswith(f"\nssh: {nothing}; VS Code: {nothing}\n")


def test_wrong_token(desk: Desk) -> None:
    document = desk.cluster.kubeconfig("no-such-token")
    path = desk.laptop.write(desk.laptop.home / "kc", json.dumps(document))
    done = desk.nodeport("doctor", "dev", "--kubeconfig", str(path), "-v=9")
    assert done.returncode == 1
    assert "fail     server: the API server of context" in done.stdout
    assert "no-such-token" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ({"schedulable": False}, "pod dev is pending: 0/1 nodes are available"),
        ({"runs": "crash"}, "container main of pod dev keeps crashing"),
    ],
)
def test_container_that_does_not_run(desk: Desk, words: dict[str, Any], seen: str) -> None:
    desk.ns.pod("dev", **words)
    found = mend(desk, "container")  # its command tells more
    assert seen in found["seen"]


def test_image_that_does_not_come(desk: Desk) -> None:
    run = ("run", "dev", "-n", desk.ns.name, "--image=localhost:1/none", "--overrides")
    desk.cluster.kubectl(*run, '{"spec": {"automountServiceAccountToken": false}}')

    def is_told() -> bool:
        return fails(examined(desk)) == ["container"] and (
            "Image" in examined(desk)["container"]["seen"]
        )

    until("the kubelet's word for it", is_told, timeout_s=60)
    found = mend(desk, "container")
    assert "the node cannot get its image" in found["why"]


def test_line_of_the_user_that_overrules_the_entry(desk: Desk) -> None:
    desk.ns.pod("dev")
    desk.connect("dev")
    text = desk.config.read_text()
    desk.config.write_text(f"User nobody\n{text}")
    found = examined(desk)
    assert fails(found)[0] == "entry"
    assert "line 1" in found["entry"]["seen"]
    assert "--include" in found["entry"]["hint"]


def test_ssh_server_in_another_container(desk: Desk) -> None:
    """What is in this one is not blamed; `-c`, or the port that is declared, leads to the other."""
    desk.ns.pod("dev", tool=True)
    found = examined(desk, "dev", "-c", "tool")
    assert found["sshd"]["result"] == "warning"
    assert found["own-key"]["because"] == "sshd"
    assert examined(desk)["own-key"]["result"] == "ok"


def test_what_listens_is_no_ssh_server_that_answers(desk: Desk) -> None:
    """One that closes each connection, since its own user is gone; and no ssh server at all."""
    desk.ns.pod("dev")
    inside(desk, "sed -i /^sshd:/d /etc/passwd")
    found = examined(desk)
    assert fails(found)[0] == "sshd-port"
    assert desk.nodeport("connect", "dev", "--timeout", "3s").returncode == 1
    desk.ns.pod("echo", runs="echo", port=2222)
    found = examined(desk, "echo")
    assert found["sshd"]["result"] == "warning"
    assert fails(found)[0] == "sshd-port"
    assert "not an ssh server" in found["sshd-port"]["seen"]


def test_containers_that_share_their_processes(desk: Desk) -> None:
    """The other one's server is seen, but its files are not these."""
    desk.ns.pod("dev", tool=True, share_processes=True)
    found = examined(desk, "dev", "-c", "tool")
    assert found["sshd"]["result"] == "warning"
    assert found["own-key"]["because"] == "sshd"
    assert fails(examined(desk)) == [NO_LIBRARY]


def test_busybox(desk: Desk) -> None:
    """Its shell and programs are enough to be asked; so is no shell at all."""
    desk.ns.pod("dev", runs="nothing", image="busybox")
    found = examined(desk)
    assert fails(found)[:2] == ["sshd", NO_LIBRARY]
    assert found["vscode-home"]["seen"] == "the home folder is not told"  # no /etc/passwd
    desk.ns.pod("mute", runs="nothing", image="pause")
    found = examined(desk, "mute")
    assert found["inside"]["seen"] == "there is no shell in container main"
    assert found["sshd-port"]["because"] == "inside"
    assert fails(found) == ["sshd"]
    assert "port 22 of pod mute cannot be reached through the API" in found["sshd"]["seen"]


def test_dropbear(desk: Desk) -> None:
    desk.ns.pod("dev", runs="dropbear")
    found = examined(desk)
    assert fails(found) == [NO_LIBRARY]
    assert "dropbear runs in container main" in found["sshd"]["seen"]
    assert found["own-key"]["result"] == "ok"
