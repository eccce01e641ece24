"""Waiting for a cluster that is starting: its API, its images, its node."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.cluster import node
from tests.cluster.api import Api, ApiError, until
from tests.cluster.namespaces import entering
from tests.cluster.process import ClusterError, ProcessId, run

_UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"


def wait(api: Api, holder: ProcessId, plan: node.Plan) -> None:
    """Wait until pods can be scheduled and their images are there.

    Raises ClusterError with the end of a program's log when it has ended.
    """
    name, log = plan.identity.name, plan.state / "log"
    images = (plan.built.pause_image, plan.built.sshd_image)
    failed: list[ClusterError] = []
    importing = threading.Thread(target=_import, args=(holder, images, failed))
    importing.start()
    try:
        until("a node ready for pods", lambda: _watchful(api, name, log))
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


def _watchful(api: Api, name: str, log: Path) -> bool:
    exits = log / "exits"
    if exits.exists():
        program, status = exits.read_text().splitlines()[0].split()
        said = (log / f"{program}.log").read_text(errors="replace")
        raise ClusterError(f"{program} ended with {status}: {said[-2000:]}")
    return _schedulable(api, name)


def _schedulable(api: Api, name: str) -> bool:
    try:
        found = api.get(f"/api/v1/nodes/{name}")
    except ClusterError:  # no such node yet, or nothing listens yet
        return False
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in found["status"].get("conditions", [])
    )
    taints = found["spec"].get("taints", [])
    others = [taint for taint in taints if taint["key"] != _UNINITIALIZED]
    if len(others) < len(taints):  # what a cloud's controller would do
        patch = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}}
        with suppress(ApiError):  # it has just changed; the next look finds it again
            api.patch(f"/api/v1/nodes/{name}", {**patch, "spec": {"taints": others}})
        return False
    return ready and not taints and _has_account(api)


def _has_account(api: Api) -> bool:
    """Whether pods are let into the namespace `default`."""
    try:
        api.get("/api/v1/namespaces/default/serviceaccounts/default")
    except ApiError:
        return False
    return True
