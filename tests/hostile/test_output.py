"""Whatever a cluster or a kubeconfig says: no byte of it moves the cursor, forges a line, or is run
by whoever pastes a hint."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from kubectl_nodeport.cli import output
from kubectl_nodeport.cli.app import run
from kubectl_nodeport.cli.render import connect as render
from tests.commands.world import World
from tests.hostile.cluster import IDENTITY, USABLE, Evil
from tests.hostile.values import FORGED, PASTED, TEXTS, unquoted
from tests.kube.server import Server, certificate, serving, tls_for

COMMANDS = (
    "get",
    "get -A -o wide",
    "get dev",
    "get deploy/api",
    "get -l app=dev",
    "get -A -o json",
    "get -A -o yaml",
    "get -o name",
    "get nobody",
    "get hosts",
    "get hosts -o json",
    "connect dev --dry-run",
    "connect deploy/api --dry-run -o json",
    "connect svc/web --via tunnel --timeout 200ms",
    "connect dev -c nobody",
    "expose dev --name web --port 80",
    "expose dev --name web --port web -o yaml",
    "expose svc/web",
    "expose svc/web --dry-run",
    "delete dev --all",
    "delete svc/web",
    "delete dev --name web -o name",
    "version",
    "version -o json",
)
# These wait for an answer.
SLOW = (
    "connect -l app=dev --via nodeport --timeout 100ms",
    "address svc/web --timeout 100ms",
    "address dev -o json --timeout 100ms",
)
KEPT = {"identity": IDENTITY, "usable": USABLE}


class Said:
    """What a run printed, on both streams as bytes."""

    def __init__(self, out: bytes, err: bytes) -> None:
        self.out, self.err = out, err

    def check(self, *, of_plugin: bool = False) -> None:
        """No control character but the ends of our own lines, and no line of somebody else's.

        :param of_plugin: a credential plugin, which the user runs, has said lines of its own.
        """
        for stream in (self.out, self.err):
            text = stream.decode("utf-8")
            odd = {c for c in text if not c.isprintable() and c not in "\n\t"}
            assert odd == set(), text[:2000]
            if not of_plugin:
                assert FORGED not in {line.strip()[: len(FORGED)] for line in text.split("\n")}, (
                    text
                )
                assert len(self.err) < 50_000, text[:2000]
        for line in self.err.decode().split("\n"):
            # A kubeconfig's installHint is shown as its words; its author may run programs anyway.
            if line.startswith("hint: ") and "the kubeconfig says: " not in line:
                assert PASTED not in unquoted(line), line


def printed(words: list[str]) -> Said:
    """Run a command line, as the installed program's main does."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    said = Said(*(stream.buffer.getvalue() for stream in (out, err)))
    assert code in (0, 1)
    assert b"should not have happened" not in said.err, said.err.decode()[:2000]
    return said


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path


def config(home: Path, server: Server, name: str = "kind", namespace: str = "default") -> Path:
    cluster = {"server": f"http://127.0.0.1:{server.port}"}
    document = {
        "current-context": name,
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}
        ],
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": "t"}}],
    }
    path = home / "kubeconfig"
    path.write_text(yaml.safe_dump(document), "utf-8", "surrogatepass")
    return path


def with_all_flags(command: str, home: Path, kubeconfig: Path) -> list[str]:
    flags = ["--kubeconfig", str(kubeconfig)]
    if command.split()[0] in ("get", "connect"):
        flags += ["--ssh-config", str(home / "ssh config")]
    return [*command.split(), *flags]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_evil_api_server(home: Path, text: str) -> None:
    """Nothing of it is right, or what is has to be for the command to go on."""
    try_all(home, text, COMMANDS)


@pytest.mark.parametrize("text", ["a window's title and a cleared screen", "a new line"])
def test_an_evil_api_server_of_which_an_address_is_sought(home: Path, text: str) -> None:
    try_all(home, TEXTS[text], SLOW)


def try_all(home: Path, text: str, commands: Sequence[str]) -> None:
    with serving(Evil(text)) as server:
        for number, command in enumerate(commands):
            for kept in KEPT.values():
                server.behaviour = Evil(text, kept=kept, refuses=number % 2 == 1)
                words = with_all_flags(command, home, config(home, server))
                printed([*words, "-v=9"]).check()


SPEAKS = 'printf "%s\\n" "$1" >&2; exit 3'
PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}
CLUSTER_TEXTS = ("certificate-authority", "proxy-url", "tls-server-name")
USER_TEXTS = ("token", "tokenFile", "username", "as", "client-certificate")


def clusters(server: str, text: str) -> list[dict[str, object]]:
    """Clusters with the text in one place after the other."""
    good: dict[str, object] = {"server": server, "insecure-skip-tls-verify": True}
    changed = [{**good, field: text} for field in CLUSTER_TEXTS]
    return [good, *changed, {"server": text}, {"server": f"{server}/{text}"}]


def users(text: str) -> list[dict[str, object]]:
    """Users with the text in one place after the other."""
    shell = {**PLUGIN, "command": "/bin/sh"}
    changed: list[dict[str, object]] = [{field: text} for field in USER_TEXTS]
    return [
        *changed,
        {"auth-provider": {"name": text}},
        {"as": "x", "as-groups": [text], "as-user-extra": {text: [text]}, "as-uid": text},
        {"exec": {**PLUGIN, "command": text, "installHint": text}},
        {"exec": {**shell, "args": ["-c", SPEAKS, "", text]}},
        {"exec": {**shell, "args": ["-c", 'printf "%s\\n" "$1"', "", text]}},
        {"exec": {**shell, "env": [{"name": text, "value": text}]}},
    ]


def kubeconfigs(server: str, text: str) -> Iterator[dict[str, object]]:
    """Kubeconfigs with the text in one place after the other."""
    good = clusters(server, text)[0]
    token: dict[str, object] = {"token": "t"}
    pairs = [(one, token) for one in clusters(server, text)]
    pairs += [(good, one) for one in users(text)]
    names = [("kind", "default")] * len(pairs) + [(text, "default"), ("kind", text)]
    for (name, namespace), (cluster, user) in zip(
        names, [*pairs, (good, {}), (good, {})], strict=True
    ):
        context = {"cluster": name, "user": name, "namespace": namespace}
        yield {
            "current-context": name,
            "contexts": [{"name": name, "context": context}],
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
        }


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_evil_kubeconfig(home: Path, text: str) -> None:
    pair = certificate(home, "server")
    path = home / "kubeconfig"
    with serving(Evil("x", kept=USABLE), tls_for(pair)) as server:
        for document in kubeconfigs(f"https://127.0.0.1:{server.port}", text):
            path.write_text(yaml.safe_dump(document), "utf-8", "surrogatepass")
            said = printed([*with_all_flags("connect dev --dry-run", home, path), "-v=9"])
            said.check(of_plugin="printf" in str(document))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_result_of_connect(text: str) -> None:
    """Rendered with texts that the checks before it would have refused."""
    done = World().connect()
    assert done.way.exposed is not None
    poisoned = replace(
        done,
        pod=replace(done.pod, name=text),
        way=replace(done.way, exposed=replace(done.way.exposed, service=text)),
        home=f"/{text}",
        preview="+a\n+b\n",
    )
    shown = render.as_text(poisoned, text)
    plain = render.as_text(replace(done, preview="+a\n+b\n"), "/config")
    assert shown.count("\n") == plain.count("\n")
    for line in shown.split("\n"):
        assert line.isprintable()
        if line.startswith(("  ssh", "  code")):
            assert PASTED not in unquoted(line)
    Said(output.formatted("json", render.as_document(poisoned, text)).encode(), b"").check()
