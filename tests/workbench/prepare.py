"""What a machine needs for the workbench, besides what it needs for the cluster."""

from __future__ import annotations

from tests.cluster.prepare import install_packages, missing_packages
from tests.workbench import browser, jupyter, server

PACKAGES = (
    "chromium",
    "fonts-dejavu-core",
    "g++",
    "make",
)
"""Debian packages: the browser, and what native modules of VS Code's server are built with."""


def missing() -> str | None:
    """The Debian packages that are missing, as a reason to skip a test, or None."""
    packages = missing_packages(PACKAGES)
    return f"a browser and an editor need {', '.join(packages)}" if packages else None


def prepare() -> None:
    """Install and make everything, from the cache where it is there; raises ClusterError."""
    install_packages(PACKAGES)
    make()


def make() -> None:
    """Make what is not a Debian package; raises ClusterError."""
    server.archive()
    jupyter.folder()
    browser.library()
