"""Fixtures around the real Kubernetes of tests/cluster, and a guard over the real home."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import settings

from tests.cluster import guard, plugin, versions
from tests.cluster.build import trixie_image
from tests.cluster.cluster import Cluster, free_name
from tests.cluster.laptop import Laptop
from tests.cluster.namespace import Namespace
from tests.cluster.node import KIND, RANCHER_DESKTOP
from tests.cluster.prepare import missing, reason_to_skip
from tests.cluster.process import ClusterError

# Deadlines measure the machine, and others work on it while tests run.
settings.register_profile("here", deadline=None)
settings.load_profile("here")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options about the cluster."""
    group = parser.getgroup("cluster")
    group.addoption(
        "--require-cluster",
        action="store_true",
        help="fail where tests on the real cluster would be skipped",
    )
    group.addoption(
        "--cluster",
        metavar="NAME",
        help="use a cluster that is up (python -m tests.cluster up) instead of starting one",
    )
    group.addoption(
        "--plugin",
        metavar="FOLDER",
        type=lambda folder: Path(folder).resolve(),
        help="test the kubectl-nodeport of this folder instead of installing these sources",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run on this system."""
    for name, is_here in (("posix", os.name == "posix"), ("linux", sys.platform == "linux")):
        for item in items:
            if item.get_closest_marker(name) and not is_here:
                item.add_marker(pytest.mark.skip(reason=f"needs a system that is {name}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each reason what was skipped, not once for each test."""
    skipped = terminalreporter.stats.get("skipped", ())
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} skipped: {reason}")


@pytest.fixture(scope="session", autouse=True)
def _real_home_untouched() -> Iterator[None]:
    before = guard.snapshot()
    yield
    changed = guard.changes(before)
    assert not changed, f"the tests touched the real home: {'; '.join(changed)}"


@pytest.fixture(scope="session")
def plugin_folder(pytestconfig: pytest.Config) -> Path:
    """The folder with the plugin, for a laptop's PATH, where this machine can have clusters."""
    reason = reason_to_skip()
    if reason is None and missing():
        reason = f"run `python -m tests.cluster prepare` first, for {', '.join(missing())}"
    if reason:
        if pytestconfig.getoption("--require-cluster"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    given: Path | None = pytestconfig.getoption("--plugin")
    with _telling(pytestconfig):
        return given or plugin.installed()


@pytest.fixture(scope="session")
def cluster(plugin_folder: Path, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """The cluster of this run, with the plugin on the laptop's PATH."""
    name = pytestconfig.getoption("--cluster")
    with _telling(pytestconfig):
        running = Cluster.attach(name) if name else Cluster.start(_name("test"))
    running.laptop.path_prepend.append(plugin_folder)
    try:
        yield running
    finally:
        if not name:
            running.down()


@pytest.fixture(scope="session")
def dual_stack_cluster(plugin_folder: Path, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A cluster of both IP families, IPv4 the primary one."""
    yield from _another("dual", plugin_folder, pytestconfig, ip_families=("IPv4", "IPv6"))


@pytest.fixture(scope="session")
def ipv6_cluster(plugin_folder: Path, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A cluster of IPv6 alone."""
    yield from _another("ipv6", plugin_folder, pytestconfig, ip_families=("IPv6",))


@pytest.fixture(scope="session")
def kind_cluster(plugin_folder: Path, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A cluster whose node is the one of Docker Desktop's kind mode; profiles come as usual."""
    yield from _another("kind", plugin_folder, pytestconfig, identity=KIND)


@pytest.fixture(scope="session")
def lima_cluster(plugin_folder: Path, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A cluster whose node is Rancher Desktop's, in a Lima machine; profiles come as usual."""
    yield from _another("lima", plugin_folder, pytestconfig, identity=RANCHER_DESKTOP)


@pytest.fixture(scope="module")
def newer_cluster(plugin_folder: Path, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A cluster of the newer Kubernetes, its kubectl too, which ends with the module."""
    yield from _another("newer", plugin_folder, pytestconfig, kubernetes=versions.NEWER)


def _telling(pytestconfig: pytest.Config) -> AbstractContextManager[None]:
    """Let a first build, which takes minutes, tell of it; setup.cfg keeps fixtures out of the
    timeout.
    """
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    told: AbstractContextManager[None] = capture.global_and_fixture_disabled()
    return told


def _name(stem: str) -> str:
    """A name that no other run has, nor another process of this one."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return free_name(f"{stem}-{worker}" if worker else stem)


def _another(
    stem: str, plugin_folder: Path, pytestconfig: pytest.Config, **options: Any
) -> Iterator[Cluster]:
    """One more cluster for this run, with the plugin on its laptop's PATH."""
    with _telling(pytestconfig):
        running = Cluster.start(_name(stem), **options)
    running.laptop.path_prepend.append(plugin_folder)
    running.reset_home()
    with running:
        yield running


@pytest.fixture(scope="session")
def trixie() -> Literal["trixie"]:
    """The word for pods of Debian trixie, whose image is built by now."""
    try:
        trixie_image()
    except ClusterError as error:
        pytest.skip(str(error))
    return "trixie"


@pytest.fixture
def laptop(cluster: Cluster) -> Laptop:
    """The laptop with a new home, in the network profile that is in use; see Cluster.use()."""
    cluster.reset_home()
    return cluster.laptop


@pytest.fixture
def ns(cluster: Cluster, laptop: Laptop) -> Iterator[Namespace]:  # noqa: ARG001 its key goes first
    """A fresh Kubernetes namespace; its pods let the laptop's key in."""
    with cluster.namespace() as fresh:
        yield fresh
