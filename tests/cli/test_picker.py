"""The picker on a real pseudo-terminal; stdout is a pipe, as in `-o json | jq`."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubectl_nodeport.cli import picker
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.target import Target
from tests.commands.fake_api import FakeApi
from tests.commands.world import World
from tests.kube import make
from tests.posix import pseudo_terminal, terminal_modes

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.posix
DOWN, UP, ENTER, ESCAPE, CTRL_C = "\x1b[B", "\x1b[A", "\r", "\x1b", "\x03"
PATIENCE_S = 20.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HUE = re.compile(r"\x1b\[(?:[0-9;]+;)?(?:3|4|9|10)[0-8][0-9;]*m")

# A pod's name comes checked from the cluster; here it may be anything. A polite kill unwinds, as
# in __main__.
ASK = """
import signal, sys
signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
from kubectl_nodeport.cli.picker import pick
from kubectl_nodeport.kube.pod import Pod
from tests.kube import make
documents = [make.pod(name, conditions=[]) for name in sys.argv[1:]]
try:
    print(pick([Pod.of(document) for document in documents], "Which pod?"))
except KeyboardInterrupt:
    sys.exit(130)
"""


CHOOSE = """
import sys
from kubectl_nodeport.cli.picker import choose
print(choose("Which key?", sys.argv[1:]))
"""


class Terminal:
    """Someone at a terminal of 24 lines, in front of the picker.

    :ivar drawn: all that was written to the terminal; ``seen`` is that without colours.
    """

    def __init__(self, *names: str, asks: str = ASK, **environment: str) -> None:
        self.master, slave = pseudo_terminal(columns=100)
        self.modes = terminal_modes(slave)
        self.process = subprocess.Popen(
            [sys.executable, "-c", asks, *names],
            cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            start_new_session=True,
        )
        self.slave = slave
        self.drawn = ""

    def until(self, text: str) -> None:
        """Read until a text is drawn."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            assert self._read(deadline), f"{text!r} is not drawn, but {self.seen!r}"

    def _read(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.master], [], [], left)[0]:
            return False
        drawn = os.read(self.master, 65536).decode()
        if "\x1b[6n" in drawn:  # where is the cursor?
            self.press("\x1b[1;1R")
        self.drawn += drawn
        return True

    @property
    def seen(self) -> str:
        return COLOUR.sub("", self.drawn)

    def press(self, *keys: str) -> None:
        for key in keys:
            os.write(self.master, key.encode())

    def answer(self) -> tuple[int, str]:
        """The exit code and what is on stdout, once the process has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(min(deadline, time.monotonic() + 0.05))
        while self._read(time.monotonic() + 0.05):
            pass
        assert self.process.returncode is not None, f"still running: {self.seen!r}"
        assert self.process.stdout
        return self.process.returncode, self.process.stdout.read().decode()


@contextlib.contextmanager
def terminal(*names: str, asks: str = ASK, **environment: str) -> Iterator[Terminal]:
    made = Terminal(*names, asks=asks, **environment)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        assert made.process.stdout
        made.process.stdout.close()
        os.close(made.master)
        os.close(made.slave)


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ((ENTER,), "api"),
        ((DOWN, ENTER), "db"),
        ((UP, ENTER), "web"),
        (("3", ENTER), "web"),
        (("3", "2", ENTER), "db"),
        (("x", "9", ENTER), "api"),
    ],
)
def test_arrows_and_numbers(keys: tuple[str, ...], name: str) -> None:
    with terminal("api", "db", "web") as someone:
        someone.until("web")
        someone.press(*keys)
        assert someone.answer() == (0, f"{name}\n")
        assert someone.seen.count("3) web") >= 1
        assert terminal_modes(someone.slave) == someone.modes


def test_one_of_several_keys() -> None:
    with terminal("~/.ssh/a", "~/.ssh/b\x1b[2J", asks=CHOOSE) as someone:
        someone.until("~/.ssh/b?[2J")
        someone.press(DOWN, ENTER)
        assert someone.answer() == (0, "1\n")


@pytest.mark.parametrize("key", [ESCAPE, CTRL_C])
def test_leaving(key: str) -> None:
    with terminal("api", "db") as someone:
        someone.until("db")
        someone.press(key)
        assert someone.answer() == (130, "")
        assert terminal_modes(someone.slave) == someone.modes


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_interrupted_from_elsewhere(number: signal.Signals, code: int) -> None:
    with terminal("api", "db") as someone:
        someone.until("db")
        someone.process.send_signal(number)
        assert someone.answer() == (code, "")
        assert terminal_modes(someone.slave) == someone.modes


def test_many_pods_are_filtered_by_what_is_typed() -> None:
    names = [f"web-{n}" for n in range(200)]
    with terminal(*names) as someone:
        someone.until("web-9")
        assert "web-100" not in someone.seen  # the window is 24 lines high
        someone.press(*"-17")
        someone.until("-17...")
        someone.press(DOWN, ENTER)
        assert someone.answer() == (0, "web-170\n")


def test_names_cannot_write_to_the_terminal() -> None:
    with terminal("api", "evil\x1b]0;owned\x07\nfaked") as someone:
        someone.until("faked")
        someone.press(CTRL_C)
        someone.answer()
        assert "evil?]0;owned? faked" in someone.seen
        assert "\x1b]0;" not in someone.drawn


@pytest.mark.parametrize(("no_color", "coloured"), [("1", False), ("", True)])
def test_no_color(no_color: str, coloured: bool) -> None:
    with terminal("api", "db", NO_COLOR=no_color) as someone:
        someone.until("db")
        someone.press(ENTER)
        assert someone.answer() == (0, "api\n")
        assert bool(HUE.search(someone.drawn)) is coloured


@pytest.mark.parametrize(
    ("stdin", "stderr", "term", "possible"),
    [
        (True, True, "xterm", True),
        (True, True, "dumb", False),
        (False, True, "xterm", False),
        (True, False, "xterm", False),
    ],
)
def test_only_a_terminal_is_asked(stdin: bool, stderr: bool, term: str, possible: bool) -> None:
    code = "from kubectl_nodeport.cli.picker import is_possible; print(is_possible())"
    master, slave = pseudo_terminal()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TERM": term},
        stdin=slave if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave if stderr else subprocess.DEVNULL,
        check=True,
    )
    os.close(master)
    os.close(slave)
    assert done.stdout.decode() == f"{possible}\n"


class TestAskTarget:
    def test_single_pod_is_taken_and_told(self) -> None:
        world = World(FakeApi(make.pod("dev"), make.pod("done", phase="Succeeded", uid="x")))
        edges = world.edges
        assert picker.ask_target(edges, "me") == Target("dev", "me")
        assert edges.notes == [
            'using pod/dev, the only one that runs in the namespace "default" '
            'of the context "docker-desktop"'
        ]

    def test_no_pod(self) -> None:
        world = World(FakeApi(make.pod("done", phase="Failed")))
        with pytest.raises(NodeportError) as caught:
            picker.ask_target(world.edges)
        assert caught.value.message == (
            "a pod is needed, and none that could be connected to runs in "
            'the namespace "default" of the context "docker-desktop"'
        )
        assert caught.value.hint.startswith("kubectl get pods -n default lists them")
