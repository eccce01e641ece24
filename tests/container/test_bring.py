from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from kubectl_nodeport.container import bring, sshd
from kubectl_nodeport.container.sshd import SshdError, Wish
from tests.posix import IS_ROOT
from tests.ssh.make import key

SHELLS = [
    pytest.param(
        words,
        marks=(
            pytest.mark.linux,
            pytest.mark.skipif(
                shutil.which(words[0]) is None, reason=f"the shell {words[0]} is not installed"
            ),
        ),
    )
    for words in (("sh",), ("bash", "--posix"), ("busybox", "sh"), ("zsh", "--emulate", "sh"))
]
FOLDER = "nodeport-sshd-main-test"
# Does what the script needs of the real one, and says what it was asked.
PROGRAM = rb"""#!/bin/sh
answer() { printf '{"state": "%s", "keys": [], "said": "%s"}\n' "$@"; }
case $1 in
  --version) echo '{"program": "nodeport-sshd", "version": "0.1.0"}' ;;
  status) answer stopped '' ;;
  start) IFS= read -r line; printf '{"state": "started", "keys": [], "said": %s}\n' "$line" ;;
  remove-key) IFS= read -r line; answer stopped "$*: $line" ;;
  stop) rm -rf "$4" ;;
esac
"""


class Conversation:
    """The script, run by a shell of this machine, and spoken to as over exec."""

    def __init__(self, shell: tuple[str, ...], *places: Path, home: Path | None = None) -> None:
        script = bring.command(FOLDER, [str(place) for place in places])[2:]
        self.process = subprocess.Popen(
            [*shell, "-c", *script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(home or "")},
        )

    def hear(self) -> bytes:
        assert self.process.stdout is not None
        said = b""
        while not (b"\n" + said).endswith(b"\nend\n"):
            line = self.process.stdout.readline()
            assert line, (said, self.process.stderr and self.process.stderr.read())
            said += line
        return said

    def tell(self, *parts: bytes) -> bytes:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(parts))
        self.process.stdin.flush()
        return self.hear()


@contextlib.contextmanager
def conversation(
    shell: tuple[str, ...], *places: Path, home: Path | None = None
) -> Iterator[Conversation]:
    made = Conversation(shell, *places, home=home)
    try:
        yield made
    finally:
        made.process.communicate(timeout=20)


def wish(**changes: object) -> Wish:
    return Wish(**{"seed": bytes(32), "key": key(1), "port": 20022, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("shell", SHELLS)
def test_program_is_put_started_and_found_again(
    shell: tuple[str, ...], packed: bool, tmp_path: Path
) -> None:
    program = PROGRAM + b"# " + os.urandom(1 << 20).hex().encode()
    sent = gzip.compress(program) if packed else program
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.mkdir()
    with conversation(shell, missing, empty) as box:
        ground = sshd.parse_ground(box.hear())
        assert (ground.program, ground.server) == (None, None)
        assert ground.machine == os.uname().machine
        assert ground.uid == str(os.getuid())
        assert ground.folder.startswith("/")
        assert ground.unpacks
        assert ground.listening is not None
        assert list(empty.iterdir()) == [], "nothing is made before it is told"
        answer = box.tell(bring.put(len(sent), packed=packed).encode(), b"\n", sent)
        sshd.parse_put(answer, b"")
        folder = empty / FOLDER
        assert (folder / "nodeport-sshd").read_bytes() == program
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in folder.iterdir()] == ["nodeport-sshd"]
        answer = box.tell(b"start\n", wish().as_input().encode(), b"\n")
        assert json.loads(answer.splitlines()[0])["said"] == json.loads(wish().as_input())
    with conversation(shell, missing, empty) as box:
        ground = sshd.parse_ground(box.hear())
        assert ground.program == sshd.VERSION
        answer = box.tell(b"remove\nssh-ed25519 AAAA\n")
        words = f"remove-key --state {folder} --stop-last: ssh-ed25519 AAAA"
        assert json.loads(answer.splitlines()[0])["said"] == words


@pytest.mark.parametrize("shell", SHELLS)
def test_start_that_fails_leaves_nothing(shell: tuple[str, ...], tmp_path: Path) -> None:
    program = PROGRAM.replace(b"start) IFS", b"start) exit 1; IFS")
    with conversation(shell, tmp_path) as box:
        box.hear()
        box.tell(bring.put(len(program), packed=False).encode(), b"\n", program)
        assert (tmp_path / FOLDER).exists()
        with pytest.raises(SshdError, match="did not start"):
            sshd.parse_server(box.tell(b"start\n{}\n"), b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_program_that_others_put_in_its_place_is_not_run(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    folder, loot = tmp_path / FOLDER, tmp_path / "loot"
    with conversation(shell, tmp_path) as box:
        box.hear()
        box.tell(bring.put(len(PROGRAM), packed=False).encode(), b"\n", PROGRAM)
        folder.rename(tmp_path / "ours")  # as who may write to the place can do
        folder.mkdir()
        (folder / "nodeport-sshd").write_text(f"#!/bin/sh\ntouch {loot}\n")
        (folder / "nodeport-sshd").chmod(0o755)
        answers = [box.tell(b"start\n{}\n"), box.tell(b"remove\nssh-ed25519 AAAA\n")]
    assert [json.loads(answer.splitlines()[0])["state"] for answer in answers] == [
        "started",
        "stopped",
    ]
    assert not loot.exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_server_has_the_umask_and_the_folder_of_exec(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    telling = b"""start) IFS= read -r _; answer started "$(umask) $(pwd -P)" ;;\n  other)"""
    program = PROGRAM.replace(b"start)", telling)
    before = os.umask(0o002)
    try:
        with conversation(shell, tmp_path) as box:
            box.hear()
            box.tell(bring.put(len(program), packed=False).encode(), b"\n", program)
            answer = json.loads(box.tell(b"start\n{}\n").splitlines()[0])
    finally:
        os.umask(before)
    mask, _, folder = answer["said"].partition(" ")
    assert (int(mask, 8), folder) == (0o002, os.path.realpath("."))


@pytest.mark.parametrize("shell", SHELLS)
def test_damaged_program_is_not_put(shell: tuple[str, ...], tmp_path: Path) -> None:
    with conversation(shell, tmp_path) as box:
        box.hear()
        with pytest.raises(SshdError, match="could not be put there: gzip: not"):
            sshd.parse_put(box.tell(b"put 3 gzip\nabc"), b"gzip: not in gzip format")
        assert box.process.wait(timeout=20) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_link_in_the_folders_place_is_passed_over(shell: tuple[str, ...], tmp_path: Path) -> None:
    theirs, first, home = tmp_path / "theirs", tmp_path / "first", tmp_path / "home"
    for path in (theirs, first, home):
        path.mkdir()
    (theirs / "nodeport-sshd").write_text('#!/bin/sh\ntouch "${0%/*}/run"\n')
    (theirs / "nodeport-sshd").chmod(0o755)
    (first / FOLDER).symlink_to(theirs)
    with conversation(shell, first, home=home) as box:
        assert sshd.parse_ground(box.hear()).program is None
        box.tell(bring.put(len(PROGRAM), packed=False).encode(), b"\n", PROGRAM)
        assert (home / FOLDER / "nodeport-sshd").read_bytes() == PROGRAM
    assert [path.name for path in theirs.iterdir()] == ["nodeport-sshd"]
    assert list(home.iterdir()) == [], "nothing of a program that was put and never started stays"


@pytest.mark.skipif(not IS_ROOT, reason="mounts need root")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="mounts need unshare")
@pytest.mark.parametrize("shell", SHELLS)
def test_noexec_and_read_only_places_are_named(shell: tuple[str, ...], tmp_path: Path) -> None:
    """All else than three places is read-only there, and of those one takes programs: the last."""
    places = [tmp_path / name for name in ("ro", "noexec", "good")]
    for place in places:
        place.mkdir()
    inside = (
        "mount -t tmpfs -o ro t $1 && mount -t tmpfs -o noexec t $2 && mount -t tmpfs t $3 &&"
        ' shift 3 && exec "$@"'
    )
    enter = ("unshare", "-m", "sh", "-c", inside, "sh", *map(str, places))
    with conversation((*enter, *shell), *places) as box:
        box.hear()
        answer = box.tell(bring.put(len(PROGRAM), packed=False).encode(), b"\n", PROGRAM)
    sshd.parse_put(answer, b"")
    tried = [line for line in answer.decode().splitlines() if line.startswith("tried")]
    assert tried == [f"tried {place}" for place in places[:2]]


@pytest.mark.skipif(not IS_ROOT, reason="a root of its own needs root")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="a root of its own needs unshare")
@pytest.mark.parametrize("shell", SHELLS)
def test_image_without_folders(shell: tuple[str, ...], tmp_path: Path) -> None:
    """The program goes to its root, if nothing else is there."""
    inside = (
        'mount -t tmpfs t "$1" && for name in bin dev lib lib64 proc usr; do '
        '[ ! -d /$name ] || { mkdir "$1/$name" && mount --rbind /$name "$1/$name"; } || exit; '
        'done && exec chroot "$@"'
    )
    enter = ("unshare", "-m", "sh", "-c", inside, "sh", str(tmp_path))
    with conversation((*enter, *shell), Path("/tmp")) as box:
        box.hear()
        answer = box.tell(bring.put(len(PROGRAM), packed=False).encode(), b"\n", PROGRAM)
        sshd.parse_put(answer, b"")
        assert b"tried /\n" not in answer
        said = json.loads(box.tell(b"remove\nssh-ed25519 AAAA\n").splitlines()[0])["said"]
    assert said == f"remove-key --state /{FOLDER} --stop-last: ssh-ed25519 AAAA"


def test_folder_is_another_for_each_container_and_pod() -> None:
    names = {bring.folder_name(c, u) for c in ("a", "b") for u in ("1-2", "3-4")}
    assert len(names) == 4


def test_what_is_asked_fits_into_a_line_of_http() -> None:
    words = bring.command(bring.folder_name("c" * 63, "u" * 36))
    assert len(urlencode([("command", word) for word in words])) < 7000
