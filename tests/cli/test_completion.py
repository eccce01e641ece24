"""What the shell is told, in cobra's protocol; the cluster is an API server of a few lines."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.cli import help
from kubectl_nodeport.cli.app import program
from kubectl_nodeport.cli.completion import answer
from kubectl_nodeport.kube.pod import Pod
from kubectl_nodeport.kube.request import Json
from kubectl_nodeport.rule import service
from kubectl_nodeport.rule.binding import bind
from kubectl_nodeport.rule.rule import Rule
from kubectl_nodeport.ssh.config_file import ConfigFile
from tests.kube import make
from tests.kube.server import DRIP, SILENCE, Answer, Received, Server, serving
from tests.ssh.make import entry_for, key, origin

ROOT = Path(__file__).parent.parent.parent
BINARY = ROOT / "bin" / "kubectl_complete-nodeport"
EKS = "arn:aws:eks:eu-1:12:cluster/a b"


def named(*names: str) -> list[Json]:
    return [{"metadata": {"name": name}} for name in names]


def rule(name: str, target: str) -> Json:
    return service.manifest(Rule(name, "default", target, 22), bind(Pod.of(make.pod())), "1d", None)


POD = make.pod(
    containers=[
        {"name": "app", "ports": [{"containerPort": 22, "name": "ssh"}]},
        {"name": "side", "ports": [{"containerPort": 9000}]},
    ]
)


class Cluster:
    """What the API server has, by path."""

    def __init__(self) -> None:
        copied = rule("copied", "pod/dev")
        copied["metadata"]["name"] = "another"
        self.has: dict[str, list[Json] | Json] = {
            "/api/v1/namespaces/default/pods": named("dev", "dev-2", "web.x", "\x1b[2J", "A b"),
            "/api/v1/namespaces/lab/pods": named("lab-pod"),
            "/api/v1/namespaces": named("default", "lab", "kube-system"),
            "/apis/apps/v1/namespaces/default/deployments": named("api", "web"),
            "/api/v1/namespaces/default/services": [
                rule("ssh", "pod/dev"),
                rule("web", "pod/other"),
                rule("all", "deployment/api"),
                copied,
                *named("mysql"),
            ],
            "/api/v1/namespaces/default/pods/dev": POD,
            "/apis/apps/v1/namespaces/default/deployments/api": {
                "metadata": {"name": "api"},
                "spec": {"template": {"spec": {"containers": [{"name": "templated"}]}}},
            },
        }
        self.asked: list[Received] = []

    def __call__(self, received: Received) -> Answer:
        self.asked.append(received)
        found = self.has.get(urlsplit(received.path).path)
        if found is None:
            return Answer({"kind": "Status", "reason": "NotFound"}, 404)
        return Answer({"items": found} if isinstance(found, list) else found)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def server(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HOME", str(tmp_path))
    with serving(cluster) as serving_:
        url = {"server": f"http://127.0.0.1:{serving_.port}"}
        path = make.kubeconfig(tmp_path / "config", "kind", EKS, current="kind", cluster=url)
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield serving_


@pytest.fixture
def _nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig, so no cluster."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)


def offered(*words: str) -> tuple[list[str], int]:
    """The words that are offered, and the directive."""
    *lines, directive = answer(words, program).splitlines()
    assert directive[0] == ":"
    return [line.partition("\t")[0] for line in lines], int(directive[1:])


def described(*words: str) -> dict[str, str]:
    lines = answer(words, program).splitlines()[:-1]
    return dict(line.split("\t", 1) for line in lines)


@pytest.mark.usefixtures("_nothing")
class TestWithoutACluster:
    def test_verbs_with_what_they_do(self) -> None:
        verbs = described("")
        assert verbs.pop("help")
        assert verbs == {name: one.short_help for name, one in program.commands.items()
                         if not one.hidden}  # fmt: skip
        assert offered("con") == (["connect"], 4)
        assert offered("zzz") == ([], 4)
        assert offered("-n", "lab", "con") == (["connect"], 4)
        assert offered("help", "ver") == (["version"], 4)
        assert offered("nope", "") == ([], 4)
        assert offered() == offered("")

    def test_flags_only_behind_a_dash(self) -> None:
        assert "--context" not in offered("connect", "")[0]
        found, directive = offered("connect", "-")
        assert directive == 4
        assert {"-n", "--namespace", "--ssh-config", "-h", "--help"} <= set(found)
        assert offered("connect", "--name")[0] == ["--name", "--namespace"]
        assert offered("connect", "--ver")[0] == []

    def test_description_of_a_flag_is_the_first_line_of_its_help(self) -> None:
        option = next(o for o in program.commands["connect"].params if "--host" in o.opts)
        assert described("connect", "--hos") == {"--host": option.help}

    def test_a_flag_is_offered_once_unless_it_may_be_repeated(self) -> None:
        assert offered("connect", "-n", "x", "--names")[0] == []
        assert offered("-nx", "connect", "--names")[0] == []
        assert offered("connect", "--as-group", "x", "--as-g")[0] == ["--as-group"]

    def test_flags_before_the_verb(self) -> None:
        assert "--context" in offered("--")[0]
        assert "--version" in offered("--")[0]
        assert "--node-port" not in offered("--")[0]

    @pytest.mark.parametrize(
        "words",
        [
            ("connect", "-o", ""),
            ("connect", "--output", ""),
            ("connect", "-o="),
            ("connect", "--output="),
            ("connect", "-v6", "-o", ""),
            ("-n", "x", "connect", "dev", "-o", ""),
        ],
    )
    def test_values_of_a_choice(self, words: tuple[str, ...]) -> None:
        assert offered(*words) == (["text", "json", "yaml", "name"], 4)

    def test_editors(self) -> None:
        every = ["code", "code-insiders", "codium", "cursor", "windsurf", "zed"]
        assert offered("open", "--editor", "") == (every, 4)
        assert offered("open", "dev", "--editor=cod") == (["code", "code-insiders", "codium"], 4)
        assert offered("open", "dev", "--folder", "/") == ([], 4), "those are in the container"

    def test_value_behind_grouped_flags(self) -> None:
        assert offered("get", "-Ao", "w") == (["wide"], 4)

    def test_value_that_only_follows_an_equals_sign(self) -> None:
        assert offered("connect", "--dry-run=") == (["none", "client"], 4)
        assert offered("connect", "--dry-run", "none") == ([], 4)

    @pytest.mark.parametrize(
        "words",
        [
            ("connect", "-i", "~/.ss"),
            ("connect", "--ssh-config="),
            ("connect", "dev", "--kubeconfig", ""),
            ("--kubeconfig", ""),
            ("connect", "--client-key", ""),
        ],
    )
    def test_files_are_left_to_the_shell(self, words: tuple[str, ...]) -> None:
        assert offered(*words) == ([], 0)

    def test_what_nobody_can_know(self) -> None:
        assert offered("connect", "--ssh-user", "") == ([], 4)
        assert offered("connect", "dev", "") == ([], 4)
        assert offered("version", "") == ([], 4)
        assert offered("connect", "--nope", "--nop") == ([], 4)
        assert offered("connect", "--nope=") == ([], 4)

    def test_behind_two_dashes_nothing_is_a_flag(self) -> None:
        assert offered("connect", "--", "--") == ([], 4)
        assert offered("--", "con") == ([], 4)

    def test_nothing_is_known_of_what_is_passed_on(self) -> None:
        assert offered("ssh", "dev", "--", "") == ([], 4)
        assert offered("ssh", "--", "") == ([], 4)
        assert offered("ssh", "--outp") == ([], 4), "it has none"
        assert offered("ssh", "--vi") == (["--via"], 4)

    def test_shells(self) -> None:
        assert offered("completion", "")[0] == ["bash", "zsh", "fish", "powershell"]

    def test_words_of_get_without_a_cluster(self) -> None:
        assert offered("get", "ho") == (["hosts"], 4)

    def test_hosts_of_ours(self, tmp_path: Path) -> None:
        file = ConfigFile(tmp_path / "ssh_config")
        file.put(entry_for(file, "dev.default.kind"), [key()])
        words = ("connect", "--ssh-config", str(tmp_path / "ssh_config"), "--host", "de")
        assert described(*words) == {"dev.default.kind": "root@127.0.0.1"}

    @pytest.mark.parametrize("verb", ["disconnect", "sync"])
    def test_aliases_for_what_takes_several(self, verb: str, tmp_path: Path) -> None:
        file = ConfigFile(tmp_path / "ssh_config")
        file.put(entry_for(file, "dev.default.kind"), [key()])
        file.put(entry_for(file, "web.default.kind", origin=origin(target="pod/web")), [key()])
        words = (verb, "--ssh-config", str(tmp_path / "ssh_config"))
        assert offered(*words, "") == (["dev.default.kind", "web.default.kind"], 4)
        assert offered(*words, "dev.default.kind", "w") == (["web.default.kind"], 4)

    def test_broken_kubeconfig(self, tmp_path: Path) -> None:
        (tmp_path / "bad").write_text("{")
        assert offered("connect", "--kubeconfig", str(tmp_path / "bad"), "--context", "") == ([], 4)


class TestOfAKubeconfig:
    @pytest.fixture(autouse=True)
    def _kubeconfig(self, server: Server) -> None:
        """Use the server's."""

    @pytest.mark.parametrize("flag", ["--context", "--cluster", "--user"])
    def test_its_names(self, flag: str, cluster: Cluster) -> None:
        assert offered("connect", flag, "") == (sorted([EKS, "kind"]), 4)
        assert offered(flag, "ki") == (["kind"], 4)
        assert offered("get", f"{flag}=arn:aws:") == ([EKS], 4)
        assert cluster.asked == []

    def test_the_file_that_is_named_counts(self, tmp_path: Path) -> None:
        path = str(make.kubeconfig(tmp_path / "other", "prod", "evil\x1b[2J\nx"))
        for words in (
            ("--kubeconfig", path, "connect", "--context", ""),
            ("connect", "--kubeconfig", path, "--context", ""),
            ("connect", f"--kubeconfig={path}", "--context="),
        ):
            assert offered(*words) == (["prod"], 4), "and a name that moves the cursor is left out"

    def test_description(self) -> None:
        assert described("connect", "--context", "ki") == {"kind": "kind"}

    def test_hostile_description_is_one_plain_line(self, tmp_path: Path) -> None:
        path = make.kubeconfig(tmp_path / "other", "prod")
        document = yaml.safe_load(path.read_text())
        document["contexts"][0]["context"]["cluster"] = "a\x1b[2J\n:0\tb" + "x" * 500
        path.write_text(yaml.safe_dump(document))
        text = answer(("connect", "--kubeconfig", str(path), "--context", ""), program)
        line, directive = text.splitlines()
        assert line.startswith("prod\ta?[2J :0 bxx")
        assert len(line) < 200
        assert directive == ":4"


class TestOfACluster:
    @pytest.fixture(autouse=True)
    def _kubeconfig(self, server: Server) -> None:
        """Use the server's."""

    def test_pods_and_kinds(self, cluster: Cluster) -> None:
        kinds = ["deploy/", "ds/", "job/", "po/", "rc/", "rs/", "sts/", "svc/"]
        assert offered("connect", "") == (["dev", "dev-2", "web.x", *kinds], 4)
        assert offered("connect", "de") == (["dev", "dev-2", "deploy/"], 4)
        assert offered("connect", "deploym") == (["deployment/"], 6)
        (query,) = {urlsplit(one.path).query for one in cluster.asked}
        assert parse_qs(query) == {"limit": ["500"]}
        assert all("PartialObjectMetadataList" in one.headers["Accept"] for one in cluster.asked)

    @pytest.mark.parametrize("verb", ["connect", "ssh", "open", "expose", "delete", "get"])
    def test_targets_of_every_verb(self, verb: str) -> None:
        assert offered(verb, "dev-") == (["dev-2"], 4)

    def test_user_in_front_is_kept(self) -> None:
        assert offered("connect", "me@de") == (["me@dev", "me@dev-2", "me@deploy/"], 4)
        assert offered("connect", "me@deploy/a") == (["me@deploy/api"], 4)

    def test_bash_takes_the_user_apart(self) -> None:
        """kubectl's script passes three words, and has the @ replaced with what it offers."""
        assert offered("connect", "me", "@")[0][:2] == ["@dev", "@dev-2"]
        assert offered("connect", "me", "@", "de") == ([], 4), "whatever it is, the @ would be lost"
        assert offered("connect", "me", "@", "dev", "--name", "") == (["ssh"], 4)

    @pytest.mark.parametrize("kind", ["deploy", "deployment", "Deployments", "deployments.apps"])
    def test_objects_of_a_kind(self, kind: str) -> None:
        assert offered("connect", f"{kind}/") == ([f"{kind}/api", f"{kind}/web"], 4)
        assert offered("connect", f"{kind}/w") == ([f"{kind}/web"], 4)
        assert offered("connect", "cm/") == ([], 4)

    @pytest.mark.parametrize(
        "words",
        [
            ("connect", "-n", "lab", ""),
            ("connect", "-n=lab", ""),
            ("connect", "-nlab", ""),
            ("-n", "lab", "connect", ""),
            ("--namespace=lab", "connect", ""),
            ("connect", "--namespace=other", "--namespace=lab", ""),
            ("connect", "--context", EKS, "-n", "lab", "--node-port", "1", ""),
        ],
    )
    def test_namespace_on_the_line(self, words: tuple[str, ...]) -> None:
        assert offered(*words)[0][0] == "lab-pod"

    def test_namespaces(self) -> None:
        assert offered("get", "-n", "")[0] == ["default", "kube-system", "lab"]
        assert offered(
            "--namespace=k",
        )[0] == ["kube-system"]

    def test_rules(self) -> None:
        assert offered("delete", "--name", "")[0] == ["all", "ssh", "web"]
        assert described("delete", "dev", "--name", "") == {"ssh": "pod/dev"}
        assert offered("delete", "deploy/api", "--name", "") == (["all"], 4)

    def test_containers_of_the_target(self) -> None:
        assert offered("connect", "dev", "-c", "")[0] == ["app", "side"]
        assert offered("connect", "-c", "")[0] == []
        assert offered("connect", "deploy/api", "-c", "")[0] == ["templated"]
        assert offered("connect", "gone", "-c", "")[0] == []

    def test_ports_of_the_target(self) -> None:
        assert described("connect", "dev", "--port", "") == {
            "22": "ssh of app",
            "9000": "TCP of side",
            "ssh": "22 of app",
        }

    def test_not_more_than_500(self, cluster: Cluster) -> None:
        names = named(*(f"p{n}" for n in range(900)))
        cluster.has["/api/v1/namespaces/default/pods"] = names
        assert len(offered("connect", "p")[0]) == 501, "and po/"


@pytest.mark.parametrize(
    "bad",
    [
        Answer("nonsense"),
        Answer({"items": [1, {"metadata": []}, {"metadata": {"name": 7}}, {}]}),
        Answer({"items": {}}),
        Answer([]),
        Answer({"message": "no\x1b"}, 403),
        Answer({}, 401),
        Answer({}, 500),
        None,
    ],
)
def test_cluster_that_answers_badly(
    bad: Answer | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda _r: bad) as server:
        url = {"server": f"http://127.0.0.1:{server.port}"}
        path = make.kubeconfig(tmp_path / "config", "kind", current="kind", cluster=url)
        monkeypatch.setenv("KUBECONFIG", str(path))
        assert offered("connect", "d") == (["deploy/", "ds/"], 6)
        assert offered("connect", "-n", "") == ([], 4)
        assert offered("connect", "dev", "-c", "") == ([], 4)
        assert offered("delete", "--name", "") == ([], 4)


@pytest.mark.parametrize("silence", [SILENCE, DRIP])
def test_cluster_that_does_not_answer(
    silence: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda _r: silence) as server:
        url = {"server": f"http://127.0.0.1:{server.port}"}
        path = make.kubeconfig(tmp_path / "config", "kind", current="kind", cluster=url)
        monkeypatch.setenv("KUBECONFIG", str(path))
        began = time.monotonic()
        assert offered("connect", "d") == (["deploy/", "ds/"], 6), "words need no cluster"
        assert time.monotonic() - began < 2.2


@pytest.mark.posix
def test_credential_plugin_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sleep",
        "args": ["4"],
        "interactiveMode": "Never",
    }
    path = make.kubeconfig(
        *(tmp_path / "config", "kind"),
        current="kind",
        cluster={"server": "https://127.0.0.1:1"},
        user={"exec": plugin},
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    began = time.monotonic()
    assert answer(("connect", ""), program, timeout_s=0.5) == ":4\n"
    assert time.monotonic() - began < 1.5


LINE = st.lists(
    st.sampled_from(
        [*program.commands, "help", "-", "--", "--con", "-n", "-n=", "-o", "--name=", "", "dev"]
    )
    | st.text(max_size=5),
    max_size=5,
)


@settings(deadline=None, max_examples=60)
@given(LINE)
def test_every_line_has_an_answer(words: list[str]) -> None:
    text = answer(["--kubeconfig=/nowhere/config", *words], program)
    *lines, directive = text.removesuffix("\n").split("\n")
    assert directive in (":0", ":4", ":6")
    assert all(line.replace("\t", "").isprintable() for line in lines)


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BINARY, *words], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.usefixtures("_nothing")
class TestProgram:
    def test_both_ways_in_tell_the_same(self, tmp_path: Path) -> None:
        launcher = ROOT / "bin" / "kubectl-nodeport"
        asked = [sys.executable, str(launcher), "__complete", "con"]
        done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == (run("con", cwd=tmp_path).stdout, "")
        assert done.stdout.startswith("connect\t")

    def test_it_is_in_no_help(self) -> None:
        assert help.PROGRAM in program.get_help(
            program.make_context("x", [], resilient_parsing=True)
        )
        assert "__complete" not in program.commands

    def test_silent_on_errors(self, tmp_path: Path) -> None:
        plugin = tmp_path / "plugin"
        plugin.write_text("#!/bin/sh\necho evil >&2\nread x </dev/tty\nexit 1\n")
        plugin.chmod(0o755)
        user = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": str(plugin),
                "interactiveMode": "IfAvailable",
            }
        }
        cluster = {"server": "https://127.0.0.1:1"}
        path = make.kubeconfig(
            tmp_path / "config", "kind", current="kind", cluster=cluster, user=user
        )
        for words in (["connect", "-n", ""], ["connect", "x", "-c", ""], ["connect", "-\udcff"]):
            done = run("--kubeconfig", str(path), *words, cwd=tmp_path)
            assert (done.stdout, done.stderr, done.returncode) == (":4\n", "", 0)


HEAVY = {"kubernetes", "paramiko", "sshconf", "urllib3", "websocket", "filelock"}
HEAVY |= {"questionary", "prompt_toolkit"}


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        (["con"], set()),
        (["connect", "--"], set()),
        (["connect", "-o", ""], set()),
        (["connect", "--context", ""], {"yaml"}),
        (["get", "--cluster="], {"yaml"}),
        (["connect", "--ssh-config=/nowhere", "--host", ""], {"sshconf", "filelock"}),
    ],
)
def test_what_needs_no_cluster_loads_no_heavy_library(
    words: list[str], needs: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(make.kubeconfig(tmp_path / "config", "kind")))
    code = (
        "import sys\n"
        "from kubectl_nodeport.cli.app import program\n"
        "from kubectl_nodeport.cli.completion import answer\n"
        f"answer({words!r}, program)\n"
        "print(*sys.modules, sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()}
    assert "click" in loaded
    assert loaded & (HEAVY | {"yaml"}) <= needs
