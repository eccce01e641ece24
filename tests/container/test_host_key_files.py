"""Which host keys the script finds: servers, configurations and users, each in a container's place.

A container is a process and a mount namespace here, with a folder of the test's at /etc/ssh.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from kubectl_nodeport.container.script import Inside, command, parse
from kubectl_nodeport.ssh.known_hosts import HostKey
from tests.address import servers
from tests.container.namespaces import told
from tests.open_folders import let_others_in
from tests.posix import IS_ROOT
from tests.ssh.make import key

pytestmark = pytest.mark.skipif(
    not IS_ROOT or not all(map(shutil.which, ("unshare", "setpriv", "bash"))),
    reason="needs root for its namespaces, unshare and setpriv (util-linux), and bash",
)

NOBODY = 65534
NAMES = "sshd|sshd.pam|dropbear|dropbearmulti|nginx"
USUAL, ODD, OTHER = key(1), key(2), key(3)


@dataclass(frozen=True)
class Container:
    """Its /etc/ssh, and a folder of its own that both see under the same name."""

    etc: Path
    folder: Path

    def pair(self, path: Path, public: HostKey, mode: int = 0o600) -> Path:
        """A key pair, whose private half is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("PRIVATE")
        path.chmod(mode)
        Path(f"{path}.pub").write_text(f"{public.openssh} root@image\n")
        return path

    def server(self, name: str, words: str, user: int = 0) -> str:
        """The command line of a process that looks like a running server."""
        program = self.folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        if not program.exists():
            program.symlink_to(shutil.which("sleep") or "")
        who = f"setpriv --reuid={user} --regid={user} --clear-groups " if user else ""
        title = f"exec -a {shlex.quote(words)} {program} 60"
        return f"{who}bash -c {shlex.quote(title)} & "

    def look(
        self, *running: str, user: int = 0, shell: Sequence[str] = ("sh",), path: str = ""
    ) -> Inside:
        """Run the script as this user, once the servers run."""
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        asking = shlex.join([*who, *shell, *command(None, 22)[1:]])
        # A process has its new name a moment before its new words.
        runs = f"grep -qxE '{NAMES}' $each/comm && grep -q . $each/cmdline && echo"
        count = f"$(for each in /proc/[0-9]*; do {runs} || :; done 2>/dev/null | wc -l)"
        waiting = f"until [ {count} -ge {len(running)} ]; do sleep 0.02; done"
        setup = f"mount --bind {self.etc} /etc/ssh; {''.join(running)} {waiting}; {asking}"
        env = {"PATH": f"{path}:{os.environ['PATH']}".strip(":")}
        return parse(told(setup, processes=True, env=env))


@pytest.fixture
def container(tmp_path: Path) -> Container:
    """With the usual keys, as an image brings them."""
    let_others_in(tmp_path)
    made = Container(tmp_path / "etc", tmp_path)
    made.pair(made.etc / "ssh_host_ed25519_key", USUAL)
    return made


SHELLS = [
    words
    for words in (("dash",), ("bash", "--posix"), ("busybox", "sh"), ("zsh", "--emulate", "sh"))
    if shutil.which(words[0])
]


@pytest.mark.parametrize("user", [0, NOBODY])
@pytest.mark.parametrize(
    ("name", "words", "found"),
    [
        ("sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", USUAL),
        ("sshd", "sshd: /usr/sbin/sshd -D -f ODD/conf [listener] 0 of 10-100 startups", ODD),
        ("sshd", "/usr/sbin/sshd -Def ODD/conf", ODD),
        ("sshd.pam", "sshd.pam: /usr/sbin/sshd.pam -fODD/conf -p 2222 [listener] 0 of", ODD),
        ("sshd.pam", "/usr/sbin/sshd.pam -fODD/conf -p 2222", ODD),
        ("sshd", "/usr/sbin/sshd -D -h ODD/key", ODD),
        ("sshd", "/usr/sbin/sshd -oHostKey=ODD/key", ODD),
        ("sshd", "sshd: root@pts/0", USUAL),
        ("sshd", "sshd: /usr/sbin/sshd -D -f ODD/con", USUAL),
        ("dropbear", "dropbear -FEr ODD/key -p 2222", ODD),
        ("dropbearmulti", "/usr/bin/dropbearmulti dropbear -R -r ODD/key", ODD),
        ("nginx", "nginx -h ODD/key", USUAL),
    ],
)
def test_running_server(
    container: Container, name: str, words: str, found: HostKey, user: int
) -> None:
    """Its command line, or the title that sshd gives itself, perhaps cut short."""
    odd = container.folder / "odd"
    container.pair(odd / "key", ODD)
    (odd / "conf").write_text(f"Port 22\nHostKey {odd}/key\n")
    line = words.replace("ODD", str(odd)).replace("startups", "startups ")
    running = container.server(name, line)
    assert container.look(running, user=user).host_keys == (found,)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("", {USUAL}),
        ("# HostKey ODD\n", {USUAL}),
        ("HostKey ODD\n", {ODD}),
        ("\thostkey   ODD  # mine\r\n", {ODD}),
        ('HOSTKEY="ODD"', {ODD}),
        ("HostKey = ODD\nHostKey OTHER", {ODD, OTHER}),
        ("Include sshd_config.d/*.conf\n", {OTHER}),
        ('include "sshd_config.d/*.conf" nowhere /etc/ssh/more\nHostKey ODD\n', {ODD, OTHER}),
        ("Include sshd_config\nInclude /etc/ssh/sshd_config\nHostKey ODD\n", {ODD}),
        ("Include sshd_config.d\nHostKey sshd_config.d\nHostKey ODD\n", {ODD}),
        ("HostKey /nowhere\n", set()),
        ("Match User a\n  HostKeyAgent x\n", {USUAL}),
        ("HostKey $(touch${IFS}/etc/ssh/x)`touch /etc/ssh/x`\nHostKey ODD\n", {ODD}),
    ],
)
def test_configuration(container: Container, config: str, found: set[HostKey]) -> None:
    """Read by somebody to whom `sshd -T` tells nothing."""
    configure(container, config)
    assert set(container.look(user=NOBODY).host_keys) == found
    assert not (container.etc / "x").exists()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_configuration_in_every_shell(container: Container, shell: tuple[str, ...]) -> None:
    running = configure(container, 'Include "sshd_config.d/*.conf"\n\tHostKey="ODD"\r\n')
    assert set(container.look(running, user=NOBODY, shell=shell).host_keys) == {ODD, OTHER}
    assert set(container.look(running, shell=shell).host_keys) == {ODD, OTHER}


def configure(container: Container, config: str) -> str:
    """Write it as /etc/ssh/sshd_config; the command line of a server that seems to use it."""
    odd = container.pair(container.folder / "odd" / "a=b", ODD)
    other = container.pair(container.folder / "odd" / "other", OTHER)
    text = config.replace("ODD", str(odd)).replace("OTHER", str(other))
    (container.etc / "sshd_config").write_text(text)
    included = container.etc / "sshd_config.d"
    included.mkdir()
    (included / "10-keys.conf").write_text(f"HostKey {other}\n")
    return container.server("sshd", "sshd: /usr/sbin/sshd [listener] 0 of 10-100 startups ")


def test_a_strangers_process_names_no_keys(container: Container) -> None:
    """Whoever has no say in the container could else have his own key pinned."""
    container.pair(container.folder / "odd" / "key", ODD)
    container.pair(container.folder / "odd" / "mine", OTHER)
    words = f"sshd: /usr/sbin/sshd -D -h {container.folder}/odd/"
    stranger = container.server("sshd", words + "key ", user=1234)
    own = container.server("sshd", words + "mine ", user=NOBODY)
    assert container.look(stranger, own).host_keys == (USUAL,)
    assert container.look(stranger, own, user=NOBODY).host_keys == (OTHER,)


def test_several_servers(container: Container) -> None:
    container.pair(container.folder / "odd", ODD)
    container.pair(container.folder / "other", OTHER)
    running = [
        container.server("sshd", f"/usr/sbin/sshd -h {container.folder}/odd "),
        container.server("dropbear", f"dropbear -r {container.folder}/other "),
    ]
    assert set(container.look(*running).host_keys) == {ODD, OTHER}


def test_server_with_many_sessions(container: Container) -> None:
    """Each is a process of the same name."""
    container.pair(container.folder / "odd", ODD)
    sessions = [container.server("sshd", f"sshd: u{number} [priv] ") for number in range(20)]
    listener = container.server(
        "sshd", f"sshd: /usr/sbin/sshd -h {container.folder}/odd [listener] "
    )
    forks = [container.server("dropbear", f"dropbear -r {container.folder}/odd ")] * 20
    assert container.look(*sessions, listener, *forks).host_keys == (ODD,)


def test_more_servers_than_anybody_runs(container: Container) -> None:
    """What a hostile container makes of it ends soon."""
    container.pair(container.folder / "odd", ODD)
    words = f"/usr/sbin/sshd -h {container.folder}/odd "
    assert container.look(*[container.server("sshd", words)] * 40).host_keys == (ODD,)


def test_keys_that_nobody_may_read(container: Container) -> None:
    public = container.etc / "ssh_host_ed25519_key.pub"
    public.unlink()
    assert container.look(user=NOBODY).host_keys == ()
    public.write_text("x" * 1_000_000)
    assert container.look(user=NOBODY).host_keys == ()


def test_keys_of_an_agent(container: Container) -> None:
    """HostKeyAgent: the configuration names the public half."""
    odd = container.pair(container.folder / "odd", ODD)
    (container.etc / "sshd_config").write_text(f"HostKeyAgent /run/agent\nHostKey {odd}.pub\n")
    assert container.look(user=NOBODY).host_keys == (ODD,)


@pytest.mark.skipif(servers.SSHD is None, reason="sshd is not installed")
def test_the_real_sshd(container: Container) -> None:
    """To root it tells its own keys and settings, of the configuration that it runs with."""
    odd = container.folder / "odd"
    odd.mkdir()
    real = servers.make_key(odd / "real")
    (odd / "more").write_text(
        f"HostKey {odd}/real\nPasswordAuthentication no\nUsePAM no\n"
        "KbdInteractiveAuthentication no\n"
    )
    config = odd / "conf"
    config.write_text(
        f"Include {odd}/more\nListenAddress 127.0.0.1\nPort {servers.free_port()}\nPidFile none\n"
    )
    started = f"mkdir -p /run/sshd; {servers.SSHD} -f {config}; "
    for public in (True, False):
        if not public:
            (odd / "real.pub").unlink()
        inside = container.look(started)
        assert (inside.host_keys, inside.passwords) == ((real,), False)
    assert container.look(started, user=NOBODY).host_keys == ()
