"""Builds nodeport-sshd for the architectures that pods run on: static, and the same bytes from the
same sources and Go wherever it is built.

    python3 sshd/build.py [--output FOLDER] [--if-possible]

Each is written as FOLDER/nodeport-sshd-linux-ARCH.gz, by default where the plugin looks for it.
What is up to date is not built again.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
PACKAGE_DATA = SOURCES.parent / "kubectl_nodeport" / "sshd"
ARCHITECTURES = ("amd64", "arm64")
LARGEST = 2_500_000
"""Bytes a program may have, compressed."""

_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=")
_TOOLCHAINS_SINCE = (1, 21)
"""Go of that version fetches the one that go.mod asks for by itself."""


class BuildError(Exception):
    """Why there are no programs, in one line."""


def file_name(architecture: str) -> str:
    return f"nodeport-sshd-linux-{architecture}.gz"


def go_program() -> str:
    """Path of a Go that can build this; raises BuildError."""
    needed = re.search(r"^go (\d+)\.(\d+)", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    if needed is None:
        raise BuildError(f"{SOURCES}/go.mod names no version of Go")
    wanted = (int(needed[1]), int(needed[2]))
    go = shutil.which("go")
    if go is None:
        raise BuildError(
            f"Go {needed[1]}.{needed[2]} or newer is needed, and there is no go on PATH"
        )
    answer = subprocess.run(
        (go, "env", "GOVERSION", "GOTOOLCHAIN"), capture_output=True, text=True, check=False
    ).stdout.splitlines()
    version = re.match(r"go(\d+)\.(\d+)", answer[0] if answer else "")
    found = (int(version[1]), int(version[2])) if version else (0, 0)
    fetches = found >= _TOOLCHAINS_SINCE and answer[-1] != "local"
    if found < wanted and not fetches:
        raise BuildError(f"Go {needed[1]}.{needed[2]} or newer is needed, {go} is {answer[:1]}")
    return go


def compile_for(architecture: str, program: Path, go: str, sources: Path = SOURCES) -> None:
    """Write the static program for linux on that architecture; raises BuildError."""
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": architecture,
        "GOAMD64": "v1",
        "GOARM64": "v8.0",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
        "GOEXPERIMENT": "",
    }
    command = (go, "build", *_FLAGS, "-o", str(program), ".")
    done = subprocess.run(
        command, cwd=sources, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"go build for {architecture}: {done.stderr.strip()}")


def build(output: Path) -> list[Path]:
    """Both programs, compressed; those that are up to date are left alone. Raises BuildError."""
    output.mkdir(parents=True, exist_ok=True)
    stamp = output / "sources.sha256"
    digest = _digest_of_sources()
    wanted = [output / file_name(architecture) for architecture in ARCHITECTURES]
    if all(path.exists() for path in wanted) and stamp.exists() and stamp.read_text() == digest:
        return wanted
    go = go_program()
    with tempfile.TemporaryDirectory() as folder:
        for architecture, path in zip(ARCHITECTURES, wanted, strict=True):
            program = Path(folder) / architecture
            compile_for(architecture, program, go)
            compressed = gzip.compress(program.read_bytes(), compresslevel=9, mtime=0)
            if len(compressed) > LARGEST:
                raise BuildError(f"{path.name} would have {len(compressed)} bytes")
            new = path.with_suffix(f".{os.getpid()}")
            new.write_bytes(compressed)
            new.replace(path)
    stamp.write_text(digest)
    return wanted


def _digest_of_sources() -> str:
    """Of all that the programs are made from."""
    sources = [SOURCES / "go.mod", SOURCES / "go.sum", Path(__file__)]
    sources += [path for path in SOURCES.rglob("*.go") if not path.name.endswith("_test.go")]
    digest = hashlib.sha256()
    for path in sorted(sources):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(SOURCES)} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--output", type=Path, default=PACKAGE_DATA, metavar="FOLDER")
    parser.add_argument(
        "--if-possible", action="store_true", help="say so, and succeed, where it cannot be built"
    )
    arguments = parser.parse_args()
    try:
        for path in build(arguments.output):
            print(f"{path} {path.stat().st_size} bytes")
    except BuildError as failed:
        if arguments.if_possible:
            print(f"nodeport-sshd is not built: {failed}", file=sys.stderr)
            return 0
        print(f"error: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
