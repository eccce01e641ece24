"""A person at the laptop: kubectl with the plugin, ssh, and a namespace to work in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import until
from tests.cluster.cluster import Cluster
from tests.cluster.laptop import end
from tests.cluster.namespace import Namespace

PROFILES = ("lan", "docker-desktop")
ANSWERS_AT = {"lan": "192.168.65.3", "docker-desktop": "127.0.0.1"}
SHORT = ("--timeout", "3s")
"""For connect where nothing will ever answer, which it would wait for longer."""


class Terminal:
    """A command on a terminal: what it shows, what is typed, how it ends."""

    def __init__(self, process: subprocess.Popen[str], keyboard: FileIO) -> None:
        self._process = process
        self._keyboard = keyboard
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Wait until it shows this; raises ClusterError."""

        def is_shown() -> bool:
            self._read()
            return text in self.shown

        until(f"the words {text!r}", is_shown, timeout_s=30)

    def answer(self, text: str) -> int:
        """Type a line and wait for the command's end; its exit code."""
        self._keyboard.write(f"{text}\n".encode())
        return self.end()

    def end(self) -> int:
        """Wait for the command's end; its exit code."""
        code = self._process.wait(timeout=60)
        self._read()
        return code

    def _read(self) -> None:
        with suppress(OSError):  # EIO, when nobody has it open any more
            self.shown += (self._keyboard.read(65536) or b"").decode()


class Desk:
    """What the person types, in one namespace."""

    def __init__(self, cluster: Cluster, ns: Namespace) -> None:
        self.cluster = cluster
        self.ns = ns
        self.laptop = cluster.laptop

    @property
    def config(self) -> Path:
        """~/.ssh/config, as seen from outside."""
        return self.laptop.home / ".ssh" / "config"

    def type(
        self, *words: str, env: Mapping[str, str] | None = None, timeout_s: float = 90
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line, whatever its outcome."""
        return self.laptop.run(words, env=env, timeout_s=timeout_s)

    def nodeport(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """``kubectl nodeport WORDS -n NAMESPACE -q``: what is waited for is no test's to know."""
        return self.type("kubectl", "nodeport", *words, "-n", self.ns.name, "-q", **more)

    def connect(self, *words: str, **more: Any) -> dict[str, Any]:
        """Connect, which has to work; its JSON."""
        done = self.nodeport("connect", *words, "-o", "json", **more)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def refused(self, *words: str, **more: Any) -> str:
        """Connect, which has to fail in two lines; its stderr. Nothing may be left behind."""
        done = self.nodeport("connect", *words, **more)
        assert done.returncode == 1, (done.stdout, done.stderr)
        assert done.stdout == ""
        error, hint = done.stderr.splitlines()
        assert error.startswith("error: ")
        assert hint.startswith("hint: ")
        self.assert_nothing_left()
        return done.stderr

    def ssh(self, host: str, *command: str) -> str:
        """Log in without a question and run a command; its stdout."""
        done = self.type("ssh", "-o", "BatchMode=yes", host, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextmanager
    def terminal(self, *words: str) -> Iterator[Terminal]:
        """``kubectl nodeport WORDS -n NAMESPACE`` where a person could be asked."""
        ours, theirs = os.openpty()
        argv = ["kubectl", "nodeport", *words, "-n", self.ns.name]
        try:
            process = self.laptop.popen(argv, env={"TERM": "xterm"}, stdin=theirs, stderr=theirs)
        finally:
            os.close(theirs)
        os.set_blocking(ours, False)
        with os.fdopen(ours, "rb+", buffering=0) as keyboard:
            try:
                yield Terminal(process, keyboard)
            finally:
                end(process)

    def services(self) -> list[dict[str, Any]]:
        """The namespace's Services."""
        items: list[dict[str, Any]] = self.cluster.api.get(f"{self.ns.path}/services")["items"]
        return items

    @contextmanager
    def firewall(self) -> Iterator[None]:
        """Let the node say nothing at all to whoever knocks at a NodePort."""
        rule = ("PREROUTING", "-i", "eth0", "-p", "tcp", "--dport", "30000:32767", "-j", "DROP")
        self.cluster.run_in_node(["iptables", "-t", "mangle", "-I", *rule])
        try:
            yield
        finally:
            self.cluster.run_in_node(["iptables", "-t", "mangle", "-D", *rule])

    def assert_nothing_left(self, *, but_backups: bool = False) -> None:
        """No Service, no label, no annotation, no file of ours.

        :param but_backups: where ~/.ssh/config was written, its copy of the day stays.
        """
        assert self.services() == []
        for pod in self.cluster.api.get(f"{self.ns.path}/pods")["items"]:
            ours = [k for k in pod["metadata"].get("labels", {}) if "nodeport" in k]
            ours += [k for k in pod["metadata"].get("annotations", {}) if "nodeport" in k]
            assert ours == []
        folder = self.config.parent
        leftover = {path.name for path in (*folder.glob(".config*"), *folder.glob("*/*"))}
        if but_backups:
            leftover = {name for name in leftover if not name.endswith(".bak")}
        assert leftover <= {".config.kubectl-nodeport.lock"}, "a lock that is removed is none"


@pytest.fixture
def desk(cluster: Cluster, ns: Namespace) -> Desk:
    """A fresh home and a fresh namespace, in Docker Desktop's shape unless the test says else."""
    cluster.use("docker-desktop")
    return Desk(cluster, ns)


@pytest.fixture(params=PROFILES)
def anywhere(request: pytest.FixtureRequest, cluster: Cluster, ns: Namespace) -> Desk:
    """A desk in each network profile."""
    cluster.use(request.param)
    return Desk(cluster, ns)
