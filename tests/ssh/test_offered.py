from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.known_hosts import parse_public_keys
from kubectl_nodeport.ssh.offered import offered, public_key


def make(path: Path, passphrase: str = "", kind: str = "ed25519") -> str:
    """A key pair; the fingerprint of it."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "me", "-f", str(path)], check=True
    )
    (key,) = parse_public_keys(path.with_name(f"{path.name}.pub").read_text())
    return key.fingerprint


def config(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "config"
    path.write_text("\n".join(["Host dev", *lines, ""]))
    return path


def told(path: Path | None, identity: str | None = None) -> list[tuple[str, str]]:
    return [(key.fingerprint, where) for key, where in offered(path, "dev", identity).keys]


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield socket
    finally:
        process.kill()
        process.communicate()


def test_identity_alone(tmp_path: Path) -> None:
    first = make(tmp_path / "a", "secret")
    make(tmp_path / "b")
    path = config(tmp_path, f"IdentityFile {tmp_path}/b")
    assert told(path, str(tmp_path / "a")) == [(first, str(tmp_path / "a"))]


def test_public_half_is_made_where_it_is_missing(tmp_path: Path) -> None:
    first = make(tmp_path / "a")
    (tmp_path / "a.pub").unlink()
    assert told(None, str(tmp_path / "a")) == [(first, str(tmp_path / "a"))]


def test_public_half_that_cannot_be_made(tmp_path: Path) -> None:
    make(tmp_path / "a", "secret")
    (tmp_path / "a.pub").unlink()
    with pytest.raises(NodeportError, match=r"a\.pub is missing") as caught:
        told(None, str(tmp_path / "a"))
    assert "ssh-keygen -y" in caught.value.hint


def test_public_half_that_is_named_itself(tmp_path: Path) -> None:
    first, public = make(tmp_path / "a"), str(tmp_path / "a.pub")
    (tmp_path / "a").unlink()
    assert told(None, public) == [(first, public)]
    only = config(tmp_path, f"IdentityFile {public}", "IdentitiesOnly yes")
    assert told(only) == [(first, public)]


@pytest.mark.parametrize("text", ["", "nonsense", "KEY\nKEY2", "ssh-dss AAAA"])
def test_pub_file_with_something_else(text: str, tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    keys = [(tmp_path / f"{name}.pub").read_text() for name in "ab"]
    text = text.replace("KEY2", keys[1]).replace("KEY", keys[0])
    (tmp_path / "a.pub").write_text(text)
    with pytest.raises(NodeportError):
        told(None, str(tmp_path / "a"))


def test_files_of_the_config_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    first, second = make(tmp_path / "a"), make(tmp_path / "b", kind="ecdsa")
    lines = [f"IdentityFile {tmp_path}/{name}" for name in ("missing", "a", "b", "a")]
    assert told(config(tmp_path, *lines)) == [
        (first, f"{tmp_path}/a"),
        (second, f"{tmp_path}/b"),
    ]


def test_agents_keys_count_once(agent: Path, tmp_path: Path) -> None:
    first, second = make(tmp_path / "a"), make(tmp_path / "b")
    keys = [str(tmp_path / name) for name in "ab"]
    subprocess.run(["ssh-add", *keys], check=True, capture_output=True)
    file = f"IdentityFile {tmp_path}/a"
    both = [(first, f"{tmp_path}/a"), (second, "me in the agent")]
    assert told(config(tmp_path, file)) == both
    assert told(config(tmp_path, file, "IdentitiesOnly yes")) == both[:1]
    assert told(config(tmp_path, file, "IdentityAgent none")) == both[:1]
    os.environ["SSH_AUTH_SOCK"] = str(tmp_path / "nobody")
    assert told(config(tmp_path, file)) == both[:1]
    assert told(config(tmp_path, file, f"IdentityAgent {agent}")) == both


def test_key_whose_public_half_is_not_known_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    make(tmp_path / "a")
    make(tmp_path / "b", "secret")
    files = [f"IdentityFile {tmp_path}/{name}" for name in "ab"]
    assert not offered(config(tmp_path, *files), "dev", None).has_others
    (tmp_path / "b.pub").unlink()
    found = offered(config(tmp_path, *files), "dev", None)
    assert (len(found.keys), found.has_others) == (1, True)
    card = config(tmp_path, files[0], "PKCS11Provider /usr/lib/card.so")
    assert offered(card, "dev", None).has_others


def test_public_key_of_a_file(tmp_path: Path) -> None:
    first = make(tmp_path / "a")
    assert public_key(str(tmp_path / "a.pub")).fingerprint == first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not one public key"),
        ("nonsense", "is not one public key"),
        ("@a\n@b", "is not one public key"),
        ("@a\nnonsense\n", "is not one public key"),
        ("no-pty @a", "is not one public key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nxyz", "is a private key, which goes nowhere"),
    ],
)
def test_file_that_is_no_public_key(text: str, words: str, tmp_path: Path) -> None:
    for name in "ab":
        make(tmp_path / name)
    keys = [(tmp_path / f"{name}.pub").read_text() for name in "ab"]
    (tmp_path / "c.pub").write_text(text.replace("@a", keys[0]).replace("@b", keys[1]))
    with pytest.raises(NodeportError, match=words) as caught:
        public_key(str(tmp_path / "c.pub"))
    assert caught.value.hint
    assert "xyz" not in caught.value.message + caught.value.hint


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(NodeportError, match="No such file"):
        public_key(str(tmp_path / "gone.pub"))
