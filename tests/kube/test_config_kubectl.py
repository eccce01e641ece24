"""kubectl itself is the oracle for which cluster, user and namespace a kubeconfig means.

Each case is laid out in a folder; both read it, and either see the same or both fail. What kubectl
refuses only when it asks a server is compared in test_flags_kubectl.py.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Flags, connection
from tests.kube import kubectl, make

pytestmark = [kubectl.needed, pytest.mark.posix]

_FILES = ("certificate-authority", "client-certificate", "client-key")


def seen_by_kubectl(home: Path, environ: Mapping[str, str], *flags: str) -> Any:
    """What kubectl makes of it, None where it fails.

    ``--flatten`` puts files in as data, so that which file is meant is seen too.
    """
    words = ("config", "view", "--minify", "--raw", "--flatten", "-o", "json", *flags)
    done = kubectl.run(words, {"HOME": str(home), **environ}, home)
    if done.returncode != 0:
        return None
    view = json.loads(done.stdout)
    (context,), (cluster,), (user,) = view["contexts"], view["clusters"], view["users"]
    return {
        "context": context["name"],
        "namespace": context["context"].get("namespace", "default"),
        "extensions": context["context"].get("extensions", []),
        "cluster": flattened(cluster["cluster"]),
        "user": flattened(user["user"]),
    }


def seen_by_us(home: Path, environ: Mapping[str, str], flags: Flags) -> Any:
    before = Path.cwd()
    os.chdir(home)
    try:
        found = connection(flags, {"HOME": str(home), **environ})
    except NodeportError:
        return None
    finally:
        os.chdir(before)
    return {
        "context": found.context,
        "namespace": found.namespace,
        "extensions": list(found.context_extensions),
        "cluster": flattened(found.cluster),
        "user": flattened(found.user),
    }


def flattened(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only one of both writes down: fields that say nothing, files for data."""
    flat = {key: value for key, value in fields.items() if value not in (None, "", [], {}, False)}
    for name in _FILES:
        if name in flat:
            flat[f"{name}-data"] = base64.b64encode(Path(flat.pop(name)).read_bytes()).decode()
        if f"{name}-data" in flat:
            flat[f"{name}-data"] = "".join(flat[f"{name}-data"].split())
    if "tokenFile" in flat:  # kubectl leaves its path alone, and does not join it when viewing
        flat["tokenFile"] = os.path.basename(flat["tokenFile"])  # noqa: PTH119 - as text
    if "exec" in flat:
        flat["exec"] = flattened(flat["exec"])
        if os.sep in flat["exec"]["command"]:  # left alone as well
            flat["exec"]["command"] = os.path.basename(flat["exec"]["command"])  # noqa: PTH119
        if flat["exec"].get("apiVersion", "").endswith("v1beta1"):
            flat["exec"].setdefault("interactiveMode", "IfAvailable")
    return flat


def compare(
    home: Path, environ: Mapping[str, str], context: str = "", kubeconfig: str = ""
) -> dict[str, Any] | None:
    given = (("--context", context), ("--kubeconfig", kubeconfig))
    words = [word for name, value in given if value for word in (name, value)]
    flags = Flags(context=context or None, kubeconfig=kubeconfig or None)
    ours: dict[str, Any] | None = seen_by_us(home, environ, flags)
    assert ours == seen_by_kubectl(home, environ, *words)
    return ours


def test_home_file(tmp_path: Path) -> None:
    make.kubeconfig(tmp_path / ".kube" / "config", "a", "b", current="b", namespace="lab")
    found = compare(tmp_path, {})
    assert found is not None
    assert (found["context"], found["namespace"]) == ("b", "lab")


def test_several_files_with_the_same_names(tmp_path: Path) -> None:
    first = make.kubeconfig(tmp_path / "first", "both", namespace="one")
    second = make.kubeconfig(
        tmp_path / "second",
        "both",
        "more",
        current="both",
        cluster={"insecure-skip-tls-verify": True},
        namespace="two",
    )
    third = make.kubeconfig(tmp_path / "third", "more", current="more")
    listed = ":".join(map(str, (tmp_path / "missing", first, "", second, third, first)))
    found = compare(tmp_path, {"KUBECONFIG": listed})
    assert found is not None
    assert found["cluster"] == {"server": "https://first.both:6443"}
    assert compare(tmp_path, {"KUBECONFIG": listed}, context="more") is not None


def test_paths_in_files_of_several_folders(tmp_path: Path) -> None:
    """Files of the same relative name with different content: the right one must be taken."""
    for folder in ("a", "b", "."):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in ("ca.pem", "me.pem", "me.key"):
            (tmp_path / folder / name).write_text(f"{folder}/{name}")
    first = make.kubeconfig(
        tmp_path / "a" / "first",
        "dev",
        current="dev",
        cluster={"certificate-authority": "../ca.pem"},
        user={"client-certificate": "me.pem", "client-key": str(tmp_path / "b" / "me.key")},
    )
    second = make.kubeconfig(
        tmp_path / "b" / "second",
        "other",
        cluster={"certificate-authority": "ca.pem"},
        user={"tokenFile": "token", "client-certificate": "./me.pem", "client-key": "me.key"},
    )
    listed = {"KUBECONFIG": f"{first}:{second}"}
    found = compare(tmp_path, listed)
    assert found is not None
    assert found["user"]["client-key-data"]
    assert compare(tmp_path, listed, context="other") is not None


def test_links_are_not_followed_to_find_a_relative_path(tmp_path: Path) -> None:
    """Neither a linked kubeconfig's folder, nor a linked folder with ``..`` behind it."""
    for folder in ("real/deep", "here"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("real", "real/deep", "here", "."):
        (tmp_path / folder / "ca.pem").write_text(folder)
    (tmp_path / "here" / "link").symlink_to(tmp_path / "real" / "deep")
    for at, authority in enumerate(("ca.pem", "link/../ca.pem", "../ca.pem")):
        name = f"config-{at}"
        make.kubeconfig(
            tmp_path / "real" / name,
            "dev",
            current="dev",
            cluster={"certificate-authority": authority},
        )
        (tmp_path / "here" / name).symlink_to(tmp_path / "real" / name)
        found = compare(tmp_path, {"KUBECONFIG": str(tmp_path / "here" / name)})
        assert found is not None
        data = base64.b64decode(found["cluster"]["certificate-authority-data"]).decode()
        assert data == ("." if authority.startswith("..") else "here")


@dataclass(frozen=True)
class Case:
    """Files below the home, by name, and how they are asked for; ``~`` stands for the home."""

    name: str
    files: Mapping[str, str]
    listed: str = "~/config"
    context: str = ""
    kubeconfig: str = ""
    fails: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


BASE = """\
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {{name: dev, context: {{cluster: c, user: u{context}}}}}
clusters:
- {{name: c, cluster: {{server: 'https://one:6443'{cluster}}}}}
users:
- {{name: u, user: {{{user}}}}}
{more}"""


def one(
    name: str,
    *,
    context: str = "",
    cluster: str = "",
    user: str = "token: t",
    more: str = "",
    fails: bool = False,
) -> Case:
    """One file, with something in one place of it."""
    text = BASE.format(context=context, cluster=cluster, user=user, more=more)
    return Case(name, {"config": text}, fails=fails)


GOOD = one("").files["config"]
OTHER = GOOD.replace("one:6443", "two:6443").replace("dev", "other")
EXEC = "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: %s}"

CASES = [
    # Plain words: which are text, and which are not.
    *(
        one(f"token {word}", user=f"token: {word}", fails=fails)
        for word, fails in (
            ("2024-01-01", False),
            ("'2024-99-99'", False),
            ("12:30:45", False),
            ("abc", False),
            ("1.2.3", False),
            ("yEs", False),
            ("'yes'", False),
            ("12345", True),
            ("1_000", True),
            ("010", True),
            ("08", True),
            ("0x1F", True),
            ("1e3", True),
            (".5", True),
            (".inf", True),
            ("yes", True),
            ("y", True),
            ("off", True),
            ("[a]", True),
            ("{a: b}", True),
        )
    ),
    one("number as a namespace", context=", namespace: 7", fails=True),
    one("null says nothing", context=", namespace: null", user="token: ~, username: null"),
    one("flag that is text", cluster=", insecure-skip-tls-verify: 'true'", fails=True),
    one("flag that is a number", cluster=", insecure-skip-tls-verify: 1", fails=True),
    one("flag in old words", cluster=", insecure-skip-tls-verify: on"),
    one("folded data", cluster=', certificate-authority-data: "Q0Eg\\nZGF0YQ=="'),
    one("bad data", cluster=", certificate-authority-data: '%%%'", fails=True),
    one("data without padding", cluster=", certificate-authority-data: Q0EgZGF0YQ", fails=True),
    one("data of the web's alphabet", cluster=", certificate-authority-data: '--__'", fails=True),
    # Fields.
    one("all of a cluster", cluster=", tls-server-name: x, proxy-url: 'http://p:1', "
        "disable-compression: true, certificate-authority-data: Q0E="),
    one("unknown fields", cluster=", later: 1", user="token: t, Token: other", more="later: [1]"),
    one("all of impersonation", user="token: t, as: a, as-uid: '1', as-groups: [g, h], "
        "as-user-extra: {k: [v, w]}"),
    one("groups that are text", user="token: t, as: a, as-groups: g", fails=True),
    one("extra fields that are no lists", user="token: t, as: a, as-user-extra: {k: v}",
        fails=True),
    one("a plugin", user=EXEC % "aws" + ", username: ''"),
    one("a plugin beside the file", user=EXEC % "./aws"),
    one("a plugin elsewhere", user=EXEC % "/opt/../opt/aws"),
    one("a plugin's arguments", user="exec: {apiVersion: client.authentication.k8s.io/v1, "
        "command: x, args: [a, '1'], env: [{name: A, value: b}], installHint: get it, "
        "provideClusterInfo: true, interactiveMode: Never}"),
    one("a plugin's arguments that are numbers", user="exec: {command: x, args: [1]}", fails=True),
    one("an auth-provider", user="auth-provider: {name: oidc, config: {id-token: a.b.c}}"),
    one("an auth-provider's number", user="auth-provider: {name: oidc, config: {a: 1}}",
        fails=True),
    one("extensions", context=", extensions: [{name: x, extension: {a: 1, b: [z, 1.5]}}]",
        cluster=", extensions: [{name: z, extension: {provider: p}}]"),
    one("extensions twice", context=", extensions: [{name: x, extension: {a: 1}}, {name: x}]",
        fails=True),
    # Documents.
    Case("a name twice", {"config": GOOD + "- {name: u, user: {token: v}}\n"}, fails=True),
    Case("a key twice", {"config": GOOD + "current-context: gone\n"}, fails=True),
    Case("two documents", {"config": GOOD + "---\ncurrent-context: gone\n"}),
    Case("JSON", {"config": json.dumps({
        "current-context": "dev",
        "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://x"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }, indent="\t")}),
    Case("anchors", {"config": GOOD.replace("{token: t}", "&x {token: t}")
                     + "- {name: v, user: {<<: *x, as: me}}\n"}),
    Case("a byte order mark", {"config": "\ufeff" + GOOD}),
    Case("Windows' line ends", {"config": GOOD.replace("\n", "\r\n")}),
    Case("no kind", {"config": GOOD.replace("apiVersion: v1\nkind: Config\n", "")}),
    Case("other kind", {"config": GOOD.replace("kind: Config", "kind: Pod")}, fails=True),
    Case("other version", {"config": GOOD.replace("apiVersion: v1", "apiVersion: v2")}, fails=True),
    Case("empty entries", {"config": GOOD.replace("users:\n", "users:\n- \n")}),
    Case("a list is a map", {"config": GOOD.replace("users:\n- {name: u", "users:\n  x: {name: u")},
         fails=True),
    Case("a list", {"config": "[1, 2]"}, fails=True),
    Case("text", {"config": "hello"}, fails=True),
    Case("no YAML", {"config": GOOD + "x: ]"}, fails=True),
    Case("tabs", {"config": GOOD + "a:\n\tb: 1\n"}, fails=True),
    Case("nothing", {"config": ""}, fails=True),
    Case("a comment", {"config": "# nothing\n"}, fails=True),
    # Contexts.
    Case("no such current context", {"config": GOOD.replace("context: dev", "context: x")},
         fails=True),
    Case("no current context", {"config": GOOD.replace("current-context: dev", "")}, fails=True),
    Case("context asked for", {"config": GOOD.replace("current-context: dev", "")}, context="dev"),
    Case("no such context", {"config": GOOD}, context="gone", fails=True),
    Case("no such cluster", {"config": GOOD.replace("cluster: c,", "cluster: x,")}, fails=True),
    Case("no such user", {"config": GOOD.replace("user: u}", "user: x}")}, fails=True),
    # Several files.
    Case("first context wins", {"a": GOOD, "b": OTHER}, "~/a:~/b"),
    Case("other order", {"a": GOOD, "b": OTHER}, "~/b:~/a"),
    Case("other's context", {"a": GOOD, "b": OTHER}, "~/a:~/b", context="other"),
    Case("one is broken", {"a": GOOD, "b": "x: ]"}, "~/a:~/b", fails=True),
    Case("one is empty", {"a": "", "b": GOOD}, "~/a:~/b"),
    Case("one is missing", {"b": GOOD}, "~/a:~/b"),
    Case("one is below a file", {"b": GOOD}, "~/b/x:~/b", fails=True),
    Case("one is a folder", {"b": GOOD}, "~:~/b", fails=True),
    Case("all are missing", {"b": GOOD}, "~/x:~/y", fails=True),
    Case("relative", {"folder/config": GOOD}, "folder/config"),
    Case("only separators", {".kube/config": GOOD}, ":", fails=True),
    Case("separators around", {"b": GOOD, ".kube/config": OTHER}, ":~/b::"),
    Case("empty variable", {".kube/config": GOOD}, ""),
    Case("flag over variable", {"a": GOOD, "b": OTHER}, "~/a", kubeconfig="~/b"),
    Case("flag is one file", {"a": GOOD, "b": OTHER}, "~/a", kubeconfig="~/a:~/b", fails=True),
    Case("flag's file is missing", {"a": GOOD}, "~/a", kubeconfig="~/b", fails=True),
    Case("flag is a folder", {"a": GOOD}, "~/a", kubeconfig="~", fails=True),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_kubeconfig_means_what_kubectl_makes_of_it(case: Case, tmp_path: Path) -> None:
    for name, text in case.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    environ = {"KUBECONFIG": case.listed.replace("~", str(tmp_path))}
    kubeconfig = case.kubeconfig.replace("~", str(tmp_path))
    found = compare(tmp_path, environ, case.context, kubeconfig)
    assert (found is None) == case.fails


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
