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


PASSWD = "sed -i '\"'\"'/^root:/s,:[^:]*$,:/bin/sh,'\"'\"' /etc/passwd"


@pytest.mark.parametrize(
    ("says", "seen"),
    [
        (
            {"shell": ("/bin/zsh",), "no-shell": ("",)},
            "the login shell of root, /bin/zsh, cannot be run",
        ),
        (
            {"shell": ("/usr/sbin/nologin",)},
            "the login shell of root, /usr/sbin/nologin, ends each session at once",
        ),
        (
            {"shell": ("/bin/$(x)",), "no-shell": ("",)},
            "the login shell of root, which is not told, cannot be run",
        ),
    ],
)
def test_login_shell(says: dict[str, Sequence[str]], seen: str) -> None:
    finding = found(case(says=says))["login"]
    assert (finding.status, finding.seen) == (Status.FAIL, seen)
    assert finding.command == f"{IN}'{PASSWD}'"
    other = found(case(says={**says, "uid": ("1000",)}))["login"]
    assert (other.command, "as root in the container" in other.hint) == ("", True)


def test_no_file_of_keys() -> None:
    none = ("authorizedkeysfile none", "authorizedkeyscommand none", "trustedusercakeys none")
    says = {"sshd": (*SETTINGS, *none), "keyfile": (), "there": (), "authorized": ()}
    finding = found(case(says=says))["authorized-keys"]
    assert finding.status is Status.FAIL
    assert "1i AuthorizedKeysFile .ssh/authorized_keys" in finding.command
    other = (*none[:2], "trustedusercakeys /etc/ca")
    assert found(case(says={**says, "sshd": other}))["authorized-keys"].status is Status.OK


def test_what_is_no_file() -> None:
    findings = found(case(says={"odd": ("/root/.ssh/authorized_keys",), "authorized": ()}))
    assert findings["authorized-keys"].seen == "/root/.ssh/authorized_keys is no file"
    assert findings["own-key"].because == "authorized-keys"


@pytest.mark.parametrize(
    "says",
    [
        {"link": ("/root/.ssh/authorized_keys",)},
        {"firm": ("/root/.ssh",)},
        {"keyfile": ("/etc/keys",), "there": ("/etc/keys",)},
    ],
)
def test_file_that_connect_does_not_write(says: dict[str, Sequence[str]]) -> None:
    """A Secret that is mounted, or a file beyond the home: the command would fail."""
    finding = found(case(says={**says, "authorized": ()}))["own-key"]
    assert (finding.status, finding.command) == (Status.FAIL, "")
    assert OURS.openssh in finding.hint


def test_mounted_folder_that_others_may_write() -> None:
    """As the kubelet makes a Secret's: chmod does nothing there."""
    says = {"mode": ("1777 0 /root/.ssh",), "firm": ("/root/.ssh",)}
    finding = found(case(says=says))["authorized-keys"]
    assert (finding.status, finding.command) == (Status.FAIL, "")
    assert "mount the Secret somewhere else" in finding.hint


@pytest.mark.parametrize(
    "line", [f"ssh-rsa AAAA # {OURS.openssh}", f"cert-authority {OURS.openssh}"]
)
def test_a_line_that_sshd_takes_for_something_else(line: str) -> None:
    assert found(case(says={"authorized": (line,)}))["own-key"].status is Status.FAIL


def test_the_command_is_for_the_rule_and_the_file_that_were_asked_for() -> None:
    asked = {"rule_name": "web", "ssh_config": "/a b"}
    command = found(case(asked=asked, says={"authorized": ()}))["own-key"].command
    assert command == f"{CONNECT}--name web --ssh-config '/a b' --authorize-key"


def test_home_of_somebody_else_is_not_given_away() -> None:
    finding = found(case(says={"mode": ("755 1000 /root",)}))["authorized-keys"]
    assert (finding.status, finding.command) == (Status.FAIL, "")
    assert "a home folder of their own" in finding.hint
