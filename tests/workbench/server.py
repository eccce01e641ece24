"""VS Code's server as an archive of the kind that Remote-SSH sends: node and the server's files."""

from __future__ import annotations

import base64
import hashlib
import platform
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.cluster.cache import cached
from tests.cluster.process import ClusterError, run
from tests.workbench import node

PACKAGE = "code-server@4.100.3"
"""It has the server of VS Code 1.100 in it, built from its public sources."""
_SHA512 = "q/Fh2DOxCRNhC/WiG/6sAhSKnj7ZACTVBaeeZ+rWjol//0FCbl/qg1ln5ecZ99jYcfqMxZZAyWcN+YBIo0DgpA=="
_INSIDE = "package/lib/vscode"
_NATIVE = ("node-pty", "native-watchdog")
"""The native modules without which there is no terminal, and no extension host that ends itself."""


def archive() -> Path:
    """The archive; raises ClusterError where it cannot be made."""

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            server = Path(temporary, "server")
            server.mkdir()
            package = _download(Path(temporary))
            run(["tar", "-xzf", package, "-C", server, "--strip-components=3", _INSIDE])
            node.npm(["install", "--omit=dev", "--no-audit", "--no-fund"], server)
            for module in _NATIVE:
                node.build_native(server / "node_modules" / module)
            shutil.copy2(node.program(), server / "node")
            with tarfile.open(folder / "server.tar.gz", "w:gz", compresslevel=6) as tar:
                tar.add(server, ".", filter=_wanted)

    ingredients = [Path(source).read_text() for source in (__file__, node.__file__)]
    return cached("vscode", [*ingredients, platform.machine()], make) / "server.tar.gz"


def check() -> str:
    """VS Code's own script that looks for what the server needs."""
    with tarfile.open(archive()) as tar:
        file = tar.extractfile("./bin/helpers/check-requirements.sh")
        assert file is not None, "it is no file"
        return file.read().decode()


def needed() -> dict[str, Path]:
    """What the tests' image lacks, for `pods.Words.of_node`; `ldconfig` has to be run then."""
    (library,) = Path("/usr/lib").glob("*-linux-gnu/libstdc++.so.6")
    return {str(library.resolve()): library.resolve()}


def _download(folder: Path) -> Path:
    print(f"building VS Code's server from {PACKAGE}", file=sys.stderr, flush=True)
    node.npm(["pack", PACKAGE], folder)
    (package,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != _SHA512:
        raise ClusterError(f"npm's {PACKAGE} is another one than it was: {digest}")
    return package


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without source maps, which are half of it, and what compilers left."""
    unwanted = member.name.endswith((".map", ".o", "/obj.target"))
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return None if unwanted else member
