"""What is waited for, on a real pseudo-terminal and elsewhere."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.resolution import Outcome, Verdict
from kubectl_nodeport.address.resolution import Progress as News
from kubectl_nodeport.cli.progress import Progress
from kubectl_nodeport.cli.render.waiting import for_address
from tests.posix import pseudo_terminal

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
FOR_EVER_S = 1e6
HUE = re.compile(r"\x1b\[(?:[0-9;]+;)?(?:3|4|9|10)[0-8](?:[0-9;]*)m")


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"not seen: {what}"
        time.sleep(0.01)


class TestElsewhere:
    """No terminal: lines that stay."""

    def test_what_lasts_is_told_once(self) -> None:
        stream = io.StringIO()
        progress = Progress(stream, patience_s=0)
        for _ in range(2):
            with progress.step("waiting\x1b[2J\nfor it") as step:
                until(lambda: "for it" in stream.getvalue(), "the step")
                step.say("waiting for more", "refused")
                until(lambda: "more" in stream.getvalue(), "what it has come to")
        progress.close()
        assert stream.getvalue() == "waiting?[2J for it\nwaiting for more\n"

    def test_what_does_not_last_is_not_told(self) -> None:
        stream = io.StringIO()
        progress = Progress(stream, patience_s=FOR_EVER_S)
        with progress.step("a moment"):
            time.sleep(0.1)
        progress.close()
        assert stream.getvalue() == ""

    def test_steps_that_overlap_in_threads(self) -> None:
        stream = io.StringIO()
        progress = Progress(stream, patience_s=0)
        go_on = threading.Event()

        def wait() -> None:
            with progress.step("one"):
                assert go_on.wait(PATIENCE_S)

        other = threading.Thread(target=wait)
        other.start()
        with progress.step("two"):
            until(lambda: stream.getvalue().count("\n") == 2, "both")
        go_on.set()
        other.join()
        progress.close()
        assert sorted(stream.getvalue().split()) == ["one", "two"]

    def test_nothing_between_question_and_answer(self) -> None:
        stream = io.StringIO()
        progress = Progress(stream, patience_s=0)
        with progress.aside():
            with progress.step("unseen"):
                time.sleep(0.1)
            progress.tell("a line that\nstays")
        with progress.step("seen"):
            until(lambda: "seen" in stream.getvalue(), "what comes after")
        progress.close()
        assert stream.getvalue() == "a line that stays\nseen\n"

    def test_the_end_is_one_for_steps_that_last(self) -> None:
        stream = io.StringIO()
        progress = Progress(stream, patience_s=0)
        with contextlib.ExitStack() as stack:
            with progress.aside():
                stack.enter_context(progress.step("too late"))
                progress.close()
            time.sleep(0.1)
        assert stream.getvalue() == ""

    def test_quiet(self) -> None:
        stream = io.StringIO()
        before = threading.active_count()
        progress = Progress(stream, quiet=True, patience_s=0)
        with progress.step("unseen"):
            assert threading.active_count() == before, "nobody watches"
            progress.tell("a note")
        progress.close()
        assert stream.getvalue() == "a note\n"

    def test_a_reader_that_has_gone(self) -> None:
        stream = io.StringIO()
        progress = Progress(stream, patience_s=0)
        stream.close()
        with progress.step("to nobody"):
            time.sleep(0.1)
        progress.close()

    def test_a_step_that_fails(self) -> None:
        stream = io.StringIO()
        progress = Progress(stream, patience_s=0)
        with pytest.raises(ValueError, match="broken"), progress.step("trying"):
            raise ValueError("broken")
        with progress.step("again"):
            until(lambda: "again" in stream.getvalue(), "the next step")
        progress.close()


PLAY = """
import sys
from kubectl_nodeport.cli.progress import Progress
progress = Progress(patience_s=float(sys.argv[2]))
with progress.step(sys.argv[1]) as step:
    sys.stdin.readline()
    step.say("then", "refused")
    sys.stdin.readline()
    progress.tell("a note")
    with progress.aside():
        sys.stderr.write("question? ")
        sys.stderr.flush()
        sys.stdin.readline()
    sys.stdin.readline()
progress.close()
print("loaded" if "rich" in sys.modules else "not loaded", file=sys.stderr)
"""


class Screen:
    """A terminal with PLAY in it, which goes on at each line of its stdin."""

    def __init__(self, words: str, patience_s: float = 0, **environ: str) -> None:
        self.master, slave = pseudo_terminal(columns=40)
        decided = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
        kept = {name: value for name, value in os.environ.items() if name not in decided}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PLAY, words, str(patience_s)],
            cwd=ROOT,
            env={**kept, "TERM": "xterm-256color", **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
        )
        os.close(slave)
        self.drawn = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()  # a read may end within a letter

    def until(self, text: str) -> None:
        """Read until a text is drawn."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.drawn:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} is not drawn, but {self.drawn!r}"
            if select.select([self.master], [], [], left)[0]:
                self.drawn += self._decoder.decode(os.read(self.master, 65536))

    def go_on(self) -> None:
        """Let it go on."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """All that was drawn, after the end."""
        self.until("loaded\r\n")
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        assert (self.process.returncode, out) == (0, ""), self.drawn
        return self.drawn

    def close(self) -> None:
        """End what runs."""
        self.process.kill()
        self.process.communicate()
        os.close(self.master)


Screens = Callable[..., Screen]


@pytest.fixture
def screens() -> Iterator[Screens]:
    with contextlib.ExitStack() as stack:

        def screen(words: str, patience_s: float = 0, **environ: str) -> Screen:
            made = Screen(words, patience_s, **environ)
            stack.callback(made.close)
            return made

        yield screen


def shown(drawn: str) -> str:
    """What is left on a screen of 40 columns in the end."""
    rows, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", drawn):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part.endswith("A"):
            row -= int(part[2:-1] or 1)
        elif part.endswith("K"):
            rows[row] = "" if part[2:-1] == "2" else rows[row][:column]
        elif not part.startswith("\x1b"):
            rows[row] = (rows[row][:column].ljust(column) + part)[:200]
            column += len(part)
            assert column <= 40, f"longer than the line: {part!r}"
    return "\n".join(rows).rstrip()


@pytest.mark.posix
class TestOnATerminal:
    def test_a_line_that_goes_away(self, screens: Screens) -> None:
        screen = screens("waiting for it")
        screen.until("waiting for it")
        screen.go_on()
        screen.until("then (refused)")
        screen.go_on()
        screen.until("question? ")
        assert shown(screen.drawn) == "a note\nquestion?"
        screen.drawn = ""
        screen.go_on()
        screen.until("then (refused)")
        screen.go_on()
        drawn = screen.end()
        assert shown(drawn) == "loaded"
        assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l"), "the cursor is back"

    @pytest.mark.parametrize(("no_color", "coloured"), [("1", False), ("", True)])
    def test_no_color(self, no_color: str, coloured: bool, screens: Screens) -> None:
        screen = screens("waiting for it", NO_COLOR=no_color)
        screen.until("waiting for it")
        assert bool(HUE.search(screen.drawn)) is coloured

    def test_it_is_one_line_of_the_terminal_whatever_is_told(self, screens: Screens) -> None:
        screen = screens("漢é[red]x[/red] \x1b]0;owned\x07\n" + "x" * 500)
        screen.until("…")
        assert "漢é[red]x[/red] ?]0;owned? x" in screen.drawn
        assert "\x1b]0;" not in screen.drawn
        for _ in range(2):
            screen.go_on()
        screen.until("question? ")
        assert shown(screen.drawn) == "a note\nquestion?"

    def test_nothing_is_loaded_for_what_does_not_last(self, screens: Screens) -> None:
        screen = screens("a moment", FOR_EVER_S)
        for _ in range(4):
            screen.go_on()
        assert screen.end() == "a note\r\nquestion? not loaded\r\n"

    @pytest.mark.parametrize("kind", ["dumb", "unknown"])
    def test_a_terminal_that_cannot_draw(self, kind: str, screens: Screens) -> None:
        screen = screens("waiting for it", TERM=kind)
        for said in ("waiting for it\r\n", "then\r\n", "question? "):
            screen.until(said)
            screen.go_on()
        screen.go_on()
        drawn = screen.end()
        assert drawn == "waiting for it\r\nthen\r\na note\r\nquestion? not loaded\r\n"


REFUSED = Outcome(Verdict.REFUSED, "refused")


@pytest.mark.parametrize(
    ("address", "outcome", "words"),
    [
        ("10.0.0.1", None, "waiting for kube-proxy to open port 31380 on 10.0.0.1"),
        ("10.0.0.1", REFUSED, "waiting for kube-proxy to open port 31380 on 10.0.0.1"),
        ("fd00::1", REFUSED, "waiting for kube-proxy to open port 31380 on fd00::1"),
        ("127.0.0.1", REFUSED, "waiting for port 31380 to be forwarded to 127.0.0.1"),
        (
            "127.0.0.1",
            Outcome(Verdict.OTHER_KEY, "another ssh server"),
            "waiting for the pod to answer at port 31380 of 127.0.0.1",
        ),
    ],
)
def test_words_for_an_address(address: str, outcome: Outcome | None, words: str) -> None:
    news = News(Candidate(address, "the node's address"), outcome, 0.5)
    assert for_address(news, 31380) == words
