from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.config import Connection, Flags, connection
from tests.kube import make

V1BETA1 = "client.authentication.k8s.io/v1beta1"


def resolve(home: Path, *files: Path, flags: Flags | None = None, **environ: str) -> Connection:
    """Resolve with these files in KUBECONFIG, or without KUBECONFIG where there are none."""
    listed = {"KUBECONFIG": ":".join(map(str, files))} if files else {}
    return connection(flags or Flags(), {"HOME": str(home), **listed, **environ})


def failure(home: Path, *files: Path, flags: Flags | None = None) -> NodeportError:
    with pytest.raises(NodeportError) as caught:
        resolve(home, *files, flags=flags)
    return caught.value


def test_reads_the_home_kubeconfig(tmp_path: Path) -> None:
    path = make.kubeconfig(tmp_path / ".kube" / "config", "dev", current="dev", namespace="lab")
    found = resolve(tmp_path)
    assert found.context == "dev"
    assert found.server == "https://config.dev:6443"
    assert found.user == {"token": "config-dev"}
    assert found.namespace == "lab"
    assert found.kubeconfig_paths == (str(path),)


@pytest.mark.parametrize(
    ("flag", "of_context", "namespace"),
    [(None, None, "default"), (None, "lab", "lab"), ("ops", "lab", "ops"), ("ops", None, "ops")],
)
def test_namespace_of_flag_then_context_then_default(
    flag: str | None, of_context: str | None, namespace: str, tmp_path: Path
) -> None:
    context: dict[str, Any] = {"namespace": of_context} if of_context else {}
    path = make.kubeconfig(tmp_path / "one", "dev", current="dev", **context)
    assert resolve(tmp_path, path, flags=Flags(namespace=flag)).namespace == namespace


def test_first_file_wins_and_missing_ones_are_skipped(tmp_path: Path) -> None:
    first = make.kubeconfig(tmp_path / "first", "a", "both", current="a")
    second = make.kubeconfig(tmp_path / "second", "b", "both", current="b")
    found = resolve(tmp_path, tmp_path / "missing", first, second, first)
    assert found.context == "a"
    assert found.kubeconfig_paths == (str(first), str(second))
    both = resolve(tmp_path, first, second, flags=Flags(context="both"))
    assert both.server == "https://first.both:6443"
    assert both.user == {"token": "first-both"}
    assert resolve(tmp_path, first, second, flags=Flags(context="b")).server.endswith(
        "second.b:6443"
    )


def test_flag_is_the_only_file(tmp_path: Path) -> None:
    listed = make.kubeconfig(tmp_path / "listed", "a", current="a")
    asked = make.kubeconfig(tmp_path / "asked", "b", current="b")
    assert resolve(tmp_path, listed, flags=Flags(kubeconfig=str(asked))).context == "b"


def test_paths_are_relative_to_their_own_file(tmp_path: Path) -> None:
    file = make.kubeconfig(
        tmp_path / "deep" / "one",
        "dev",
        current="dev",
        cluster={"certificate-authority": "ca.pem"},
        user={
            "client-certificate": "me.pem",
            "client-key": "/keys/me.key",
            "tokenFile": "sub/token",
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": "./login",
                "args": ["./kept"],
            },
        },
    )
    folder = tmp_path / "deep"
    for name in ("ca.pem", "me.pem"):
        (folder / name).touch()
    key = tmp_path / "me.key"
    key.touch()
    file.write_text(file.read_text().replace("/keys/me.key", str(key)))
    found = resolve(tmp_path, file)
    assert found.cluster["certificate-authority"] == str(folder / "ca.pem")
    assert found.user["client-certificate"] == str(folder / "me.pem")
    assert found.user["client-key"] == str(key)
    assert found.user["tokenFile"] == str(folder / "sub/token")
    assert found.user["exec"]["command"] == str(folder / "login")
    assert found.user["exec"]["args"] == ["./kept"]


def test_plain_plugin_name_is_looked_up_on_path(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws"}
    file = make.kubeconfig(tmp_path / "one", "dev", current="dev", user={"exec": plugin})
    assert resolve(tmp_path, file).user["exec"]["command"] == "aws"


def test_secrets_stay_out_of_the_repr(tmp_path: Path) -> None:
    file = make.kubeconfig(tmp_path / "one", "dev", current="dev", user={"token": "s3cret"})
    assert "s3cret" not in repr(resolve(tmp_path, file))


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"", "no context is set in the kubeconfig", "--context"),
        (b"[1, 2]", "one cannot be used: the file is not a map", "config view"),
        (b"\xff\xfe\x00binary", "cannot be read: it is not UTF-8 text", "file "),
        (b"a: 1\nb: ]\nc: 3\n", "one, line 2 is not valid YAML", "config view"),
        (b"\x00\x01", "is not valid YAML", "config view"),
        (b"current-context: 2024-99-99", 'context "2024-99-99" does not exist', "get-contexts"),
        (b"current-context: 2024", "current-context is not text", "config view"),
        (b"kind: List", "its apiVersion and kind are not v1 and Config", "config view"),
        (b"[" * 5000, "is not valid YAML", "config view"),
        (b"contexts: {dev: 1}", "one cannot be used: contexts is not a list", "config view"),
        (b"clusters: text\ncurrent-context: x", "clusters is not a list", "config view"),
        (b"users: 7", "users is not a list", "config view"),
        (b"current-context: dev", 'context "dev" does not exist', "get-contexts"),
        (b"current-context: [dev]", "current-context is not text", "config view"),
        (b"contexts: [{name: a}, 1]", "contexts[1] is not a map", "config view"),
        (b"contexts: [{name: a}, {name: a}]", "contexts[1] has the name of another", ""),
        (b"users: [{user: {token: 7}}]", "users[0].user.token is not text", "config view"),
        (b"contexts: [null, {}, {name: a, context: null}]", "contexts[1] has the name", ""),
    ],
)
def test_bad_file_is_an_error_in_plain_words(
    content: bytes, message: str, hint: str, tmp_path: Path
) -> None:
    path = tmp_path / "one"
    path.write_bytes(content)
    told = failure(tmp_path, path)
    assert message in told.message
    assert hint in told.hint


@pytest.mark.parametrize(
    ("context", "clusters", "message"),
    [
        ("{}", "[]", 'context "dev" names the cluster "", which has no server'),
        ("{cluster: gone}", "[]", 'names the cluster "gone", which has no server'),
        ("{cluster: c}", "[{name: c, cluster: {}}]", 'the cluster "c", which has no server'),
        ("{cluster: c}", "[{name: c}]", 'the cluster "c", which has no server'),
        (
            "{cluster: c, user: gone}",
            "[{name: c, cluster: {server: 'https://x'}}]",
            'names the user "gone", which does not exist',
        ),
        (
            '{cluster: c, namespace: "a\\nb"}',
            "[{name: c, cluster: {server: 'https://x'}}]",
            "is not the name of a namespace",
        ),
    ],
)
def test_broken_context_is_named(context: str, clusters: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text(
        f"current-context: dev\ncontexts: [{{name: dev, context: {context}}}]\nclusters: {clusters}"
    )
    assert message in failure(tmp_path, path).message


def test_context_without_user_is_anonymous(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text(
        "current-context: dev\ncontexts: [{name: dev, context: {cluster: c}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://x/'}}]"
    )
    found = resolve(tmp_path, path)
    assert found.user == {}
    assert found.server == "https://x"


def test_no_kubeconfig_at_all(tmp_path: Path) -> None:
    told = failure(tmp_path)
    assert told.message == f"no kubeconfig: {tmp_path}/.kube/config does not exist"
    assert "KUBECONFIG" in told.hint


def test_kubeconfig_variable_names_only_missing_files(tmp_path: Path) -> None:
    make.kubeconfig(tmp_path / ".kube" / "config", "dev", current="dev")
    told = failure(tmp_path, tmp_path / "a", tmp_path / "b")
    assert f"{tmp_path}/a, {tmp_path}/b does not exist" in told.message


def test_kubeconfig_flag_names_a_missing_file_or_a_folder(tmp_path: Path) -> None:
    missing = failure(tmp_path, flags=Flags(kubeconfig=str(tmp_path / "gone")))
    assert missing.message == f"--kubeconfig {tmp_path}/gone: no such file"
    folder = failure(tmp_path, flags=Flags(kubeconfig=str(tmp_path)))
    assert "cannot be read: Is a directory" in folder.message


def test_name_that_no_file_can_have(tmp_path: Path) -> None:
    told = failure(tmp_path, flags=Flags(kubeconfig="x" * 5000))
    assert "cannot be read: File name too long" in told.message
    assert len(told.message) < 300


def test_unknown_context_has_near_matches(tmp_path: Path) -> None:
    path = make.kubeconfig(tmp_path / "one", "docker-desktop", "kind-dev", current="kind-dev")
    near = failure(tmp_path, path, flags=Flags(context="docker-deskto"))
    assert near.message == 'context "docker-deskto" does not exist'
    assert near.hint == "did you mean: docker-desktop"
    far = failure(tmp_path, path, flags=Flags(context="prod"))
    assert far.hint == "kubectl config get-contexts lists them"


@pytest.mark.parametrize("name", ["Lab", "a.b", "-a", "a" * 64, "a\n", "../x", "a b"])
def test_namespace_that_cannot_be_one_is_refused(name: str, tmp_path: Path) -> None:
    path = make.kubeconfig(tmp_path / "one", "dev", current="dev")
    told = failure(tmp_path, path, flags=Flags(namespace=name))
    assert "is not the name of a namespace" in told.message


def identity(cluster: Mapping[str, object]) -> str:
    return make.connection("https://a:1", cluster=dict(cluster)).identity


def test_identity_is_the_authority_however_it_is_given(tmp_path: Path) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    file = tmp_path / "ca.pem"
    file.write_bytes(pem)
    data = base64.b64encode(pem).decode()
    of_data = identity({"certificate-authority-data": data})
    assert of_data.startswith("ca:")
    assert identity({"certificate-authority": str(file)}) == of_data
    assert identity({"certificate-authority-data": data, "server": "https://b:2"}) == of_data
    folded = "\n".join(data[at : at + 20] for at in range(0, len(data), 20))
    assert identity({"certificate-authority-data": folded}) == of_data  # as Go decodes it
    assert identity({"certificate-authority-data": base64.b64encode(b"x").decode()}) != of_data


def test_identity_without_authority_is_the_url() -> None:
    assert identity({}).startswith("url:")
    assert identity({}) == identity({"server": "https://a:1/"})
    assert identity({}) != identity({"server": "https://a:2"})


@pytest.mark.parametrize(
    "cluster",
    [{"certificate-authority-data": "%%%"}, {"certificate-authority": "/nowhere/ca.pem"}],
)
def test_authority_that_cannot_be_read_is_an_error(cluster: Mapping[str, object]) -> None:
    with pytest.raises(NodeportError, match="certificate authority cannot be read"):
        identity(cluster)


def test_authority_that_is_not_verified_is_refused(tmp_path: Path) -> None:
    """As kubectl; else a public certificate would lend a cluster's identity to any server."""
    cluster = {"certificate-authority-data": "Q0E=", "insecure-skip-tls-verify": True}
    path = make.kubeconfig(
        tmp_path / "config", "dev", current="dev", cluster={"server": "https://x", **cluster}
    )
    with pytest.raises(NodeportError, match="both a certificate authority and insecure"):
        connection(Flags(kubeconfig=str(path)), {})


class TestFlags:
    """What flags change; beside kubectl's own requests in test_flags_kubectl.py."""

    CA: ClassVar = {"certificate-authority-data": "Q0E=", "tls-server-name": "k8s.test"}

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        user = {"token": "t", "as": "old", "as-user-extra": {"k": ["a"], "l": ["b"]}}
        return make.kubeconfig(
            tmp_path / "one", "dev", "other", current="dev", cluster=self.CA, user=user
        )

    def test_other_server_of_the_same_authority_is_the_same_cluster(
        self, file: Path, tmp_path: Path
    ) -> None:
        plain = resolve(tmp_path, file)
        found = resolve(tmp_path, file, flags=Flags(server="https://b:2/"))
        assert (found.server, found.context) == ("https://b:2", "dev")
        assert found.identity == plain.identity
        assert found.identity.startswith("ca:")
        assert "tls-server-name" not in found.cluster

    def test_unverified_server_is_known_by_its_url_alone(self, file: Path, tmp_path: Path) -> None:
        found = resolve(tmp_path, file, flags=Flags(insecure_skip_tls_verify=True))
        assert found.identity == identity({"server": found.server})

    def test_other_authority_is_another_cluster(
        self, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "ca.pem").write_text("other")
        found = resolve(tmp_path, file, flags=Flags(certificate_authority="ca.pem"))
        assert found.cluster["certificate-authority"] == str(tmp_path / "ca.pem")
        assert found.identity != resolve(tmp_path, file).identity

    def test_other_cluster_and_user(self, file: Path, tmp_path: Path) -> None:
        found = resolve(tmp_path, file, flags=Flags(cluster="other", user="other"))
        assert (found.context, found.cluster_name) == ("dev", "other")
        assert found.server == "https://one.other:6443"

    @pytest.mark.parametrize(
        ("flags", "message", "hint"),
        [
            (Flags(cluster="othr"), 'cluster "othr" does not exist', "did you mean: other"),
            (Flags(cluster="x"), 'cluster "x" does not exist', "kubectl config get-clusters"),
            (Flags(user="othr"), 'user "othr" does not exist', "did you mean: other"),
            (Flags(user="x"), 'user "x" does not exist', "kubectl config get-users"),
            (Flags(as_user_extra=("k",)), "--as-user-extra k is not a key", "key=value"),
            (Flags(server="https://h:port"), "neither an http or https URL", "config view"),
            (Flags(server="ftp://h"), "neither an http or https URL", "config view"),
            (Flags(tls_server_name="a\0b"), "tls-server-name that is no host name", "config view"),
            (Flags(tls_server_name="a b"), "tls-server-name that is no host name", "config view"),
            (Flags(tls_server_name="\x9b"), "tls-server-name that is no host name", "config view"),
            (Flags(tls_server_name="x" * 70), "tls-server-name that is no host", "config view"),
        ],
    )
    def test_errors(
        self, flags: Flags, message: str, hint: str, file: Path, tmp_path: Path
    ) -> None:
        told = failure(tmp_path, file, flags=flags)
        assert message in told.message
        assert hint in told.hint

    def test_acting_as_somebody(self, file: Path, tmp_path: Path) -> None:
        flags = Flags(
            as_="jane", as_uid="7", as_group=("g", "h"), as_user_extra=("k=v=w", "k=x", "m=")
        )
        assert resolve(tmp_path, file, flags=flags).user == {
            "token": "t",
            "as": "jane",
            "as-uid": "7",
            "as-groups": ["g", "h"],
            "as-user-extra": {"k": ["v=w", "x"], "l": ["b"], "m": [""]},
        }

    @pytest.mark.parametrize(("given", "limit"), [(None, 30.0), (0.0, None), (1.5, 1.5)])
    def test_request_timeout(
        self, given: float | None, limit: float | None, file: Path, tmp_path: Path
    ) -> None:
        found = resolve(tmp_path, file, flags=Flags(request_timeout_s=given))
        assert found.request_timeout_s == limit

    @pytest.mark.parametrize(
        ("flags", "context"),
        [
            (Flags(server="https://me:pw@h:1/path"), "h:1"),
            (Flags(server="h:1"), "h:1"),
        ],
    )
    def test_without_any_kubeconfig(self, flags: Flags, context: str, tmp_path: Path) -> None:
        found = resolve(tmp_path, flags=flags)
        assert found.context == context
        assert found.kubeconfig_paths == ()

    def test_login_in_place_of_a_user_that_is_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "one"
        path.write_text(
            "current-context: dev\ncontexts: [{name: dev, context: {cluster: c, user: gone}}]\n"
            "clusters: [{name: c, cluster: {server: 'https://x'}}]"
        )
        assert resolve(tmp_path, path, flags=Flags(token="t")).user == {"token": "t"}

    def test_empty_flags_say_nothing(self, file: Path, tmp_path: Path) -> None:
        flags = Flags(kubeconfig="", context="", cluster="", user="", server="", token="", as_="")
        assert resolve(tmp_path, file, flags=flags) == resolve(tmp_path, file)

    def test_token_stays_out_of_the_repr(self) -> None:
        assert "s3cret" not in repr(Flags(token="s3cret"))


def test_file_without_an_end_is_refused() -> None:
    with pytest.raises(NodeportError) as caught:
        connection(Flags(kubeconfig="/dev/zero"), {})
    assert caught.value.message == "the kubeconfig /dev/zero has more than 16 MB"
