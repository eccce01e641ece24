"""Waiting for a cluster that is starting: its API, its images, its node."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.cluster import node
from tests.cluster.api import Api, ApiError, until
from tests.cluster.namespaces import entering
from tests.cluster.process import ClusterError, ProcessId, run


def wait(api: Api, holder: ProcessId, log: Path, images: tuple[Path, ...]) -> None:
    """Wait until pods can be scheduled and their images are there.

    Raises ClusterError with the end of a program's log when it has ended.
    """
    failed: list[ClusterError] = []
    importing = threading.Thread(target=_import, args=(holder, images, failed))
    importing.start()
    try:
        until("a node ready for pods", lambda: _watchful(api, log))
    finally:
        importing.join()
    if failed:
        raise failed[0]


def _import(holder: ProcessId, images: tuple[Path, ...], failed: list[ClusterError]) -> None:
    """Load the images as soon as containerd answers; it takes a second or so to start."""
    deadline = time.monotonic() + 60
    for image in images:
        while True:
            try:
                run([*entering(holder, *node.NAMESPACES), *node.image_import(image)])
                break
            except ClusterError as error:
                if time.monotonic() > deadline:
                    failed.append(error)
                    return
                time.sleep(0.1)


def _watchful(api: Api, log: Path) -> bool:
    exits = log / "exits"
    if exits.exists():
        name, status = exits.read_text().splitlines()[0].split()
        said = (log / f"{name}.log").read_text(errors="replace")
        raise ClusterError(f"{name} ended with {status}: {said[-2000:]}")
    return _schedulable(api)


def _schedulable(api: Api) -> bool:
    try:
        found = api.get(f"/api/v1/nodes/{node.NAME}")
    except ClusterError:  # no such node yet, or nothing listens yet
        return False
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in found["status"].get("conditions", [])
    )
    return ready and not found["spec"].get("taints") and _has_account(api)


def _has_account(api: Api) -> bool:
    """Whether pods are let into the namespace `default`."""
    try:
        api.get("/api/v1/namespaces/default/serviceaccounts/default")
    except ApiError:
        return False
    return True
