"""kubectl itself is the oracle for what flags and kubeconfigs mean: the requests are compared.

kubectl and our client ask the same recording server with the same words, files and variables. What
tells a server who asks has to be the same in both requests; or both have to fail without one.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from cryptography.hazmat.primitives import serialization

from kubectl_nodeport.cli.argv import normalise
from kubectl_nodeport.cli.connection import connection_flags, flags_of
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.config import connection
from kubectl_nodeport.kube.request import Request
from tests.kube import kubectl, proxies
from tests.kube.server import Answer, Pair, Received, Server, certificate, serving, tls_for

pytestmark = [kubectl.needed, pytest.mark.posix]

V1 = "client.authentication.k8s.io/v1"
V1BETA1 = "client.authentication.k8s.io/v1beta1"
ANSWER = Answer({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "dev"}})


@dataclass(frozen=True)
class World:
    """A folder with certificates, and two recording servers: with TLS, and plain."""

    folder: Path
    ours: Pair
    other: Pair
    client: Pair
    tls: Server
    plain: Server
    asked_for: list[str | None]

    def fill(self, value: Any) -> Any:
        """Put this world's names in for ``{words}``."""
        if isinstance(value, str):
            return value.format_map(
                {
                    "folder": self.folder,
                    "tls": f"https://127.0.0.1:{self.tls.port}",
                    "tls_host": f"127.0.0.1:{self.tls.port}",
                    "by_name": f"https://localhost:{self.tls.port}",
                    "plain": f"http://127.0.0.1:{self.plain.port}",
                    "plain_host": f"127.0.0.1:{self.plain.port}",
                    "ca_text": self.ours.certificate.read_text(),
                    "ca": self.ours.certificate_data,
                    "other_ca": self.other.certificate_data,
                    "cert": self.client.certificate_data,
                    "key": self.client.key_data,
                }
            )
        if isinstance(value, Mapping):
            return {key: self.fill(one) for key, one in value.items()}
        return [self.fill(one) for one in value] if isinstance(value, list | tuple) else value


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("flags")
    ours, other = certificate(folder, "localhost"), certificate(folder, "other.test")
    client = certificate(folder, "jane")
    secret = serialization.load_pem_private_key(client.key.read_bytes(), None)
    encrypted = secret.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )
    (folder / "encrypted.key").write_bytes(encrypted)
    context = tls_for(ours, clients=client)
    asked_for: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    with (
        serving(lambda _: ANSWER, context) as tls,
        serving(lambda _: ANSWER) as plain,
    ):
        yield World(folder, ours, other, client, tls, plain, asked_for)


CLUSTER = {"server": "{tls}", "certificate-authority-data": "{ca}"}
TOKEN = {"token": "of-file"}
CERT = {"client-certificate-data": "{cert}", "client-key-data": "{key}"}
CERT_FILES = {"client-certificate": "{folder}/jane.pem", "client-key": "{folder}/jane.key"}
LOG_IN = 'echo \'{{"apiVersion":"%s","kind":"ExecCredential","status":%s}}\''


def plugin(status: str, version: str = V1, **more: Any) -> dict[str, Any]:
    """A user whose credential plugin prints this status."""
    script = LOG_IN % (version, status.replace("{", "{{").replace("}", "}}"))
    return shell(script, version, **more)


def shell(script: str, version: str = V1, **more: Any) -> dict[str, Any]:
    mode = {"interactiveMode": "Never"} if version == V1 else {}
    settings = {"apiVersion": version, "command": "sh", "args": ["-c", script], **mode, **more}
    return {"exec": settings}


def oidc(expires: int) -> dict[str, Any]:
    """A user with an id-token that can be read, and none to renew it with."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    config = {
        "idp-issuer-url": "https://127.0.0.1:1",
        "client-id": "c",
        "id-token": f"e30.{claims}.x",
    }
    return {"auth-provider": {"name": "oidc", "config": config}}


@dataclass(frozen=True)
class Case:
    """A kubeconfig's one cluster and user, words, and files and variables around them."""

    name: str
    words: tuple[str, ...] = ()
    cluster: Mapping[str, Any] = field(default_factory=lambda: CLUSTER)
    user: Mapping[str, Any] = field(default_factory=lambda: TOKEN)
    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    fails: bool = False
    """Whether both are known to fail; else both must not."""


def of(name: str, *words: str, **parts: Any) -> Case:
    return Case(name, words, **parts)


IMPERSONATE = {"as": "jane", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"k": ["v"]}}

CASES = [
    # Who asks.
    of("token of the file"),
    of("token", "--token", "flag"),
    of("token beats a certificate's lack", "--token", "flag", user={}),
    of("token beside a certificate", "--token", "flag", user=CERT),
    of("token instead of a plugin", "--token", "flag", user=shell("exit 1")),
    of("token and a password", "--token", "flag", user={"username": "u", "password": "p"},
       fails=True),
    of("token with a line break", user={"token": "a\nX-Evil: 1"}, fails=True),
    of("token file with a line break", user={"tokenFile": "t"}, files={"t": "a\nb"}, fails=True),
    of("token flag that is empty", "--token", ""),
    of("nobody", user={}, fails=True),
    of("password", user={"username": "jöe", "password": "p:w"}),
    of("user name alone", user={"username": "u"}),
    of("password alone", user={"password": "p"}, fails=True),
    of("password and a token file", user={"username": "u", "password": "p", "tokenFile": "t"},
       files={"t": "x"}, fails=True),
    of("token file", user={"tokenFile": "t"}, files={"t": "of-token-file\n"}),
    of("token file beats token", user={"tokenFile": "t", "token": "x"}, files={"t": "y"}),
    of("token file beats --token", "--token", "flag", user={"tokenFile": "t"}, files={"t": "y"}),
    of("token file is gone", user={"tokenFile": "gone"}, fails=True),
    of("token file is gone, token is there", user={"tokenFile": "gone", "token": "x"}),
    of("token file is empty, token is there", user={"tokenFile": "t", "token": "x"},
       files={"t": ""}),
    of("certificate as data", user=CERT),
    of("certificate as files", user=CERT_FILES),
    of("certificate as data, key as a file",
       user={"client-certificate-data": "{cert}", "client-key": "{folder}/jane.key"}),
    of("certificate and token", user={**CERT, **TOKEN}),
    of("certificate without key", user={"client-certificate-data": "{cert}"}, fails=True),
    of("key without certificate", user={"client-key-data": "{key}"}, fails=True),
    of("certificate as data and as a file", user={**CERT, **CERT_FILES}, fails=True),
    of("certificate's file is gone", user={**CERT_FILES, "client-certificate": "gone"}, fails=True),
    of("certificate is garbage", user={**CERT, "client-certificate-data": "eA=="}, fails=True),
    of("certificate flags", "--client-certificate", "{folder}/jane.pem",
       "--client-key", "{folder}/jane.key", user={}),
    of("certificate flags over data", "--client-certificate", "{folder}/jane.pem",
       "--client-key", "{folder}/jane.key", user=CERT, fails=True),
    of("certificate flag without key", "--client-certificate", "{folder}/jane.pem", fails=True),
    of("other user", "--user", "other"),
    of("unknown user", "--user", "gone", fails=True),
    # Acting as somebody.
    of("as", "--as", "jane"),
    of("as with all", "--as=jane", "--as-uid", "7", "--as-group", "a,b", "--as-group", "c"),
    of("group without as", "--as-group", "a", fails=True),
    of("uid without as", "--as-uid", "7", fails=True),
    of("as of the file", user={**TOKEN, **IMPERSONATE}),
    of("as over the file's", "--as", "joe", "--as-group", "z", user={**TOKEN, **IMPERSONATE}),
    of("as with odd names", user={**TOKEN, "as": "a b%", "as-user-extra": {"K/ey ü": ["v", "w"]}}),
    of("groups of the file without as", user={**TOKEN, "as-groups": ["a"]}, fails=True),
    of("as by plain http", "--as", "jane", cluster={"server": "{plain}"}),
    # Which server.
    of("server", "--server", "{tls}", cluster={**CLUSTER, "server": "https://gone.test"}),
    of("server, short", "-s={tls}"),
    of("server by plain http", "-s", "{plain}", cluster={}),
    of("plain http never gets a token", cluster={"server": "{plain}"}),
    of("plain http never runs a plugin", user=shell("exit 1"), cluster={"server": "{plain}"}),
    of("server without a scheme", "-s", "{plain_host}"),
    of("server with a path", cluster={**CLUSTER, "server": "{tls}/k8s/c-1/"}),
    of("server with a query", cluster={**CLUSTER, "server": "{tls}/k8s?a=b"}),
    of("server without scheme, with a path", "-s", "{plain_host}/path", fails=True),
    of("other cluster", "--cluster", "other"),
    of("unknown cluster", "--cluster", "gone", fails=True),
    of("other context", "--context", "other"),
    of("unknown context", "--context", "gone", fails=True),
    of("server and token, no file", "--kubeconfig", "/dev/null", "-s", "{tls}", "--token", "t",
       "--certificate-authority", "{folder}/localhost.pem"),
    # Whom to trust.
    of("wrong authority", cluster={**CLUSTER, "certificate-authority-data": "{other_ca}"},
       fails=True),
    of("no authority", cluster={"server": "{tls}"}, fails=True),
    of("authority", "--certificate-authority", "{folder}/localhost.pem",
       cluster={"server": "{tls}"}),
    of("authority, path from here", "--certificate-authority", "here.pem",
       cluster={"server": "{tls}"}, files={"here.pem": "{ca_text}"}),
    of("authority over the file's", "--certificate-authority={folder}/localhost.pem",
       cluster={**CLUSTER, "certificate-authority-data": "{other_ca}"}),
    of("authority over insecure", "--certificate-authority", "{folder}/other.test.pem",
       cluster={"server": "{tls}", "insecure-skip-tls-verify": True}, fails=True),
    of("authority is gone", "--certificate-authority", "{folder}/gone.pem", fails=True),
    of("authority as data and as a file",
       cluster={**CLUSTER, "certificate-authority": "{folder}/localhost.pem"}, fails=True),
    of("authority is garbage", cluster={**CLUSTER, "certificate-authority-data": "eA=="},
       fails=True),
    of("insecure", "--insecure-skip-tls-verify", cluster={"server": "{tls}"}),
    of("insecure over an authority", "--insecure-skip-tls-verify"),
    of("insecure in the file", cluster={"server": "{tls}", "insecure-skip-tls-verify": True}),
    of("not insecure says nothing", "--insecure-skip-tls-verify=false",
       cluster={"server": "{tls}", "insecure-skip-tls-verify": True}),
    of("insecure and an authority", "--insecure-skip-tls-verify", "--certificate-authority",
       "{folder}/localhost.pem", fails=True),
    of("insecure and an authority in the file",
       cluster={**CLUSTER, "insecure-skip-tls-verify": True}, fails=True),
    of("by name", cluster={**CLUSTER, "server": "{by_name}"}),
    of("name on the certificate", "--tls-server-name", "localhost"),
    of("wrong name on the certificate", "--tls-server-name", "gone.test", fails=True),
    of("name in the file", cluster={**CLUSTER, "tls-server-name": "localhost"}),
    of("server drops the file's name", "-s", "{tls}",
       cluster={**CLUSTER, "tls-server-name": "gone.test"}),
    of("server and name", "-s", "{tls}", "--tls-server-name", "localhost",
       cluster={**CLUSTER, "tls-server-name": "gone.test"}),
    # How to ask.
    of("no limit", "--request-timeout", "0"),
    of("limit in seconds", "--request-timeout=20"),
    of("limit as a duration", "--request-timeout", "1m30.5s"),
    of("limit that is none", "--request-timeout", "soon", fails=True),
    of("no compression", "--disable-compression", "--cache-dir", "{folder}/cache"),
    # Credential plugins.
    of("plugin's token", user=plugin('{"token":"p"}')),
    of("plugin's token, v1beta1", user=plugin('{"token":"p"}', V1BETA1)),
    of("plugin's token that expires",
       user=plugin('{"token":"p","expirationTimestamp":"2099-01-01T00:00:00Z"}')),
    of("plugin of v1alpha1", user=plugin('{"token":"p"}', V1.replace("v1", "v1alpha1")),
       fails=True),
    of("plugin that answers in another version",
       user=shell(LOG_IN % (V1BETA1, '{{"token":"p"}}')), fails=True),
    of("plugin of v1 without interactiveMode",
       user=plugin('{"token":"p"}', interactiveMode=""), fails=True),
    of("plugin that needs a terminal",
       user=plugin('{"token":"p"}', interactiveMode="Always"), fails=True),
    of("plugin that would like a terminal",
       user=plugin('{"token":"p"}', interactiveMode="IfAvailable")),
    of("plugin that is missing", user=plugin("{}", command="gone-for-good"), fails=True),
    of("plugin that fails", user=shell("echo no >&2; exit 3"), fails=True),
    of("plugin that prints no JSON", user=shell("echo hello"), fails=True),
    of("plugin that prints nothing", user=shell("true"), fails=True),
    of("plugin without status", user=shell(LOG_IN % (V1, "null")), fails=True),
    of("plugin with an empty status", user=plugin("{}"), fails=True),
    of("plugin with half a certificate", user=plugin('{"clientCertificateData":"x"}'), fails=True),
    of("plugin's certificate", user=shell("cat {folder}/certificate.json")),
    of("plugin's certificate and token", user=shell("cat {folder}/both.json")),
    of("plugin beside a token", user={**TOKEN, **shell("exit 1")}),
    of("plugin beside a certificate", user={**CERT, **shell("exit 1")}),
    of("plugin beside a password", user={"username": "u", "password": "p", **shell("exit 1")}),
    of("plugin with variables", user=shell(
        LOG_IN % (V1, "{{\"token\":\"'$MINE-$THEIRS'\"}}"),
        env=[{"name": "MINE", "value": "a"}, {"name": "THEIRS", "value": "b"}]),
       environ={"THEIRS": "x"}),
    of("plugin beside the file", user={"exec": {
        "apiVersion": V1, "command": "./log-in", "interactiveMode": "Never"}},
       files={"log-in": "#!/bin/sh\n" + LOG_IN % (V1, '{{"token":"beside"}}')}),
    of("plugin and auth-provider",
       user={**plugin('{"token":"p"}'), "auth-provider": {"name": "oidc"}}, fails=True),
    # Old ways.
    *(of(f"auth-provider {name}", user={"auth-provider": {"name": name, "config": {"x": "y"}}},
         fails=True) for name in ("gcp", "azure", "openstack", "")),
    of("oidc", user=oidc(4102444800)),
    of("oidc and a token", "--token", "t", user=oidc(4102444800)),
    of("oidc that has expired", user=oidc(1), fails=True),
    of("oidc without a token",
       user={"auth-provider": {"name": "oidc", "config": {
           "idp-issuer-url": "https://127.0.0.1:1", "client-id": "c"}}}, fails=True),
    of("key that is encrypted", user={"client-certificate": "{folder}/jane.pem",
       "client-key": "{folder}/encrypted.key"}, fails=True),
    of("key of another", user={"client-certificate": "{folder}/jane.pem",
       "client-key": "{folder}/localhost.key"}, fails=True),
    of("auth-provider gcp and a token", "--token", "t", user={"auth-provider": {"name": "gcp"}},
       fails=True),
]  # fmt: skip


def lay_out(case: Case, world: World, folder: Path) -> Path:
    """Write the case's files; gives the kubeconfig."""
    others = {"server": "{tls}", "certificate-authority-data": "{ca}"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "this",
        "contexts": [
            {"name": "this", "context": {"cluster": "this", "user": "this"}},
            {"name": "other", "context": {"cluster": "other", "user": "other"}},
        ],
        "clusters": [
            {"name": "this", "cluster": world.fill(case.cluster)},
            {"name": "other", "cluster": world.fill(others)},
        ],
        "users": [
            {"name": "this", "user": world.fill(case.user)},
            {"name": "other", "user": {"token": "of-other"}},
        ],
    }
    for name, content in case.files.items():
        file = folder / name
        file.write_text(world.fill(content))
        file.chmod(0o700)
    status = {
        "clientCertificateData": world.client.certificate.read_text(),
        "clientKeyData": world.client.key.read_text(),
    }
    for file_name, more in (("certificate", {}), ("both", {"token": "p"})):
        credential = {"apiVersion": V1, "kind": "ExecCredential", "status": {**status, **more}}
        (world.folder / f"{file_name}.json").write_text(json.dumps(credential))
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path


def seen(world: World, request: Received) -> dict[str, Any]:
    """What tells a server who asks, and whom."""
    told = {
        name.lower(): sorted(request.all(name))
        for name in request.headers
        if name.lower() in ("authorization", "host") or name.lower().startswith("impersonate-")
    }
    port = str(world.tls.port)
    told["host"] = [host.replace(port, "TLS") for host in told.get("host", [])]
    return {
        **told,
        "prefix": request.path.partition("/version")[0].partition("/api/")[0],
        "certificate": request.certificate,
        "sni": world.asked_for[-1] if world.asked_for else None,
    }


def record(world: World) -> list[dict[str, Any]]:
    """What came in since this was last called."""
    found = [seen(world, request) for request in (*world.tls.received, *world.plain.received)]
    for server in (world.tls, world.plain):
        server.received.clear()
    world.asked_for.clear()
    return found


@click.command()
@connection_flags
def flags(**options: Any) -> None:
    """Only reads the connection flags."""
    click.get_current_context().obj.update(options)


def ask_as_we_do(words: list[str], folder: Path) -> str:
    """Ask with our client; gives the error, empty where there is none."""
    options: dict[str, Any] = {}
    here = Path.cwd()
    os.chdir(folder)
    try:
        argv = normalise(["flags", *words], click.Group("x", commands=[flags]))[1:]
        flags.main(argv, standalone_mode=False, obj=options)
        found = connection(flags_of(options), os.environ)
        Api(found).send(Request("get", "pods", "dev", namespace="default"))
    except (NodeportError, click.UsageError) as err:
        return str(err)
    finally:
        os.chdir(here)
    return ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_we_ask_as_kubectl_asks(
    case: Case, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"HOME": str(tmp_path), "KUBECONFIG": str(lay_out(case, world, tmp_path))}
    environ |= {name: world.fill(value) for name, value in case.environ.items()}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    words = [world.fill(word) for word in case.words]
    record(world)
    theirs = kubectl.run(["get", "--raw", "/version", *words], environ, tmp_path)
    by_kubectl = record(world)
    error = ask_as_we_do(words, tmp_path)
    by_us = record(world)
    assert (theirs.returncode != 0) == case.fails, theirs.stderr
    assert bool(error) == case.fails, error
    assert by_us == by_kubectl
    assert "Traceback" not in error


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(CASES) >= 40
    assert replace(CASES[0], words=()) == CASES[0]


def through(proxy: Any, words: list[str], environ: Mapping[str, str], folder: Path) -> list[Any]:
    """What the proxy is asked for by kubectl, and by us; without it nobody gets an answer."""
    theirs = kubectl.run(["get", "--raw", "/version", *words], environ, folder)
    by_kubectl, proxy.asked[:] = list(proxy.asked), []
    error = ask_as_we_do(words, folder)
    assert bool(error) == (theirs.returncode != 0), (error, theirs.stderr)
    by_us, proxy.asked[:] = list(proxy.asked), []
    return [by_kubectl, by_us]


OF_NAMES = (
    *("k8s.test", ".k8s.test", "*.k8s.test", "*", "8s.test", "K8S.TEST", " k8s.test ", "test"),
    *("k8s.test:6443", "k8s.test:443", "240.0.0.0/8", ",,"),
)
# Nobody can connect to such addresses, so that who goes there directly fails at once.
EXCEPTIONS: Mapping[str, tuple[str, ...]] = {
    "a.k8s.test": OF_NAMES,
    "k8s.test:6443": OF_NAMES,
    "240.1.2.3": ("240.0.0.0/8", "240.1.2.3", "240.1.2.3:443", "240.1.2.3:80", "240.1.2", "*"),
    "[ff0e::1]:6443": ("ff0e::/64", "ff0e::1", "[ff0e::1]:6443", "[ff0e::1]", "240.0.0.0/8"),
}


@pytest.mark.parametrize(
    ("name", "server", "in_file", "environ", "used"),
    [
        *(
            (
                f"NO_PROXY {rule}",
                f"https://{host}",
                "",
                {"HTTPS_PROXY": "http://{proxy}", "NO_PROXY": rule},
                None,
            )
            for host, rules in EXCEPTIONS.items()
            for rule in rules
        ),
        ("proxy-url", "https://k8s.test:6443", "http://{proxy}", {}, True),
        ("proxy-url with a login", "https://k8s.test:6443", "http://me:p%40w@{proxy}", {}, True),
        ("proxy-url beats NO_PROXY", "https://k8s.test", "http://{proxy}", {"NO_PROXY": "*"}, True),
        ("proxy-url, loopback", "{tls}", "http://{proxy}", {}, True),
        ("environment", "https://k8s.test", "", {"HTTPS_PROXY": "http://{proxy}"}, True),
        ("small letters", "https://k8s.test", "", {"https_proxy": "{proxy}"}, True),
        ("environment, loopback", "{tls}", "", {"HTTPS_PROXY": "http://{proxy}"}, False),
        ("environment, localhost", "{by_name}", "", {"HTTPS_PROXY": "http://{proxy}"}, False),
        ("all proxy", "{tls}", "", {"ALL_PROXY": "http://{proxy}"}, False),
        ("empty host", "https://k8s.test", "", {"HTTPS_PROXY": "http://"}, None),
        (
            "capitals first",
            "https://k8s.test",
            "",
            {"HTTPS_PROXY": "http://{proxy}", "https_proxy": "http://127.0.0.1:1"},
            True,
        ),
        (
            "not for others",
            "https://k8s.test",
            "",
            {"HTTPS_PROXY": "http://{proxy}", "NO_PROXY": "other.test,10.0.0.0/8"},
            True,
        ),
    ],
)
def test_proxy_is_asked_as_kubectl_asks_it(
    name: str,
    server: str,
    in_file: str,
    environ: Mapping[str, str],
    used: bool | None,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with proxies.connect_proxy(world.tls.port) as proxy:
        address = f"127.0.0.1:{proxy.port}"
        cluster = {**CLUSTER, "server": server, "tls-server-name": "localhost"}
        if in_file:
            cluster["proxy-url"] = in_file.replace("{proxy}", address)
        case = Case(name, cluster=cluster)
        variables = {key: value.replace("{proxy}", address) for key, value in environ.items()}
        variables |= {"HOME": str(tmp_path), "KUBECONFIG": str(lay_out(case, world, tmp_path))}
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        by_kubectl, by_us = through(proxy, ["--request-timeout=5s"], variables, tmp_path)
    assert by_us == by_kubectl
    if used is not None:
        assert bool(by_us) == used


def test_socks_proxy_is_asked_as_kubectl_asks_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name goes to the proxy: it need not be known on this machine."""
    with proxies.socks_proxy(world.tls.port) as proxy:
        cluster = {
            **CLUSTER,
            "server": "https://k8s.test:6443",
            "tls-server-name": "localhost",
            "proxy-url": f"socks5://127.0.0.1:{proxy.port}",
        }
        file = lay_out(Case("socks", cluster=cluster), world, tmp_path)
        variables = {"HOME": str(tmp_path), "KUBECONFIG": str(file)}
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        by_kubectl, by_us = through(proxy, [], variables, tmp_path)
    assert by_us == by_kubectl == ["SOCKS5 k8s.test:6443"]
