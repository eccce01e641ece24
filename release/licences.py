"""What others made and the bundle holds, with its licences, collected from where it was taken.

Python packages say theirs in their metadata, Go modules and Python itself in a file beside the
sources, shared libraries of the system in what Debian or Ubuntu installs with each package. What
has none is an error: nothing is given on without its licence.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from release.parts import ROOT
from sshd import build

_OURS = "kubectl-nodeport"
_NAMES = re.compile(r"(licen[cs]e|copying|notice)", re.IGNORECASE)
_IN_METADATA = re.compile(r"\.dist-info/(licenses/)?[^/]+$")
_LINE = "=" * 78


class LicenceError(Exception):
    """What has no licence that could be found, in one line."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that others made, and the texts of its licence.

    :ivar kind: how a package URL names where it comes from, such as ``pypi`` or ``deb/debian``:
        https://github.com/package-url/purl-spec
    """

    kind: str
    name: str
    version: str
    texts: tuple[str, ...]


def collected(modules: Iterable[str], files: Iterable[str]) -> list[Part]:
    """All parts, by their names; raises LicenceError.

    :param modules: names of the Python modules in the bundle.
    :param files: where the libraries in it were taken from.
    """
    parts = [_python(), *_distributions(modules), *_libraries(files), *_go()]
    return sorted(parts, key=lambda one: one.name.lower())


def document(parts: Iterable[Part]) -> str:
    """The text of THIRD-PARTY-LICENSES."""
    texts = [
        f"{_LINE}\n{part.name} {part.version}\n{_LINE}\n\n"
        + "\n\n".join(text.strip() for text in part.texts)
        for part in parts
    ]
    head = "kubectl nodeport is given on with these parts that others made, under their licences."
    return "\n\n\n".join([head, *texts]) + "\n"


def _python() -> Part:
    version = ".".join(map(str, sys.version_info[:3]))
    places = (Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix))
    for place in (folder / name for folder in places for name in ("LICENSE.txt", "LICENSE")):
        if place.is_file():
            return Part("generic", "Python", version, (_read(place),))
    # Debian's own python3 has it elsewhere.
    texts = _of_debian(Path(sys.executable).resolve()).texts
    return Part("generic", "Python", version, texts)


def _distributions(modules: Iterable[str]) -> Iterator[Part]:
    """Those with a module in the bundle."""
    providers = _providers()
    tops = {name.partition(".")[0] for name in modules}
    names = {one for top in tops for one in providers.get(top, ())}
    for name in sorted(names - {_OURS}):
        found = metadata.distribution(name)
        # In the order of their names: an installer may list them in another.
        files = sorted(found.files or (), key=str)
        texts = [_read(Path(str(one.locate()))) for one in files if _is_licence(one)]
        if not texts:
            raise LicenceError(f"the Python package {name} has no licence in its metadata")
        yield Part("pypi", found.metadata["Name"], found.version, tuple(texts))


def _providers() -> dict[str, set[str]]:
    """The distributions that have a file of a top-level module, by the module's name.

    Python 3.10 tells of those alone that name their modules (metadata.packages_distributions).
    """
    found: dict[str, set[str]] = {}
    for one in metadata.distributions():
        for file in one.files or ():
            found.setdefault(file.parts[0].partition(".")[0], set()).add(one.metadata["Name"])
    return found


def _is_licence(file: PurePosixPath) -> bool:
    """Whether a file of a distribution is its licence; packages of old have it beside METADATA."""
    return bool(_IN_METADATA.search(str(file)) and _NAMES.search(file.name))


def _libraries(files: Iterable[str]) -> Iterator[Part]:
    """The system's; those of Python, or of a package, go with these."""
    known = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")]
    python = Path(sys.base_prefix).resolve()
    if python != Path("/usr"):  # the system's own Python has its libraries among all others
        known.append(python if os.name == "nt" else python / "lib")
    found = set()
    for file in {Path(one).resolve() for one in files}:
        is_shared_library = ".so" in file.name or file.suffix in (".dylib", ".dll")
        if is_shared_library and not any(file.is_relative_to(place) for place in known):
            found.add(_of_debian(file))
    yield from found


def _of_debian(file: Path) -> Part:
    """The package that a file came with."""
    # A library that is known below /usr may be listed without it, from before the two were one.
    for name in (str(file), str(file).removeprefix("/usr")):
        try:
            package = _dpkg("--search", name).partition(":")[0]
        except OSError:
            break
        copyright_file = Path("/usr/share/doc", package, "copyright")
        if package and copyright_file.is_file():
            version = _dpkg("--show", "--showformat=${Version}\n", package).splitlines()[0]
            vendor = platform.freedesktop_os_release()["ID"]
            return Part(f"deb/{vendor}", package, version, (_read(copyright_file),))
    raise LicenceError(f"nobody tells the licence of {file}")


def _dpkg(*words: str) -> str:
    """What it says, or nothing; raises OSError where there is none."""
    return subprocess.run(
        ("dpkg-query", *words), capture_output=True, text=True, check=False
    ).stdout


def _go() -> Iterator[Part]:
    """Go's own library, and the modules, of the ssh servers; raises sshd.build.BuildError."""
    go = build.go_program()
    asked = "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}"
    lines = _go_says(go, "list", "-deps", "-f", asked, ".").splitlines()
    version = _go_says(go, "env", "GOVERSION").strip()
    root = _go_says(go, "env", "GOROOT").strip()
    yield Part("generic", "Go", version.removeprefix("go"), (_read(Path(root, "LICENSE")),))
    for line in sorted(set(filter(None, lines))):
        path, version, folder = line.split("\t")
        if not version:  # the server itself
            continue
        texts = [_read(one) for one in sorted(Path(folder).glob("LICENSE*"))]
        if not texts:
            raise LicenceError(f"the Go module {path} has no LICENSE")
        yield Part("golang", path, version, tuple(texts))


def _go_says(go: str, *words: str) -> str:
    done = subprocess.run(
        (go, *words), cwd=ROOT / "sshd", capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise build.BuildError(f"go {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
