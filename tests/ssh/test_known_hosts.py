from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.known_hosts import HostKey, is_well_formed, parse_public_keys, render
from tests.ssh.make import key, wire

KINDS = [
    ("ed25519", "256"),
    ("ecdsa", "256"),
    ("ecdsa", "384"),
    ("ecdsa", "521"),
    ("rsa", "2048"),
]


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .pub file by the real ssh-keygen."""
    kind, bits = request.param
    path: Path = tmp_path_factory.mktemp("keys") / "key"
    command = ["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "me@here", "-f", path]
    subprocess.run(command, check=True, timeout=60)
    return path.with_suffix(".pub")


def test_reads_what_ssh_keygen_made(made: Path) -> None:
    (found,) = parse_public_keys(made.read_text())
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", made], check=True, capture_output=True, text=True, timeout=20
    )
    assert found.fingerprint == listed.stdout.split()[1]
    assert made.read_text() == f"{found.openssh} me@here\n"


def test_ssh_keygen_finds_the_alias(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(render("dev.x", parse_public_keys(made.read_text())))
    found = subprocess.run(
        ["ssh-keygen", "-F", "dev.x", "-f", file],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert file.read_text() in found.stdout


def test_garbage_hides_no_good_key() -> None:
    good, other = key(1), key(2)
    text = f"#\x00\nssh-dss AAAA x\n{good.openssh} c\r\nssh-rsa\n\n{other.openssh}\n{good.openssh}"
    assert parse_public_keys(text) == (good, other)


def b64(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


BAD_BLOBS = {
    "other type inside": ("ssh-ed25519", wire(b"ssh-rsa", bytes(32))),
    "short": ("ssh-ed25519", wire(b"ssh-ed25519", bytes(31))),
    "trailing field": ("ssh-ed25519", wire(b"ssh-ed25519", bytes(32), b"")),
    "trailing bytes": ("ssh-ed25519", wire(b"ssh-ed25519", bytes(32)) + b"\0"),
    "cut": ("ssh-ed25519", wire(b"ssh-ed25519", bytes(32))[:-1]),
    "dsa": ("ssh-dss", wire(b"ssh-dss", b"\1", b"\1", b"\1", b"\1")),
    "security key": ("sk-ssh-ed25519@openssh.com", wire(b"sk-ssh-ed25519@openssh.com", bytes(32))),
    "certificate": ("ssh-ed25519-cert-v01@openssh.com", wire(b"ssh-ed25519-cert-v01@openssh.com")),
    "wrong curve": (
        "ecdsa-sha2-nistp256",
        wire(b"ecdsa-sha2-nistp256", b"nistp384", b"\4" + bytes(64)),
    ),
    "compressed point": (
        "ecdsa-sha2-nistp256",
        wire(b"ecdsa-sha2-nistp256", b"nistp256", b"\2" + bytes(64)),
    ),
    "small rsa": ("ssh-rsa", wire(b"ssh-rsa", b"\1\0\1", b"\x7f" + b"\xff" * 63)),
    "even exponent": ("ssh-rsa", wire(b"ssh-rsa", b"\2", b"\0" + b"\xff" * 256)),
    "negative modulus": ("ssh-rsa", wire(b"ssh-rsa", b"\1\0\1", b"\xff" * 256)),
    "padded modulus": ("ssh-rsa", wire(b"ssh-rsa", b"\1\0\1", b"\0\0" + b"\xff" * 256)),
    "huge": ("ssh-rsa", wire(b"ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 5000)),
    "empty": ("ssh-ed25519", b""),
}


@pytest.mark.parametrize(("kind", "blob"), BAD_BLOBS.values(), ids=BAD_BLOBS)
def test_bad_keys_are_neither_read_nor_written(kind: str, blob: bytes) -> None:
    assert parse_public_keys(f"{kind} {b64(blob)}") == ()
    assert not is_well_formed(HostKey(kind, blob))
    with pytest.raises(NodeportError):
        render("dev", [key(), HostKey(kind, blob)])


def test_base64_must_be_exact() -> None:
    text = key().openssh
    for odd in (text + "=", text.replace("AAAA", "AA\u00adAA", 1), text[:-1], text[:-2] + "!x"):
        assert parse_public_keys(odd) == ()


def test_options_before_the_key_are_not_taken() -> None:
    assert parse_public_keys(f"@cert-authority * {key().openssh}\n* {key().openssh}") == ()


def test_render_does_not_depend_on_the_order() -> None:
    keys = [key(3), key(1), key(2), key(1)]
    text = render("dev.x", keys)
    assert text == render("dev.x", reversed(keys))
    assert text.splitlines() == [f"dev.x {key(seed).openssh}" for seed in (1, 2, 3)]


def test_render_needs_a_key_and_a_plain_alias() -> None:
    with pytest.raises(NodeportError, match="no host key"):
        render("dev", [])
    with pytest.raises(NodeportError, match="cannot be a host alias"):
        render("*", [key()])


@given(st.text())
def test_no_text_makes_it_fail_or_lets_more_than_keys_through(text: str) -> None:
    for found in parse_public_keys(f"{text}\n{key().openssh}\n{text}"):
        assert is_well_formed(found)


@given(st.binary(max_size=200))
def test_no_blob_makes_it_fail(blob: bytes) -> None:
    for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa", "ssh-\udcff"):
        assert not is_well_formed(HostKey(kind, wire(kind.encode("ascii", "replace")) + blob))
