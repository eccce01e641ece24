"""``python -m bench.sshd``: nodeport-sshd against OpenSSH's sshd, on loopback, in turns.

Both serve root, with the same key, shell and folder. That root is one of a mount namespace of the
bench's own, in which passwd gives it /bin/sh and an empty home: what a person's startup files do
would hide what the servers do. Needs root, Go and OpenSSH's server.
"""

from __future__ import annotations

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.table import Row, show
from sshd import build
from tests.sshd.program import Program, running, ssh_config

RUNS = 7
BULK_BYTES = 400_000_000
CHECKSUM_BYTES = 1_000_000_000
SMALL_FILES = 10_000
AT_ONCE = 64
_PORT = 28022
_INSIDE = "NODEPORT_BENCH_NAMESPACE"

_NINE_TENTHS = 1 / 0.9
"""A rate of at least 0.9 x is a time of at most this."""


def main() -> int:
    """Measure, print the table, and say what is over its budget (exit 1)."""
    if os.environ.get(_INSIDE) is None:
        os.environ[_INSIDE] = "yes"
        os.execvp("unshare", ("unshare", "-m", sys.executable, "-m", "bench.sshd"))
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        _own_root(folder)
        config = folder / "ssh_config"
        with _ours(folder) as host, _openssh(folder):
            config.write_text(host + ssh_config("theirs", _PORT, "root", folder / "id"))
            rows = _measure(folder, config)
    show(rows)
    return int(any(row.is_over for row in rows))


def _own_root(folder: Path) -> None:
    home = folder / "root"
    home.mkdir()
    passwd = folder / "passwd"
    passwd.write_text(
        f"root:x:0:0::{home}:/bin/sh\nsshd:x:998:998::/run/sshd:/usr/sbin/nologin\n"
        "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
    )
    subprocess.run(("mount", "--bind", str(passwd), "/etc/passwd"), check=True)


@contextmanager
def _ours(folder: Path) -> Iterator[str]:
    files = build.build(folder / "built")
    path = folder / "nodeport-sshd"
    path.write_bytes(gzip.decompress(files[0].read_bytes()))
    path.chmod(0o755)
    with running(Program(path, user=None), folder) as server:
        yield ssh_config("ours", server.port, "root", server.key)


@contextmanager
def _openssh(folder: Path) -> Iterator[None]:
    (folder / "sshd_config").write_text(
        f"Port {_PORT}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/id.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        f"Subsystem sftp internal-sftp\nMaxStartups {AT_ONCE * 2}\nMaxSessions {AT_ONCE}\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen(("/usr/sbin/sshd", "-D", "-f", str(folder / "sshd_config")))
    try:
        time.sleep(1)
        yield
    finally:
        process.terminate()
        process.wait()


def _measure(folder: Path, config: Path) -> list[Row]:
    big, huge = folder / "big", folder / "huge"
    for path, size in ((big, BULK_BYTES), (huge, CHECKSUM_BYTES)):
        with path.open("wb") as file:
            file.truncate(size)
    small = folder / "small"
    small.mkdir()
    for number in range(SMALL_FILES):
        (small / f"{number}.txt").write_text(f"{number}\n" * 50)

    def ssh(rest: str) -> Callable[[str], str]:
        return lambda host: f"ssh -F {config} {host} {rest}"

    def at_once(host: str) -> str:
        one = f"ssh -F {config} {host} 'sleep 0.1; echo x' & "
        return f"for i in $(seq {AT_ONCE}); do {one} done; wait"

    def put(host: str) -> str:
        batch = f"rm -rf {folder}/there; printf 'put -R {small} {folder}/there\\n'"
        return f"{batch} | sftp -q -b - -F {config} {host}"

    def get(host: str) -> str:
        batch = f"rm -rf {folder}/back; printf 'get -R {small} {folder}/back\\n'"
        return f"{batch} | sftp -q -b - -F {config} {host}"

    return [
        _row("login", 1.0, ssh("true"), RUNS * 3),
        _row(f"{AT_ONCE} sessions at once", 1.0, at_once, 3),
        _row("400 MB down", _NINE_TENTHS, ssh(f"'cat {big}' >/dev/null"), RUNS),
        _row("400 MB up", _NINE_TENTHS, ssh(f"'cat >/dev/null' <{big}"), RUNS),
        _row("1 GB, checksum there", _NINE_TENTHS, ssh(f"sha256sum <{huge}"), 3),
        _row(f"sftp put, {SMALL_FILES} files", 1 / 0.8, put, 3),
        _row(f"sftp get, {SMALL_FILES} files", 1 / 0.8, get, 3),
    ]


def _row(what: str, budget: float, command: Callable[[str], str], runs: int) -> Row:
    """The median of our times through the median of theirs."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(runs):
        for host, taken in times.items():
            began = time.monotonic()
            subprocess.run(command(host), shell=True, check=True, stdout=subprocess.DEVNULL)
            taken.append(time.monotonic() - began)
    ours, theirs = (statistics.median(taken) for taken in times.values())
    print(f"{what}: {ours:.3f} s, OpenSSH {theirs:.3f} s", file=sys.stderr)
    return Row(what, ours / theirs, budget, "x OpenSSH", runs)


if __name__ == "__main__":
    sys.exit(main())
