"""The ssh server in the container: there, running, listening, letting somebody in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from kubectl_nodeport.commands.doctor.finding import Status
from kubectl_nodeport.commands.edges import Offered
from kubectl_nodeport.kube.target import Target
from tests.commands.doctor.cases import HEALTHY, OURS, case, first_fail, found
from tests.commands.world import World
from tests.ssh.make import key

IN = "kubectl exec dev -n default -c main -- sh -c "
CONNECT = "kubectl nodeport connect dev -n default "
NOTHING: Mapping[str, Sequence[str]] = {"running": (), "listen": (), "sshd": ()}
SETTINGS = HEALTHY["sshd"]


def setting(line: str) -> tuple[str, ...]:
    keyword = line.partition(" ")[0]
    return tuple(line if one.startswith(f"{keyword} ") else one for one in SETTINGS)


@pytest.mark.parametrize(
    ("says", "check", "seen", "command"),
    [
        (
            {**NOTHING, "installed": ()},
            "sshd",
            "no ssh server is installed in container main, and nothing listens on port 22",
            f"{CONNECT}--with-sshd",
        ),
        (
            {**NOTHING, "complaint": ("Missing privilege separation directory: /run/sshd",)},
            "sshd",
            "/usr/sbin/sshd is installed in container main and does not run: Missing privilege "
            "separation directory: /run/sshd",
            f"{IN}'mkdir -p /run/sshd && ssh-keygen -A && /usr/sbin/sshd'",
        ),
        (
            {**NOTHING, "uid": ("1000",)},
            "sshd",
            "/usr/sbin/sshd is installed in container main and does not run",
            f"{CONNECT}--with-sshd",
        ),
        (
            {**NOTHING, "installed": ("/usr/sbin/dropbear",)},
            "sshd",
            "dropbear is installed in container main and does not run",
            f"{IN}'exec /usr/sbin/dropbear -R'",
        ),
        (
            {"listen": ("00000000:08AE", "00000000:1F90"), "sshd": setting("port 2222")},
            "sshd-port",
            "nothing listens on port 22; the ssh server listens on port 2222",
            f"{CONNECT}--port 2222",
        ),
        (
            {"listen": ("00000000:1F90",)},
            "sshd-port",
            "nothing listens on port 22; open are 8080",
            "",
        ),
        (
            {"listen": ("0100007F:0016",)},
            "sshd-port",
            "port 22 takes connections from inside the pod alone (127.0.0.1)",
            f"{CONNECT}--via tunnel",
        ),
        (
            {"sshd": setting("permitrootlogin no")},
            "login",
            "sshd does not let root in (PermitRootLogin no)",
            f"{IN}'sed -i '\"'\"'1i PermitRootLogin prohibit-password'\"'\"' "
            "/etc/ssh/sshd_config && kill -HUP 1'",
        ),
        (
            {"sshd": setting("pubkeyauthentication no")},
            "login",
            "sshd takes no keys (PubkeyAuthentication no)",
            f"{IN}'sed -i '\"'\"'1i PubkeyAuthentication yes'\"'\"' "
            "/etc/ssh/sshd_config && kill -HUP 1'",
        ),
        ({"login": ()}, "login", "there is no user root in the container", ""),
        (
            {"sshd": setting("allowtcpforwarding remote")},
            "forwarding",
            "sshd forwards no ports (AllowTcpForwarding remote)",
            f"{IN}'sed -i '\"'\"'1i AllowTcpForwarding yes'\"'\"' "
            "/etc/ssh/sshd_config && kill -HUP 1'",
        ),
        (
            {"sshd": setting("disableforwarding yes"), "uid": ("1000",), "login": ("1000",)},
            "forwarding",
            "sshd forwards nothing (DisableForwarding yes)",
            "",
        ),
        (
            {"mode": ("622 0 /root/.ssh/authorized_keys", "700 7 /root/.ssh")},
            "authorized-keys",
            "sshd does not trust /root/.ssh/authorized_keys (mode 622, uid 0), /root/.ssh (mode "
            "700, uid 7)",
            f"{IN}'chmod go-w /root/.ssh/authorized_keys /root/.ssh && chown 0 /root/.ssh'",
        ),
        (
            {"authorized": (key(3).openssh,)},
            "own-key",
            "ssh's key ~/.ssh/id is not in /root/.ssh/authorized_keys",
            f"{CONNECT}--authorize-key",
        ),
    ],
)
def test_the_first_fail_names_the_cause(
    says: dict[str, Sequence[str]], check: str, seen: str, command: str
) -> None:
    one = first_fail(case(says=says))
    assert (one.name, one.finding.seen, one.finding.command) == (check, seen, command)
    assert one.finding.why
    assert one.finding.command or one.finding.hint


@pytest.mark.parametrize(
    "more",
    [
        {"plain": SETTINGS},
        {"plain": ()},
        {"config": ()},
        {"config": ("/etc/ssh/x;reboot",)},
    ],
)
def test_what_a_first_line_of_the_file_does_not_change(more: dict[str, Sequence[str]]) -> None:
    """As what a Match block or the command line says; a file with such a name is none."""
    finding = found(case(says={"sshd": setting("allowtcpforwarding no"), **more}))["forwarding"]
    assert (finding.status, finding.command) == (Status.FAIL, "")
    assert "AllowTcpForwarding yes" in finding.hint


def test_another_file_of_settings() -> None:
    says = {"sshd": setting("allowtcpforwarding no"), "config": ("/srv/sshd.conf",)}
    assert "/srv/sshd.conf && kill -HUP 1" in found(case(says=says))["forwarding"].command


def test_what_rests_on_the_server_is_not_blamed() -> None:
    findings = found(case(says={**NOTHING, "installed": ()}))
    rest = ("sshd-port", "login", "forwarding", "authorized-keys", "own-key")
    assert {findings[name].because for name in rest} == {"sshd"}
    assert findings["vscode-tools"].status is Status.OK


def test_a_server_that_is_not_seen() -> None:
    """As one in another container of the pod: what is in this one says nothing of it."""
    findings = found(case(says={"running": (), "login": (), "authorized": ()}))
    assert findings["sshd"].status is Status.WARNING
    assert "does not show which program" in findings["sshd"].seen
    rest = ("login", "forwarding", "authorized-keys", "own-key")
    assert {findings[name].because for name in rest} == {"sshd"}
    assert findings["sshd-port"].status is findings["address"].status is Status.OK


def test_no_table_of_sockets() -> None:
    assert found(case(says={"table": (), "listen": ()}))["sshd-port"].status is Status.WARNING


def test_another_user_than_the_containers() -> None:
    says = {
        **{"login": ("1000",), "home": ("/home/dev",), "authorized": (), "there": ()},
        "keyfile": ("/home/dev/.ssh/authorized_keys",),
    }
    findings = found(case(target=Target("dev", "dev"), says=says))
    assert findings["login"].seen == "dev may log in"
    command = findings["own-key"].command
    assert command == "kubectl nodeport connect dev@dev -n default --authorize-key"


def test_a_file_that_nobody_but_root_reads() -> None:
    closed = {"unreadable": ("/root/.ssh/authorized_keys",), "authorized": ()}
    findings = found(case(says={"uid": ("1000",), **closed}))
    assert findings["own-key"].status is Status.WARNING


def test_a_stranger_cannot_mend_the_file() -> None:
    finding = found(case(says={"uid": ("1000",), "authorized": ()}))["own-key"]
    assert finding.status is Status.FAIL
    assert (finding.command, OURS.openssh in finding.hint) == ("", True)


def test_strict_modes_off() -> None:
    says = {"sshd": setting("strictmodes no"), "mode": ("666 0 /root/.ssh/authorized_keys",)}
    assert found(case(says=says))["authorized-keys"].status is Status.OK


def test_no_file_of_keys_is_told_once() -> None:
    findings = found(case(says={"there": (), "mode": (), "authorized": ()}))
    assert findings["authorized-keys"].status is Status.OK
    assert findings["own-key"].status is Status.FAIL


def test_ssh_without_any_key() -> None:
    findings = found(case(World(offered=[])))
    assert findings["ssh-keys"].command == "ssh-keygen -t ed25519"
    assert findings["own-key"].because == "ssh-keys"


def test_several_keys_and_none_of_them_is_in_it() -> None:
    there = World(offered=[Offered(key(5), "~/.ssh/a"), Offered(key(6), "work in the agent")])
    finding = found(case(there))["own-key"]
    assert finding.seen == "none of ssh's 2 keys is in /root/.ssh/authorized_keys"
    assert finding.hint == f"name the key to add, as ~/.ssh/a: {CONNECT}--authorize-key=FILE.pub"


def test_a_key_with_options_counts() -> None:
    line = f'command="echo ssh-ed25519 no",no-pty {OURS.openssh} me@home'
    assert found(case(says={"authorized": (line,)}))["own-key"].status is Status.OK


def test_the_server_that_connect_brought() -> None:
    says = {"running": ("7 nodeport-sshd",), "sshd": (), "login": (), "authorized": ()}
    findings = found(case(says=says))
    names = ("sshd", "sshd-port", "login", "forwarding", "authorized-keys", "own-key")
    assert {findings[name].status for name in names} == {Status.OK}
