"""Every command of README.md and docs/, run as it is typed there, with the installed program.

Each chapter has hosts and rules of its own, so it can be run alone. The pods are the same for all.
"""

from __future__ import annotations

import datetime
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import pytest

from tests import demo
from tests.cluster.api import until
from tests.cluster.cluster import Cluster
from tests.cluster.laptop import end
from tests.cluster.namespace import Namespace
from tests.cluster.pods import IMAGES
from tests.e2e.conftest import Desk
from tests.pictures.__main__ import PICTURES
from tests.pictures.recording import Recorder
from tests.pictures.sessions import SESSIONS, Session
from tests.pictures.svg import render

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]

ELSEWHERE = {
    "pipx install .": "it installs by pip, as tests/cluster/plugin.py does for all of these tests",
    "make demo": "test_demo, below, plays it on the cluster of this run",
    r"cmd.exe /c mkdir '%USERPROFILE%\.ssh\kubectl-nodeport'": "Windows alone can run it",
    "cp ~/.ssh/kubectl-nodeport/*.known_hosts /mnt/c/Users/YOU/.ssh/kubectl-nodeport/": "likewise",
}
"""What is not run here, and why."""

ALIAS = "dev.default.docker-desktop"


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and what shows that it did what it is there for.

    :ivar says: a pattern in what it prints.
    :ivar values: what stands for the words that are to be filled in.
    :ivar typed: on a terminal, what is answered once something is shown.
    :ivar opens: a port here on which it listens until it is ended.
    :ivar then: what is run behind it, to see what it did.
    :ivar before: makes the state that the page speaks of.
    """

    command: str
    says: str
    values: Mapping[str, str] = field(default_factory=dict)
    typed: Sequence[tuple[str, str]] = ()
    opens: int | None = None
    then: str = ""
    before: Callable[[Desk], None] = lambda _desk: None

    @property
    def line(self) -> str:
        """What is typed."""
        words = self.command
        for name, value in self.values.items():
            words = words.replace(name, value)
        return f"{words} && {self.then}" if self.then else words


def _forget_key(desk: Desk) -> None:
    desk.cluster.kubectl("exec", "dev", "--", "rm", "/root/.ssh/authorized_keys")


def _connected(desk: Desk) -> None:
    _done(desk, "kubectl nodeport connect dev")


def _orbstack(desk: Desk) -> None:
    _done(desk, "kubectl nodeport connect dev --host dev.default.orbstack")


def _own_config(desk: Desk) -> None:
    """A config without hosts of ours, and then with one: its copy of the day is older."""
    _done(desk, "kubectl nodeport disconnect --all")
    for copy in desk.config.parent.glob(".config*.bak"):
        copy.unlink()
    desk.laptop.write(desk.config, "Host mine\n")
    _connected(desk)


def _hosts_of(context: str) -> Callable[[Desk], None]:
    """A context for the same cluster, and a host that it was connected by."""

    def connected(desk: Desk) -> None:
        words = "--cluster docker-desktop --user docker-desktop"
        _done(desk, f"kubectl config set-context {context} {words}")
        _done(desk, f"kubectl nodeport connect other --port 2222 --context {context}")

    return connected


def _service(desk: Desk) -> None:
    _done(desk, "kubectl expose pod mysql --port 3306")


def _smtp(desk: Desk) -> None:
    serve = "socat TCP-LISTEN:25,fork,reuseaddr EXEC:cat >/dev/null 2>&1 &"
    desk.cluster.kubectl("exec", "dev", "--", "sh", "-c", serve)


LOG_IN = (("# ", "hostname"), ("# ", "exit"))
CREATED = rf"host/{ALIAS} created in ~/.ssh/config, user root"

CHAPTERS: dict[str, tuple[Step, ...]] = {
    "the everyday path": (
        Step("kubectl nodeport --help", r"connect +Make a pod reachable"),
        Step("kubectl nodeport connect dev", CREATED),
        Step(f"ssh {ALIAS}", r"root@dev:~# hostname\s+dev\s", typed=LOG_IN),
        Step("kubectl nodeport get", rf"ssh +dev +22 +127\.0\.0\.1 +\d+ +{ALIAS}"),
        Step("kubectl nodeport get hosts", rf"{ALIAS} +127\.0\.0\.1"),
        Step("kubectl nodeport doctor dev", r"^ok +address: 127\.0\.0\.1 port \d+ answers"),
        Step("kubectl nodeport doctor", r"^ok +ssh-client: OpenSSH"),
        Step(
            "kubectl nodeport connect dev -v=6", r"GET /api/v1/namespaces/default/pods/dev -> 200"
        ),
        Step("kubectl nodeport connect dev -o json", r'"result": "answered"'),
        Step("kubectl nodeport connect dev --dry-run", r"unchanged"),
        Step("kubectl nodeport disconnect dev", rf"host/{ALIAS} removed from ~/.ssh/config"),
    ),
    "other ways to connect": (
        Step("kubectl nodeport connect deploy/api", r"host/deployment-api\.default\.\S+ created"),
        Step("kubectl nodeport connect", CREATED, typed=[("2) dev", "2")]),
        Step(
            "kubectl nodeport connect ubuntu@dev -n lab",
            r"host/dev\.lab\.\S+ created.*, user ubuntu",
        ),
        Step("kubectl nodeport connect other --port 2222", r"leads to port 2222 of pod/other"),
        Step("kubectl nodeport connect dev -i ~/.ssh/work", rf"host/{ALIAS} updated"),
        Step("kubectl nodeport connect dev --host dev", r"host/dev created"),
        Step("kubectl nodeport connect dev --via tunnel", r"answers through the API server"),
        Step("kubectl nodeport connect dev --via nodeport", r"127\.0\.0\.1:\d+ answers"),
        Step("kubectl nodeport connect dev --address 127.0.0.1", r"nothing changed"),
        Step("kubectl nodeport connect dev --include", rf"host/{ALIAS} updated"),
        Step("kubectl nodeport connect root@dev --accept-new-host-key", r"nothing changed"),
    ),
    "ssh and open": (
        Step("kubectl nodeport ssh dev", r"root@dev:~# hostname\s+dev\s", typed=LOG_IN),
        Step("kubectl nodeport ssh dev -- hostname", r"^dev$"),
        Step("kubectl nodeport ssh dev -- -N -L 8888:localhost:8888", r"", opens=8888),
        Step("kubectl nodeport open dev", rf"opening /root on {ALIAS} in VS Code"),
        Step("kubectl nodeport open dev --editor zed --folder /srv", rf"zed ssh://{ALIAS}/srv"),
        Step(f"code --folder-uri vscode-remote://ssh-remote+{ALIAS}/root", r"code --folder-uri"),
    ),
    "keys and ssh servers": (
        Step(
            "kubectl nodeport connect dev --authorize-key",
            r"your key .* was added to .*authorized_keys",
            before=_forget_key,
        ),
        Step(
            "kubectl nodeport connect dev --authorize-key=$HOME/.ssh/work.pub",
            r"your key .* was added to .*authorized_keys",
        ),
        Step(
            "kubectl run bare --image=debian -- sleep infinity",
            r"pod/bare created",
            {"--image=debian": f"--image={IMAGES['bare']} --image-pull-policy=Never"},
        ),
        Step("kubectl wait pod/bare --for=condition=Ready", r"condition met"),
        Step("kubectl nodeport connect bare --with-sshd", r"made in this container"),
        Step(
            "kubectl nodeport ssh bare --with-sshd",
            r"root@bare:~# hostname\s+bare\s",
            typed=LOG_IN,
        ),
    ),
    "keep up to date, and undo": (
        Step("kubectl nodeport sync", rf"{ALIAS} unchanged", before=_connected),
        Step("kubectl nodeport sync --dry-run", rf"{ALIAS} unchanged"),
        Step(
            "kubectl nodeport sync --context kind-ci",
            r"other\.default\.kind-ci unchanged",
            before=_hosts_of("kind-ci"),
        ),
        Step(
            "kubectl nodeport disconnect --all --context minikube",
            r"host/other\.default\.minikube removed",
            before=_hosts_of("minikube"),
        ),
        Step(
            "kubectl nodeport disconnect dev.default.orbstack",
            r"host/dev\.default\.orbstack removed",
            before=_orbstack,
        ),
        Step("kubectl nodeport disconnect --all --dry-run", rf"-Host {ALIAS}"),
        Step(
            "cp ~/.ssh/.config.kubectl-nodeport-2026-11-25.bak ~/.ssh/config",
            r"^Host mine$",
            {"2026-11-25": f"{datetime.date.today():%Y-%m-%d}"},
            then="cat ~/.ssh/config",
            before=_own_config,
        ),
    ),
    "rules for any port": (
        Step(
            "kubectl nodeport expose dev --name smtp --port 25",
            r"127\.0\.0\.1:\d+",
            before=_smtp,
        ),
        Step(
            "kubectl nodeport expose deploy/web --name web --port http --node-port 30080",
            r"127\.0\.0\.1:30080",
        ),
        Step("kubectl nodeport expose svc/mysql", r"127\.0\.0\.1:\d+", before=_service),
        Step("kubectl nodeport address svc/mysql", r"^127\.0\.0\.1:\d+$"),
        Step("kubectl nodeport get -A -o wide", r"^default +smtp +dev +25 "),
        Step("kubectl nodeport delete dev --name smtp", r"deleted"),
        Step("kubectl nodeport delete svc/mysql", r"ClusterIP"),
    ),
    "manners": (
        Step("kubectl nodeport options", r"--as-group"),
        Step("kubectl nodeport version", r"\d+\.\d+"),
        Step(
            "source <(kubectl nodeport completion bash)",
            r"^complete .*kubectl-nodeport$",
            then="complete -p kubectl-nodeport",
        ),
    ),
    "rights": (
        Step(
            "kubectl apply -n NAMESPACE -f docs/rbac.yaml",
            r"role\.\S+/kubectl-nodeport created\n.*clusterrole",
            {"NAMESPACE": "lab"},
        ),
        Step(
            "kubectl create rolebinding -n NAMESPACE nodeport "
            "--role=kubectl-nodeport --user=PERSON",
            r"created",
            {"NAMESPACE": "lab", "PERSON": "jane"},
        ),
        Step(
            "kubectl create clusterrolebinding nodeport "
            "--clusterrole=kubectl-nodeport --user=PERSON",
            r"created",
            {"PERSON": "jane"},
        ),
    ),
}


def commands(page: Path) -> Iterator[str]:
    """The commands of a page, without the comments behind them.

    They are what stands in blocks of no language, and behind a $ in those of a console.
    """
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.M | re.S):
        for line in block.splitlines():
            if language == "console" and line.startswith("$ "):
                yield line[2:]
            if not language and line:
                yield re.sub(r"\s+# .*", "", line)


def test_table_is_whole() -> None:
    """There is no command that is not run, and none is run that stands nowhere."""
    written = {command for page in PAGES for command in commands(page)}
    run = [step.command for steps in CHAPTERS.values() for step in steps]
    assert len(set(run)) == len(run)
    assert {*run, *ELSEWHERE} == written


@pytest.mark.cluster
def test_demo(cluster: Cluster) -> None:
    """What `make demo` shows."""
    cluster.use("docker-desktop")
    cluster.reset_home()
    try:
        demo.play(cluster)
    finally:
        cluster.default_namespace().delete_pod("dev")


@pytest.mark.cluster
@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session.name)
def test_pictures(cluster: Cluster, session: Session) -> None:
    """What a recording shows is still what the program says: else `make docs` is due."""
    cluster.use("docker-desktop")
    cluster.reset_home()
    recorder = Recorder(cluster.laptop)
    try:
        session.play(cluster, recorder)
    finally:
        cluster.default_namespace().delete_pod(session.pod)
    now = {_neutral(row) for row in _texts(render(recorder.frames, session.title))}
    drawn = _texts((PICTURES / f"{session.name}.svg").read_text())
    assert len(drawn) > 10
    assert [text for text in drawn if _neutral(text) not in now] == []


def _texts(svg: str) -> list[str]:
    """The rows that stand at the end."""
    return [
        unescape(re.sub("<[^>]+>", "", row))
        for row in re.findall(r"^<g(?! class)[^>]*>(.*)</g>$", svg, re.M)
    ]


def _neutral(text: str) -> str:
    """A row without ports, ages and fingerprints."""
    return re.sub(r"SHA256:\S+|\d+", "0", text)


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[Desk]:
    """The pods that the pages speak of, editors that tell how they were started, a second key."""
    cluster.use("docker-desktop")
    cluster.reset_home()
    desk = Desk(cluster, cluster.default_namespace())
    _furnish(desk)
    folder = desk.laptop.inside(desk.laptop.home / "bin")
    desk.laptop.path_prepend.insert(0, folder)
    cluster.kubectl("create", "namespace", "lab")
    try:
        _populate(desk)
        yield desk
    finally:
        desk.laptop.path_prepend.remove(folder)
        now = ("--ignore-not-found", "--force", "--grace-period=0", "--wait=false")
        cluster.kubectl("delete", *now, "namespace/lab", "clusterrole/kubectl-nodeport")
        cluster.kubectl("delete", *now, "clusterrolebinding/nodeport")
        cluster.kubectl("delete", *now, "deploy/api", "deploy/web", "svc/mysql")
        cluster.kubectl("delete", *now, "pod/bare", *(f"pod/{name}" for name in desk.ns.words))


def _furnish(desk: Desk) -> None:
    laptop = desk.laptop
    for name in ("code", "zed"):
        program = laptop.home / "bin" / name
        laptop.write(program, f'#!/bin/sh\necho {name} "$@"\n')
        program.chmod(0o700)
    laptop.write(laptop.home / "docs" / "rbac.yaml", (ROOT / "docs" / "rbac.yaml").read_text())
    _done(desk, "ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/work")


def _populate(desk: Desk) -> None:
    ns = desk.ns
    ns.pod("dev", wait=False)
    ns.pod("idle", runs="nothing", image="bare", wait=False)  # which makes sure of the image
    ns.pod("other", port=2222, port_name=None, wait=False)
    ns.pod("mysql", runs="echo", port=3306, port_name="mysql", wait=False)
    Namespace(ns.api, "lab", desk.laptop.public_key()).pod("dev")  # the image is there by now
    ns.deployment("api", replicas=1)
    ns.deployment("web", replicas=1, runs="echo", port=8080, port_name="http")
    for name, words in ns.words.items():
        ns.wait(name, words)
    # What editors need and this image lacks, by name: doctor would else have something to say.
    needs = "touch /usr/lib/libstdc++.so.6 /usr/bin/curl && chmod +x /usr/bin/curl"
    desk.cluster.kubectl("exec", "dev", "--", "sh", "-c", needs)


def _done(desk: Desk, line: str) -> str:
    """Run a line as it is typed; what it prints. It has to work."""
    done = desk.type("bash", "-c", line)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def _run(desk: Desk, step: Step) -> str:
    step.before(desk)
    if step.opens is not None:
        return _listening(desk, step.line, step.opens)
    if step.typed:
        return Recorder(desk.laptop).type(step.line, *step.typed)
    return _done(desk, step.line)


def _listening(desk: Desk, line: str, port: int) -> str:
    """Start a command that does not end, and see that something answers behind its port."""
    running = desk.laptop.popen(["bash", "-c", line], stderr=subprocess.DEVNULL)
    knock = ["bash", "-c", f": </dev/tcp/127.0.0.1/{port}"]
    try:
        until(f"port {port}", lambda: desk.laptop.run(knock).returncode == 0, timeout_s=60)
    finally:
        end(running)
    return ""


@pytest.mark.cluster
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_commands(world: Desk, chapter: str) -> None:
    try:
        for step in CHAPTERS[chapter]:
            shown = _run(world, step)
            assert re.search(step.says, shown, re.M), f"{step.command}: {shown}"
    finally:
        _take_down(world)


def _take_down(desk: Desk) -> None:
    """Hosts and rules, at once."""
    desk.cluster.kubectl("delete", "service", "-l", "app.kubernetes.io/managed-by=kubectl-nodeport")
    shutil.rmtree(desk.config.parent / "kubectl-nodeport", ignore_errors=True)
    desk.config.unlink(missing_ok=True)


@pytest.mark.cluster
def test_what_ssh_says(world: Desk) -> None:
    """Each of ssh's own messages in docs/troubleshooting.md, and what it says mends them."""
    said: list[str] = []

    def says(message: str, *options: str) -> None:
        """Wait until ssh says so: the forwarder closes a port a moment after its Service went."""
        ssh = ("ssh", "-o", "BatchMode=yes", *options, ALIAS, "true")
        until(f"ssh to say {message!r}", lambda: message in world.type(*ssh).stderr)
        said.append(message)

    connect = "kubectl nodeport connect dev"
    try:
        _done(world, connect)
        says("no matching host key type found", "-o", "HostKeyAlgorithms=ecdsa-sha2-nistp521")
        _forget_key(world)
        says("Permission denied (publickey")
        _done(world, f"{connect} --authorize-key && ssh {ALIAS} true")
        new_keys = "rm /etc/ssh/ssh_host_* && ssh-keygen -A && kill -HUP 1"
        world.cluster.kubectl("exec", "dev", "--", "sh", "-c", new_keys)
        says("REMOTE HOST IDENTIFICATION HAS CHANGED")
        _done(world, f"{connect} && ssh {ALIAS} true")
        _done(world, "kubectl nodeport delete dev --name ssh")
        says("Connection refused")
        _done(world, "kubectl nodeport disconnect dev")
        says(f"Could not resolve hostname {ALIAS}")
    finally:
        _take_down(world)
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    section = page.partition("## What ssh says")[2].partition("\n## ")[0]
    assert sorted(said) == sorted(re.findall(r"^\| `([^`]+)` \|", section, re.M))
