"""Who asks, by which way: what reaches a server with TLS, and what never leaves."""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import urllib3
from cryptography.hazmat.primitives import serialization

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.client import Api
from kubectl_nodeport.kube.login import Login
from kubectl_nodeport.kube.request import Json, Request
from tests.kube import make, proxies
from tests.kube.server import Answer, Frames, Pair, Server, certificate, serving, tls_for

GET = Request("get", "pods", "read the pod", name="dev", namespace="lab")
TOKEN = "t0p-s3cret"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """The server's certificate, and jane's."""
    folder = tmp_path_factory.mktemp("pki")
    return certificate(folder, "api.test"), certificate(folder, "jane")


@pytest.fixture
def server(pki: tuple[Pair, Pair]) -> Iterator[Server]:
    with serving(lambda _r: Answer(make.BARE_POD), tls_for(pki[0], clients=pki[1])) as running:
        yield running


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "KUBERC"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def api(server: Server, pki: tuple[Pair, Pair], user: Json, cluster: Json | None = None) -> Api:
    trusted = {"certificate-authority-data": pki[0].certificate_data, **(cluster or {})}
    url = f"https://127.0.0.1:{server.port}"
    return Api(make.connection(url, cluster=trusted, user=user), timeout_s=10)


def plugin(folder: Path, *statuses: Json) -> Json:
    """A user whose plugin gives these, one after the other, the last for ever."""
    version = "client.authentication.k8s.io/v1"
    for at, status in enumerate(statuses):
        document = {"apiVersion": version, "kind": "ExecCredential", "status": status}
        (folder / f"answer-{at}").write_text(json.dumps(document))
    script = folder / "log-in"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, pathlib\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "runs = here / 'runs'\n"
        "at = len(runs.read_text()) if runs.exists() else 0\n"
        "runs.write_text('x' * (at + 1))\n"
        f"print((here / f'answer-{{min(at, {len(statuses) - 1})}}').read_text())\n"
    )
    script.chmod(0o700)
    return {"exec": {"apiVersion": version, "command": str(script), "interactiveMode": "Never"}}


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ({"token": TOKEN}, f"Bearer {TOKEN}"),
        ({"username": "jane", "password": "p:w"}, "Basic amFuZTpwOnc="),
        ({"username": "jane"}, "Basic amFuZTo="),
        ({"token": TOKEN, "exec": {"command": "never-run"}}, f"Bearer {TOKEN}"),
    ],
)
def test_authorization(user: Json, sent: str, server: Server, pki: tuple[Pair, Pair]) -> None:
    api(server, pki, user).send(GET)
    assert server.received[0].all("Authorization") == [sent]


def test_impersonation(server: Server, pki: tuple[Pair, Pair]) -> None:
    user = {
        "token": TOKEN,
        "as": "jane",
        "as-uid": "u-1",
        "as-groups": ["dev", "ops"],
        "as-user-extra": {"Scopes": ["view", "edit"], "acme.com/Project": ["p"]},
    }
    api(server, pki, user).send(GET)
    (sent,) = server.received
    assert sent.all("Impersonate-User") == ["jane"]
    assert sent.all("Impersonate-Uid") == ["u-1"]
    # One header with a comma in it would be one strange group to the API server.
    assert sent.all("Impersonate-Group") == ["dev", "ops"]
    assert sent.all("Impersonate-Extra-scopes") == ["view", "edit"]
    assert sent.all("Impersonate-Extra-acme.com%2fproject") == ["p"]


@pytest.mark.parametrize(
    "user",
    [
        {"token": f"{TOKEN}\r\nX-Evil: 1"},
        {"token": f"{TOKEN}é"},
        {"token": TOKEN, "as": "jane\r\nX-Evil: 1"},
        {"token": TOKEN, "as": "jane", "as-groups": ["a\nb"]},
        {"token": TOKEN, "as": "jane", "as-user-extra": {"a": ["b\0"]}},
    ],
)
def test_what_is_no_header_is_refused_without_being_printed(
    user: Json, server: Server, pki: tuple[Pair, Pair]
) -> None:
    with pytest.raises(NodeportError) as caught:
        api(server, pki, user).send(GET)
    assert TOKEN not in caught.value.message + caught.value.hint
    assert "kind-dev" in caught.value.message
    assert server.received == []


@pytest.mark.parametrize(
    "user", [{}, {"as": "jane"}, {"password": "x"}, {"client-key-data": "eA=="}]
)
def test_nobody_is_an_error(user: Json, server: Server, pki: tuple[Pair, Pair]) -> None:
    with pytest.raises(NodeportError, match="gives no login: it has neither token"):
        api(server, pki, user).send(GET)
    assert server.received == []


def test_without_tls_nothing_is_shown() -> None:
    """As kubectl: no token, and a plugin is not even run; acting as somebody stays."""
    user = {"token": TOKEN, "exec": {"command": "/nowhere"}, "as": "jane"}
    with serving(lambda _r: Answer(make.BARE_POD)) as running:
        Api(make.connection(f"http://127.0.0.1:{running.port}", user=user)).send(GET)
        (sent,) = running.received
    assert sent.all("Authorization") == []
    assert sent.all("Impersonate-User") == ["jane"]


class TestTokenFile:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "token"
        path.write_text(f"{TOKEN}\n")
        return path

    def test_it_beats_the_token(self, file: Path, server: Server, pki: tuple[Pair, Pair]) -> None:
        api(server, pki, {"tokenFile": str(file), "token": "other"}).send(GET)
        assert server.received[0].all("Authorization") == [f"Bearer {TOKEN}"]

    @pytest.mark.parametrize("content", ["", " \n", None])
    def test_without_a_token_in_it(
        self, content: str | None, file: Path, server: Server, pki: tuple[Pair, Pair]
    ) -> None:
        if content is None:
            file.unlink()
        else:
            file.write_text(content)
        api(server, pki, {"tokenFile": str(file), "token": "other"}).send(GET)
        assert server.received[0].all("Authorization") == ["Bearer other"]
        with pytest.raises(NodeportError, match="gives no login"):
            api(server, pki, {"tokenFile": str(file)})

    def test_it_is_read_again(
        self,
        file: Path,
        server: Server,
        pki: tuple[Pair, Pair],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        client = api(server, pki, {"tokenFile": str(file)})
        client.send(GET)
        file.write_text("newer")
        client.send(GET)
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 61)
        client.send(GET)
        sent = [one.all("Authorization") for one in server.received]
        assert sent == [[f"Bearer {TOKEN}"], [f"Bearer {TOKEN}"], ["Bearer newer"]]


@pytest.mark.posix
class TestPlugin:
    def test_it_runs_once(self, server: Server, pki: tuple[Pair, Pair], tmp_path: Path) -> None:
        client = api(server, pki, plugin(tmp_path, {"token": TOKEN}))
        client.send(GET)
        client.send(GET)
        assert [one.all("Authorization") for one in server.received] == [[f"Bearer {TOKEN}"]] * 2
        assert (tmp_path / "runs").read_text() == "x"

    def test_it_runs_again_when_its_token_has_expired(
        self, server: Server, pki: tuple[Pair, Pair], tmp_path: Path
    ) -> None:
        old = {"token": "old", "expirationTimestamp": "2020-01-01T00:00:00Z"}
        client = api(server, pki, plugin(tmp_path, old, {"token": "new"}))
        client.send(GET)
        client.send(GET)
        assert [one.all("Authorization") for one in server.received] == [["Bearer new"]] * 2
        assert (tmp_path / "runs").read_text() == "xx"

    def test_certificate_and_token(
        self, server: Server, pki: tuple[Pair, Pair], tmp_path: Path
    ) -> None:
        jane = pki[1]
        status = {
            "token": TOKEN,
            "clientCertificateData": jane.certificate.read_text(),
            "clientKeyData": jane.key.read_text(),
        }
        api(server, pki, plugin(tmp_path, status)).send(GET)
        (sent,) = server.received
        assert (sent.certificate, sent.all("Authorization")) == ("jane", [f"Bearer {TOKEN}"])

    def test_connections_made_ahead_show_the_new_certificate(
        self, server: Server, pki: tuple[Pair, Pair], tmp_path: Path
    ) -> None:
        jane = pki[1]
        old = {"token": "old", "expirationTimestamp": "2020-01-01T00:00:00Z"}
        new = {
            "token": TOKEN,
            "clientCertificateData": jane.certificate.read_text(),
            "clientKeyData": jane.key.read_text(),
        }
        client = api(server, pki, plugin(tmp_path, old, new))
        client.prepare()
        client.send(GET)
        assert server.received[0].certificate == "jane"
        assert server.connections <= 2

    def test_failure_is_an_error(
        self, server: Server, pki: tuple[Pair, Pair], tmp_path: Path
    ) -> None:
        with pytest.raises(NodeportError, match="neither token nor certificate"):
            api(server, pki, plugin(tmp_path, {})).send(GET)
        assert server.received == []


class TestCertificate:
    def test_no_key_stays_in_a_file(
        self,
        server: Server,
        pki: tuple[Pair, Pair],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Nothing would take it away where the program is replaced by ssh."""
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        jane = pki[1]
        user = {"client-certificate-data": jane.certificate_data, "client-key-data": jane.key_data}
        client = api(server, pki, user)
        assert list(tmp_path.iterdir()) == []
        client.send(GET)
        assert server.received[0].certificate == "jane"

    def test_no_temporary_folder(
        self,
        server: Server,
        pki: tuple[Pair, Pair],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
        jane = pki[1]
        user = {"client-certificate-data": jane.certificate_data, "client-key-data": jane.key_data}
        with pytest.raises(NodeportError, match="written to a temporary file: No such file"):
            api(server, pki, user)
        api(server, pki, {"token": TOKEN}).send(GET)  # which needs none

    def test_encrypted_key_asks_nobody(
        self, server: Server, pki: tuple[Pair, Pair], tmp_path: Path
    ) -> None:
        key = serialization.load_pem_private_key(pki[1].key.read_bytes(), None)
        file = tmp_path / "jane.key"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"pw"),
            )
        )
        user = {"client-certificate": str(pki[1].certificate), "client-key": str(file)}
        with pytest.raises(NodeportError, match="certificate and key cannot be used"):
            api(server, pki, user)

    @pytest.mark.parametrize(
        "user",
        [
            {"client-certificate-data": "eA==", "client-key-data": "eA=="},
            {"client-certificate": "/nowhere/x.pem", "client-key": "/nowhere/x.key"},
        ],
    )
    def test_bad_one(self, user: Json, server: Server, pki: tuple[Pair, Pair]) -> None:
        with pytest.raises(NodeportError, match="certificate and key cannot be used"):
            api(server, pki, user)

    def test_authority_among_other_text(self, server: Server, pki: tuple[Pair, Pair]) -> None:
        """Go passes over what is around the certificates, in whatever letters."""
        text = "# Zürich\n".encode() + pki[0].certificate.read_bytes()
        cluster = {"certificate-authority-data": base64.b64encode(text).decode()}
        api(server, pki, {"token": TOKEN}, cluster).send(GET)
        assert len(server.received) == 1

    def test_authority_that_is_none(self, server: Server, pki: tuple[Pair, Pair]) -> None:
        with pytest.raises(NodeportError, match="holds no certificate that can be read"):
            api(server, pki, {"token": TOKEN}, {"certificate-authority-data": "eA=="})


def claims(**claimed: object) -> str:
    """An id token, not signed."""
    payload = base64.urlsafe_b64encode(json.dumps(claimed).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


class TestAuthProvider:
    def test_id_token(self, server: Server, pki: tuple[Pair, Pair]) -> None:
        token = claims(exp=time.time() + 3600)
        user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
        api(server, pki, user).send(GET)
        assert server.received[0].all("Authorization") == [f"Bearer {token}"]

    @pytest.mark.parametrize(
        "token", ["", "x", "a.b.c", "a.e30.c", claims(), claims(exp="x"), claims(exp=1)]
    )
    def test_expired_id_token(self, token: str, server: Server, pki: tuple[Pair, Pair]) -> None:
        user = {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}
        with pytest.raises(NodeportError, match="oidc has expired") as caught:
            api(server, pki, user)
        assert caught.value.hint == "kubectl auth whoami renews it"

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("gcp", "gke-gcloud-auth-plugin"),
            ("azure", "kubelogin"),
            ("openstack", "kubectl config"),
        ],
    )
    def test_removed_one(
        self, name: str, hint: str, server: Server, pki: tuple[Pair, Pair]
    ) -> None:
        user = {"token": TOKEN, "auth-provider": {"name": name}}
        with pytest.raises(NodeportError, match="is not part of kubectl any more") as caught:
            api(server, pki, user)
        assert caught.value.hint.startswith(hint)


WHOEVER = {"server": "https://k8s.test:6443", "tls-server-name": "api.test"}


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_everything_goes_through_the_proxy(scheme: str, pki: tuple[Pair, Pair]) -> None:
    """Requests and websockets; the name of the server is known to the proxy alone."""
    success = (3, b'{"status":"Success"}')
    with serving(
        lambda r: Frames((success,)) if r.headers["Upgrade"] else Answer(make.BARE_POD),
        tls_for(pki[0]),
    ) as running:
        start = proxies.connect_proxy if scheme == "http" else proxies.socks_proxy
        with start(running.port) as proxy:
            cluster = {**WHOEVER, "proxy-url": f"{scheme}://127.0.0.1:{proxy.port}"}
            client = api(running, pki, {"token": TOKEN}, cluster)
            client.send(GET)
            client.open_websocket(GET, "v4.channel.k8s.io").close()
            kind = "CONNECT" if scheme == "http" else "SOCKS5"
            assert proxy.asked == [f"{kind} k8s.test:6443"] * 2
        assert [one.all("Authorization") for one in running.received] == [[f"Bearer {TOKEN}"]] * 2


def test_proxy_gets_its_own_login_and_the_server_does_not(pki: tuple[Pair, Pair]) -> None:
    with (
        serving(lambda _r: Answer(make.BARE_POD), tls_for(pki[0])) as running,
        proxies.connect_proxy(running.port) as proxy,
    ):
        cluster = {**WHOEVER, "proxy-url": f"http://me:p%40w@127.0.0.1:{proxy.port}"}
        api(running, pki, {"token": TOKEN}, cluster).send(GET)
        login = base64.b64encode(b"me:p@w").decode()
        assert proxy.asked == [f"CONNECT k8s.test:6443 as Basic {login}"]
        assert running.received[0].all("Proxy-Authorization") == []


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({"HTTPS_PROXY": "{proxy}"}, True),
        ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "k8s.test"}, False),
        ({"HTTP_PROXY": "{proxy}", "ALL_PROXY": "{proxy}"}, False),
    ],
)
def test_proxy_of_the_environment(
    environ: Mapping[str, str], asked: bool, pki: tuple[Pair, Pair]
) -> None:
    with proxies.connect_proxy(1) as proxy:
        address = f"http://127.0.0.1:{proxy.port}"
        given = {key: value.replace("{proxy}", address) for key, value in environ.items()}
        trusted = {"certificate-authority-data": pki[0].certificate_data, **WHOEVER}
        login = Login(make.connection(cluster=trusted), {**os.environ, **given})
        with pytest.raises((OSError, urllib3.exceptions.HTTPError)):
            login.open_socket(0.5)
        assert bool(proxy.asked) == asked
