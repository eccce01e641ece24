"""Building what the cluster runs: one Kubernetes binary and two images, each kept in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.cluster import bare, image, versions
from tests.cluster.cache import cached
from tests.cluster.prepare import architecture, go_program
from tests.cluster.process import ClusterError
from tests.cluster.versions import Kubernetes

COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
)

_LONGEST_BUILD_S = 40 * 60
"""A build that is not alone on its machine takes half an hour; CI ends after 90 minutes in all."""


@dataclass(frozen=True, slots=True)
class Built:
    """Where the parts are."""

    components: Path
    """Folder with kube-apiserver, kubelet and so on."""
    kubectl: Path
    """Folder with kubectl alone, for a PATH."""
    pause_image: Path
    """An archive for `ctr image import`, as the other."""
    sshd_image: Path


def build(kubernetes: Kubernetes = versions.DEFAULT) -> Built:
    """Everything, from the cache where it is there; minutes where it is not."""
    images = _images()
    binaries = _hyperkube(kubernetes)
    return Built(
        binaries / "components", binaries / "bin", images / "pause.tar", images / "sshd.tar"
    )


def _hyperkube(kubernetes: Kubernetes) -> Path:
    pinned = kubernetes.go_mod
    sources = (pinned, pinned.with_suffix(".sum"), *sorted(versions.HYPERKUBE.rglob("*.go")))
    major, minor = kubernetes.minor.split(".")
    told = {"gitVersion": kubernetes.version, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(
        ("-s -w", *(f"-X k8s.io/component-base/version.{key}={told[key]}" for key in told))
    )
    ingredients = [flags, architecture(), *(path.read_text() for path in sources)]

    def make(folder: Path) -> None:
        title = f"building Kubernetes {kubernetes.version} (the first time takes some 10 minutes)"
        _go_build(title, pinned, "-ldflags", flags, "-o", str(folder / "hyperkube"), ".")
        pause = ("-ldflags", "-s -w", "-o", str(folder / "pause"), "./pause")
        _go_build("building pause", pinned, *pause)
        for name in COMPONENTS:
            _link(folder / "components" / name)
        _link(folder / "bin" / "kubectl")

    return cached("kubernetes", ingredients, make)


def _link(name: Path) -> None:
    name.parent.mkdir(exist_ok=True)
    name.symlink_to("../hyperkube")


def _go_build(title: str, pinned: Path, *arguments: str) -> None:
    """Run `go build` with a go.mod file, which is silent for minutes, with a sign of life.

    Its work folder and caches are Go's ordinary ones: who has built Kubernetes before is quick.
    Raises ClusterError.
    """
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    argv = [str(go_program()), "build", "-v", "-trimpath", "-modfile", str(pinned), *arguments]
    with tempfile.TemporaryFile("w+") as output, _progress(title, output):
        try:
            done = subprocess.run(
                argv, cwd=versions.HYPERKUBE, env=env, stdout=output, stderr=output, check=False,
                timeout=_LONGEST_BUILD_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"{error}; another try goes on where this one ended") from error
        if done.returncode:
            output.seek(0)
            raise ClusterError(f"{' '.join(argv)}: {output.read()[-3000:]}")


@contextmanager
def _progress(title: str, output: IO[str] | None = None) -> Iterator[None]:
    """Say on stderr what is done, then each 15 s for how long, and how many packages Go built."""
    started = time.monotonic()
    finished = threading.Event()

    def packages() -> str:
        if output is None:
            return ""
        lines = os.pread(output.fileno(), 1 << 20, 0).count(b"\n")
        return f", {lines} packages"

    def report() -> None:
        while not finished.wait(15):
            print(f"  {time.monotonic() - started:.0f} s{packages()}", file=sys.stderr, flush=True)

    print(title, file=sys.stderr, flush=True)
    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _images() -> Path:
    pause = _hyperkube(versions.DEFAULT) / "pause"  # the same whatever the version
    suite = image.release()["VERSION_CODENAME"]
    ingredients = [*_image_ingredients(suite), pause.parent.name]

    def make(folder: Path) -> None:
        root = folder / "root.tar"
        with _progress("building the images: pause, and Debian with sshd"):
            image.one_file_root(pause, root)
            _archive(folder / "pause.tar", root, versions.PAUSE_IMAGE, "/pause")
            image.debian_root(root, suite)
            _archive(folder / "sshd.tar", root, versions.SSHD_IMAGE, "bash")

    return cached("images", ingredients, make)


def trixie_image() -> Path:
    """An archive of TRIXIE_IMAGE; raises ClusterError where no trixie can be had."""
    if image.release()["ID"] != "debian":
        raise ClusterError("the machine's package sources have no Debian trixie")

    def make(folder: Path) -> None:
        root = folder / "root.tar"
        with _progress("building the image of Debian trixie with sshd"):
            image.debian_root(root, "trixie")
            _archive(folder / "sshd.tar", root, versions.TRIXIE_IMAGE, "bash")

    return cached("trixie", _image_ingredients("trixie"), make) / "sshd.tar"


def bare_image() -> Path:
    """An archive of BARE_IMAGE, for a containerd that has SSHD_IMAGE."""
    below = _images() / "sshd.tar"

    def make(folder: Path) -> None:
        name = versions.BARE_IMAGE
        bare.without_ssh(folder / "bare.tar", below, name=name, architecture=architecture())

    ingredients = [Path(bare.__file__).read_text(), below.parent.name]
    return cached("bare", ingredients, make) / "bare.tar"


def busybox_image() -> Path:
    """An archive of BUSYBOX_IMAGE."""

    def make(folder: Path) -> None:
        name = versions.BUSYBOX_IMAGE
        bare.busybox(folder / "busybox.tar", name=name, architecture=architecture())

    ingredients = [Path(bare.__file__).read_text(), image.release()["VERSION_CODENAME"]]
    return cached("busybox", ingredients, make) / "busybox.tar"


def _image_ingredients(suite: str) -> list[str]:
    return [Path(image.__file__).read_text(), *versions.IMAGE_PACKAGES, suite]


def _archive(target: Path, root: Path, name: str, command: str) -> None:
    """Make the image, and remove the tar file it is made from."""
    image.docker_archive(target, root, name=name, command=[command], architecture=architecture())
    root.unlink()
