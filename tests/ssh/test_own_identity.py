from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.ssh.offered import offered
from kubectl_nodeport.ssh.own_identity import OwnIdentity

MAKE = """
import sys
from pathlib import Path
from kubectl_nodeport.ssh.own_identity import OwnIdentity
OwnIdentity(Path(sys.argv[1])).make()
"""


def test_made_by_ssh_keygen_which_asks_for_a_passphrase(tmp_path: Path) -> None:
    own = OwnIdentity(tmp_path / ".ssh")
    assert not own.is_there
    done = subprocess.run(
        [sys.executable, "-c", MAKE, str(tmp_path / ".ssh")],
        input="pass phrase\npass phrase\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        start_new_session=True,  # without a terminal ssh-keygen reads stdin
    )
    assert done.stdout == ""
    assert "passphrase" in done.stderr
    assert OwnIdentity(tmp_path / ".ssh").is_there
    assert own.path == str(tmp_path / ".ssh" / "kubectl-nodeport" / "id_ed25519")
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / ".ssh", Path(own.path))]
    assert modes == [0o700, 0o600]
    ((key, where),) = offered(None, "dev", own.path).keys
    assert (key.type, where) == ("ssh-ed25519", own.path)


def test_no_ssh_keygen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeportError, match="ssh-keygen cannot be run"):
        OwnIdentity(tmp_path / ".ssh").make()


def test_link_to_nothing_is_something(tmp_path: Path) -> None:
    own = OwnIdentity(tmp_path)
    Path(own.path).parent.mkdir()
    Path(own.path).symlink_to("gone")
    assert own.is_there
