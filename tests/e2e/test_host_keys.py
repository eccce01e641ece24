"""Whose word the host keys are pinned on: the container's, its port's, the entry's, or nobody's."""

from __future__ import annotations

import json
import re

import pytest

from tests.cluster.api import until
from tests.e2e.conftest import SHORT, Desk
from tests.e2e.test_rbac import Person

pytestmark = pytest.mark.cluster

EXEC = ("get pods/exec", "create pods/exec")
FORWARD = ("get pods/portforward", "create pods/portforward")


def of_person(person: Person, *words: str) -> dict[str, object]:
    """Connect as somebody else, which has to work; its JSON."""
    code, out, err = person.run("connect", *words, "-o", "json")
    assert code == 0, err
    result: dict[str, object] = json.loads(out)
    return result


def fingerprints(desk: Desk, pod: str, file: str) -> set[str]:
    """Of the host keys in a pod, as ssh-keygen tells them."""
    script = f"for f in {file}; do ssh-keygen -lf $f; done"
    told = desk.cluster.kubectl("exec", "-n", desk.ns.name, pod, "--", "sh", "-c", script)
    return {line.split()[1] for line in told.splitlines()}


def pinned(done: dict[str, object]) -> set[str]:
    keys = done["hostKeys"]
    assert isinstance(keys, list)
    return {key["fingerprint"] for key in keys}


def test_host_key_of_an_odd_path_in_an_included_file(desk: Desk) -> None:
    """And without its public half; the image's own keys are not pinned beside it."""
    desk.ns.pod("dev", host_keys="odd")
    done = desk.connect("dev")
    assert done["hostKeysFrom"] == "exec"
    assert pinned(done) == fingerprints(desk, "dev", "/srv/keys/odd")
    assert desk.ssh(done["host"], "hostname") == "dev"


@pytest.mark.parametrize("host_keys", ["own", "odd"])
def test_dropbear(desk: Desk, host_keys: str) -> None:
    """In the usual place, or named by its command line; not the keys of OpenSSH in the image."""
    desk.ns.pod("dev", runs="dropbear", host_keys=host_keys)
    done = desk.connect("dev")
    assert (done["hostKeysFrom"], len(pinned(done)), done["proof"]) == ("exec", 1, "connection")
    assert desk.ssh(done["host"], "hostname") == "dev"


@pytest.mark.parametrize("exec_", [True, False], ids=["exec", "no-exec"])
def test_replaced_pod_of_a_deployment(desk: Desk, exec_: bool) -> None:
    """ssh refuses its successor, until the API server vouches for the new key."""
    (before,) = desk.ns.deployment("web", replicas=1, host_keys="own")
    person = Person(desk, *(() if exec_ else EXEC))
    first = of_person(person, "root@deploy/web")
    host = str(first["host"])
    assert desk.ssh(host, "hostname") == before.name
    desk.ns.delete_pod(before.name)
    (after,) = desk.ns.scale("web", 1, host_keys="own")

    def login() -> str:
        return desk.type("ssh", "-o", "BatchMode=yes", host, "hostname").stderr

    until("the new pod's refusal", lambda: "Host key verification failed" in login())
    again = of_person(person, "deploy/web")
    assert again["hostKeysFrom"] == ("exec" if exec_ else "port-forward")
    assert again["port"] == first["port"]
    assert not pinned(again) & pinned(first)
    assert desk.ssh(host, "hostname") == after.name


def test_exec_forbidden(desk: Desk) -> None:
    """The pod's port shows the key; the user has to be said, and what is not proven is told."""
    desk.ns.pod("dev")
    person = Person(desk, *EXEC)
    code, out, err = person.run("connect", "dev")
    assert (code, out) == (1, "")
    error, hint = err.splitlines()
    assert error.startswith("error: the container's user is not known")
    assert f"the right to get pods/exec -n {desk.ns} is missing" in error
    assert "USER@dev" in hint
    desk.assert_nothing_left()

    code, out, err = person.run("connect", "root@dev")
    assert code == 0, err
    assert re.search(r"^127\.0\.0\.1:\d+ answers with a host key that the pod has$", out, re.M)
    looked, proven = err.splitlines()
    assert looked.startswith(f"note: the right to get pods/exec -n {desk.ns} is missing")
    assert "that it is this pod is not proven" in proven
    (host,) = re.findall(r"^  ssh (\S+)$", out, re.M)
    assert desk.ssh(host, "hostname") == "dev"
    again = of_person(person, "dev")
    assert again["sshConfig"] == {"path": "~/.ssh/config", "change": "unchanged"}


def test_no_shell_in_the_container(desk: Desk) -> None:
    desk.ns.pod("dev", shell=False)
    done = desk.nodeport("connect", "root@dev", "-o", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["hostKeysFrom"] == "port-forward"
    told = "note: there is no shell in container main: the host key is what the pod's port shows"
    assert done.stderr.startswith(told)
    assert desk.ssh(result["host"], "hostname") == "-c hostname"


def test_keys_of_another_container(desk: Desk) -> None:
    """Those that its files tell are not the server's: the pod's port is asked, and remembered."""
    desk.ns.pod("dev", host_keys="own", tool=True)
    first = desk.connect("dev", "-c", "tool", *SHORT)
    assert first["hostKeysFrom"] == "port-forward"
    assert "another host key than those found in container tool" in first["notes"][0]
    assert pinned(first) <= fingerprints(desk, "dev", "/etc/ssh/ssh_host_*_key.pub")
    assert desk.ssh(first["host"], "hostname") == "dev"
    again = desk.connect("dev", "-c", "tool")
    assert (again["hostKeysFrom"], again["hostKeys"]) == ("port-forward", first["hostKeys"])
    assert again["sshConfig"]["change"] == "unchanged"


@pytest.mark.parametrize("missing", [(), EXEC], ids=["exec", "no-exec"])
def test_another_servers_key(desk: Desk, missing: tuple[str, ...]) -> None:
    """Of another cluster's sshd on the port, whatever is vouched for how; nothing is pinned."""
    desk.ns.pod("dev")
    person = Person(desk, *missing)
    with desk.cluster.foreign_sshd(31022) as stranger:
        words = ("--node-port", "31022", "--accept-new-host-key", *SHORT)
        code, out, err = person.run("connect", "root@dev", *words)
        assert (code, out) == (1, "")
        errors = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert any(fingerprint in errors[0] for fingerprint in stranger.fingerprints)
    desk.assert_nothing_left()


def test_nobody_vouches(desk: Desk) -> None:
    """Neither exec nor portforward: the fingerprint is told, and pinned where that is asked for;
    what is pinned stays until the API server has its say."""
    desk.ns.pod("dev")
    person = Person(desk, *EXEC, *FORWARD)
    code, out, err = person.run("connect", "root@dev")
    assert (code, out) == (1, "")
    error, hint = err.splitlines()
    assert error.startswith("error: nobody vouches for the host key of pod dev: the right to ")
    (shown,) = re.findall(r"shows \S+ (SHA256:\S+)$", error)
    assert shown in fingerprints(desk, "dev", "/etc/ssh/ssh_host_*_key.pub")
    assert "--accept-new-host-key" in hint
    desk.assert_nothing_left()

    first = of_person(person, "root@dev", "--accept-new-host-key")
    assert (first["hostKeysFrom"], first["proof"]) == ("nobody", "unvouched-key")
    assert pinned(first) == {shown}
    host = str(first["host"])
    assert desk.ssh(host, "hostname") == "dev"
    again = of_person(person, "dev")
    assert (again["hostKeysFrom"], pinned(again)) == ("entry", {shown})

    desk.ns.replace_pod("dev", host_keys="own")
    written = desk.config.read_bytes()
    code, out, err = person.run("connect", "dev", "--accept-new-host-key", *SHORT)
    assert (code, out) == (1, "")
    assert f"the Host entry {host} has {shown}, and nobody vouches for another" in err
    assert desk.config.read_bytes() == written
    login = desk.type("ssh", "-o", "BatchMode=yes", host, "hostname")
    assert login.returncode != 0

    assert desk.connect("dev")["hostKeysFrom"] == "exec"
    assert desk.ssh(host, "hostname") == "dev"


def test_live_master_of_the_users_on_a_port_used_again(desk: Desk) -> None:
    """Its pod is gone from the port; the entry of the next one does not go through it."""
    desk.config.write_text(
        "Host *\n  ControlMaster auto\n  ControlPath ~/.ssh/cm-%r@%h:%p\n  ControlPersist 60\n"
        "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
    )
    for name in ("one", "two"):
        desk.ns.pod(name)
    first = desk.connect("one", "--node-port", "31023")
    plain = ("-p", "31023", f"root@{first['address']}")
    assert desk.type("ssh", "-o", "BatchMode=yes", *plain, "hostname").stdout == "one\n"
    try:
        desk.nodeport("delete", "one", "--all")
        until("the end of the rule", lambda: desk.services() == [])
        second = desk.connect("two", "--node-port", "31023")
        assert second["port"] == first["port"]
        assert desk.type("ssh", *plain, "hostname").stdout == "one\n", "the master lives"
        assert desk.ssh(second["host"], "hostname") == "two"
    finally:
        desk.type("ssh", "-O", "exit", *plain)


def test_api_server_that_is_not_checked(desk: Desk) -> None:
    desk.ns.pod("dev")
    document = desk.cluster.kubeconfig()
    cluster = document["clusters"][0]["cluster"]
    document["clusters"][0]["cluster"] = {
        "server": cluster["server"],
        "insecure-skip-tls-verify": True,
    }
    path = desk.laptop.write(desk.laptop.home / "insecure", json.dumps(document))
    notes = desk.connect("dev", "--kubeconfig", str(path))["notes"]
    assert any("is not checked (insecure-skip-tls-verify)" in note for note in notes)
