"""The archive as users get it: checked, installed, upgraded and removed by krew itself.

``make krew-test`` runs this, after `make package`. On the laptop's PATH are krew's programs,
kubectl and what a machine has, but no Python: the program in the archive brings its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from kubectl_nodeport import __version__
from release import manifest
from release.package import LARGEST, archive_name, platform_name
from tests.cluster.cluster import Cluster
from tests.cluster.laptop import REPOSITORY, Laptop
from tests.cluster.process import run
from tests.e2e.conftest import Desk, desk
from tests.krew.build import krew

__all__ = ["desk"]

pytestmark = pytest.mark.cluster

NEXT = "99.0.0"
"""What the next version is called."""
_NO_PYTHON = re.compile(r"(python|pydoc|pip|py3)")
_SYSTEM = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_NOT_COPIED = shutil.ignore_patterns(".venv", "build", "dist", "__pycache__", ".*_cache")


@dataclass(frozen=True)
class Archives:
    """The archive of this checkout, the same once more, and that of the next version."""

    this: Path
    again: Path
    next: Path


def _packaged(folder: Path, version: str = __version__) -> Path:
    """The archive of a copy of this checkout, perhaps of another version."""
    shutil.copytree(REPOSITORY, folder / "checkout", symlinks=True, ignore=_NOT_COPIED)
    package = folder / "checkout" / "kubectl_nodeport" / "__init__.py"
    package.write_text(package.read_text().replace(f'"{__version__}"', f'"{version}"'))
    python = REPOSITORY / "build" / "package-venv" / "bin" / "python"
    words = [str(python), "-m", "release.package", "--output", str(folder / "archives")]
    run(words, cwd=folder / "checkout", timeout_s=900)
    return folder / "archives" / archive_name(version, platform_name())


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    this = REPOSITORY / "dist" / archive_name(__version__, platform_name())
    assert this.is_file(), "make package comes first"
    again, later = (tmp_path_factory.mktemp(name) for name in ("again", "next"))
    with ThreadPoolExecutor() as both:
        builds = both.submit(_packaged, again), both.submit(_packaged, later, NEXT)
        return Archives(this, *(build.result() for build in builds))


@pytest.fixture(scope="module")
def tools(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PATH in one folder: all that this machine has, but Python, and kubectl and krew."""
    folder = tmp_path_factory.mktemp("tools")
    first = (krew(), cluster.laptop.path_prepend[0])
    for place in (*first, *map(Path, _SYSTEM)):
        for program in place.iterdir() if place.is_dir() else ():
            link = folder / program.name
            is_wanted = not _NO_PYTHON.match(program.name) and "nodeport" not in program.name
            if is_wanted and not link.is_symlink():
                link.symlink_to(program)
    return folder


class Krew:
    """A person who installs plugins by krew, and works with them."""

    def __init__(self, desk: Desk, tools: Path, say: Any) -> None:
        self.desk = desk
        self._tools = tools
        self._say = say
        self.env = {
            "PATH": f"{self.root}/bin:{tools}",
            "KREW_NO_UPGRADE_CHECK": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    @property
    def laptop(self) -> Laptop:
        return self.desk.laptop

    @property
    def root(self) -> Path:
        """krew's folder, as seen inside."""
        return self.laptop.inside(self.laptop.home / ".krew")

    def type(
        self, *words: str | Path, env: dict[str, str] | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line, show it and what came of it; it has to end so."""
        done = self.laptop.run(words, env={**self.env, **(env or {})}, timeout_s=180)
        shown = " ".join(str(word) for word in words)
        self._say(f"\n$ {shown}\n{done.stdout}{done.stderr}")
        assert done.returncode == code, (shown, done.stdout, done.stderr)
        return done

    def krew(self, *words: str | Path) -> str:
        done = self.type("kubectl", "krew", *words)
        return done.stdout + done.stderr

    def nodeport(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return self.type("kubectl", "nodeport", *words, **more)

    def ssh(self, host: str, *command: str) -> str:
        return self.type("ssh", "-o", "BatchMode=yes", host, *command).stdout.strip()

    def alias(self, pod: str) -> str:
        """What connect calls a pod of the namespace."""
        return f"{pod}.{self.desk.ns.name}.{self.desk.cluster.profile.context}"

    def installed(self) -> list[str]:
        """The files in the folder of the version that is installed."""
        store = self.laptop.outside(self.root) / "store" / "nodeport"
        (version,) = store.iterdir()
        return sorted(path.name for path in version.iterdir())


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    """Prints what is to be seen in the output of the run."""

    def told(text: str) -> None:
        with capsys.disabled():
            print(text.rstrip("\n"))

    return told


@pytest.fixture
def person(desk: Desk, tools: Path, say: Any, tmp_path: Path) -> Krew:
    made = Krew(desk, tools, say)
    # One at a time: dash looks at the first name alone.
    names = "python3 python kubectl-nodeport"
    made.type("sh", "-c", f"for name in {names}; do ! command -v $name || exit 1; done")
    # krew removes nothing before it knows an index; the real one is out of reach.
    (tmp_path / "default" / "plugins").mkdir(parents=True)
    (tmp_path / "default" / "plugins" / ".keep").touch()
    commit(tmp_path / "default", "nothing yet")
    made.krew("index", "add", "default", f"file://{tmp_path / 'default'}")
    return made


@pytest.fixture
def served(person: Krew, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL under which the laptop has what is in it."""
    folder = tmp_path / "served"
    folder.mkdir()
    words = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    server = person.laptop.service([sys.executable, *words], tmp_path / "served.log")
    port = re.search(r"port (\d+)", (tmp_path / "served.log").read_text())
    assert port is not None
    yield folder, f"http://127.0.0.1:{port[1]}"
    server.kill()
    server.wait()


def commit(folder: Path, message: str) -> None:
    """Commit what is in a folder, as a git repository such as krew's indexes are."""
    git = ["git", "-C", str(folder), "-c", "user.name=T", "-c", "user.email=t@example.com"]
    run([*git, "init", "--quiet", "--initial-branch=master"])
    run([*git, "add", "."])
    run([*git, "commit", "--quiet", "-m", message])


def publish(index: Path, file: Path, message: str) -> None:
    """Put a manifest into an index."""
    (index / "plugins").mkdir(parents=True, exist_ok=True)
    shutil.copy(file, index / "plugins")
    commit(index, message)


def manifest_for(archive: Path, version: str, url: str, into: Path) -> Path:
    """krew's manifest for an archive that is served there; its file has the plugin's name."""
    shutil.copy(archive, into)
    text = manifest.render(manifest.TEMPLATE.read_text(), f"v{version}", into, url)
    (into / "nodeport.yaml").write_text(text)
    return into / "nodeport.yaml"


def test_archive(archives: Archives, say: Any) -> None:
    """Small, without links, with its licences, and the same when it is made elsewhere."""
    content = archives.this.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    again = hashlib.sha256(archives.again.read_bytes()).hexdigest()
    say(f"\n{archives.this.name}: {len(content) / 1e6:.1f} MB of {LARGEST / 1e6:.0f}")
    say(f"sha256 {digest}\nmade again in another folder: sha256 {again}")
    assert len(content) <= LARGEST
    assert digest == again
    assert _listed(archives.this) == _listed(archives.again)
    with tarfile.open(archives.this) as packed:
        entries = {one.name: one for one in packed}
    assert {one.type for one in entries.values()} == {tarfile.REGTYPE}
    assert {"LICENSE", "THIRD-PARTY-LICENSES", "kubectl-nodeport"} <= set(entries)
    assert entries["kubectl-nodeport"].mode == 0o755


def _listed(archive: Path) -> str:
    """What is said to be in an archive."""
    return archive.with_name(f"{archive.name}.spdx.json").read_text()


def test_manifest_is_what_the_index_takes(
    person: Krew, served: tuple[Path, str], archives: Archives
) -> None:
    folder, url = served
    file = manifest_for(archives.this, __version__, url, folder)
    person.type("validate-krew-manifest", "-manifest", file)


def test_installed_from_a_file(
    person: Krew, served: tuple[Path, str], archives: Archives, say: Any
) -> None:
    folder, url = served
    file = manifest_for(archives.this, __version__, url, folder)
    told = person.krew("install", f"--manifest={file}", f"--archive={archives.this}")
    assert "The OpenSSH client (ssh) has to be installed." in told
    assert {"LICENSE", "kubectl-nodeport"} <= set(person.installed())
    told = json.loads(person.nodeport("version", "-o", "json").stdout)
    assert told["version"] == __version__
    assert re.fullmatch(r"v1\.\d+\.\d+", told["server"])
    _say_times(person, say)
    assert person.type("kubectl-nodeport", "__complete", "versi").stdout.startswith("version\t")
    person.desk.ns.pod("dev")
    person.nodeport("connect", "dev", "-n", person.desk.ns.name)
    alias = person.alias("dev")
    assert person.ssh(alias, "hostname") == "dev"
    person.nodeport("disconnect", alias)
    person.krew("uninstall", "nodeport")
    person.type("sh", "-c", "command -v kubectl-nodeport", code=127)
    assert person.desk.services() == []


def _say_times(person: Krew, say: Any) -> None:
    """As ratios, in turns: this machine may have much else to do."""

    def once(*words: str) -> float:
        begun = time.perf_counter()
        person.laptop.run(words, env=person.env, check=True)
        return time.perf_counter() - begun

    program = str(person.root / "bin" / "kubectl-nodeport")
    commands = (
        ("kubectl", "version", "--client"),
        (program, "--help"),
        (program, "version", "--client"),
        ("kubectl", "get", "services"),
        (program, "get"),
    )
    rounds = [[once(*command) for command in commands] for _ in range(15)]
    kubectl, shown, told, listed, got = (median(times) for times in zip(*rounds, strict=True))
    say(f"\nkubectl version --client takes {kubectl * 1000:.0f} ms")
    say(f"kubectl-nodeport --help {shown / kubectl:.2f} times that, version {told / kubectl:.2f}")
    say(f"kubectl get services takes {listed * 1000:.0f} ms, ours {got / listed:.2f} times that")


def test_upgraded_from_an_index_of_ones_own(
    person: Krew, served: tuple[Path, str], archives: Archives, tmp_path: Path
) -> None:
    """The entry of a tunnel names krew's link, which stays when the version behind it is gone."""
    folder, url = served
    index = tmp_path / "index"
    publish(index, manifest_for(archives.this, __version__, url, folder), "first")
    person.krew("index", "add", "ours", f"file://{index}")
    person.krew("install", "ours/nodeport")
    person.desk.ns.pod("dev")
    person.nodeport("connect", "dev", "--via", "tunnel", "-n", person.desk.ns.name)
    alias = person.alias("dev")
    assert (
        f"ProxyCommand {person.root}/bin/kubectl-nodeport proxy" in person.desk.config.read_text()
    )
    assert person.ssh(alias, "hostname") == "dev"
    publish(index, manifest_for(archives.next, NEXT, url, folder), "next")
    person.krew("upgrade")
    assert f"kubectl-nodeport {NEXT}" in person.nodeport("--version").stdout
    store = person.laptop.outside(person.root) / "store" / "nodeport"
    assert [path.name for path in store.iterdir()] == [f"v{NEXT}"]
    assert person.ssh(alias, "hostname") == "dev"
    connected = person.nodeport("ssh", "dev", "-n", person.desk.ns.name, "--", "hostname")
    assert connected.stdout == "dev\n", "ssh is started by a bundle, and starts it again"
    person.krew("uninstall", "nodeport")
    person.krew("index", "remove", "ours")


def test_credential_plugin_with_libraries_of_its_own(
    person: Krew, served: tuple[Path, str], archives: Archives
) -> None:
    """openssl prints the credential; its loader writes down where it found libcrypto."""
    folder, url = served
    file = manifest_for(archives.this, __version__, url, folder)
    person.krew("install", f"--manifest={file}", f"--archive={archives.this}")
    kubeconfig = person.desk.cluster.kubeconfig()
    (user,) = kubeconfig["users"]
    api = "client.authentication.k8s.io/v1"
    status = {"token": user["user"]["token"]}
    text = json.dumps({"apiVersion": api, "kind": "ExecCredential", "status": status})
    home = person.laptop.home
    credential = person.laptop.write(home / "credential", text)
    env = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(person.laptop.inside(home / "loaded"))}
    user["user"] = {
        "exec": {
            "apiVersion": api,
            "command": "openssl",
            "args": ["enc", "-none", "-in", str(credential)],
            "env": [{"name": name, "value": value} for name, value in env.items()],
            "interactiveMode": "Never",
        }
    }
    named = person.laptop.write(home / "with-plugin", json.dumps(kubeconfig))
    own = {"LD_LIBRARY_PATH": str(person.laptop.inside(home / "own-libraries"))}
    done = person.nodeport("get", "--kubeconfig", str(named), "-n", "default", env=own)
    assert "error" not in done.stderr
    (written,) = home.glob("loaded.*")
    loaded = written.read_text()
    assert "libcrypto" in loaded
    assert "own-libraries" in loaded, "what the user has set is heard"
    assert "_internal" not in loaded
