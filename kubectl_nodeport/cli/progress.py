"""What is being waited for, told on stderr once it takes long enough to be wondered about.

On a terminal that is one line, which goes away; elsewhere a line for each thing. Steps may overlap,
and be taken in any thread.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TextIO

from kubectl_nodeport.cli.render.terminal import short

_PATIENCE_S = 0.3
# A terminal on which nothing can be taken away again.
_PLAIN = ("dumb", "unknown")


class Step:
    """Something that is waited for; what it has come to may be said at any time."""

    def __init__(self, changed: threading.Condition, words: str) -> None:
        self._changed = changed
        self.began_s = time.monotonic()
        self.words = words
        self.detail = ""

    def say(self, words: str, detail: str = "") -> None:
        """Say what is waited for now.

        :param detail: what a line that stays is not worth.
        """
        with self._changed:
            self.words, self.detail = words, detail
            self._changed.notify()


# The words and the detail of each step that has lasted, in the order of their beginnings.
Due = tuple[tuple[str, str], ...]


class _Teller(Protocol):
    def load(self) -> None:
        """Get ready, which may take its time."""

    def tell(self, due: Due) -> None:
        """Tell what is waited for."""

    def clear(self) -> None:
        """Take away what does not stay."""


class Progress:
    """Tells the steps of one run.

    :param stream: where; stderr as it is now, if None.
    :param quiet: whether none is told.
    :param patience_s: how long a step lasts before it is told.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        quiet: bool = False,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._stream = stream or sys.stderr
        self._patience_s = patience_s
        self._teller = _Drawn(self._stream) if can_draw(self._stream) else _Printed(self._stream)
        self._changed = threading.Condition()
        self._steps: list[Step] = []
        self._held = 0
        self._told: Due = ()  # what is seen now, where it can be taken away again
        self._closed = quiet
        self._watched = False
        # Held by the thread that writes. Where both are needed it is taken before _changed.
        self._writing = threading.Lock()

    @contextlib.contextmanager
    def step(self, words: str) -> Iterator[Step]:
        """While this lasts, something is waited for.

        :param words: what, as in "waiting for the API server".
        """
        step = Step(self._changed, words)
        with self._changed:
            self._steps.append(step)
            self._changed.notify()
            if not (self._watched or self._closed):
                self._watched = True
                threading.Thread(target=self._watch, daemon=True).start()
        try:
            yield step
        finally:
            with self._changed:
                self._steps.remove(step)
                self._changed.notify()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While this lasts somebody else writes, as with a question to a person."""
        with self._changed:
            self._held += 1
        try:
            with self._writing:
                self._teller.clear()
                with self._changed:
                    self._told = ()
            yield
        finally:
            with self._changed:
                self._held -= 1
                self._changed.notify()

    def tell(self, line: str) -> None:
        """Print a line that stays, whether steps are told or not."""
        with self.aside():
            self._stream.write(f"{short(line)}\n")
            self._stream.flush()

    def close(self) -> None:
        """Tell no step from now on, not even those that last."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        with self._writing:
            self._teller.clear()

    def _watch(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            while self._await_news():
                self._teller.load()  # while nobody is kept waiting by a lock
                with self._writing:
                    with self._changed:
                        if self._closed:
                            return
                        told = self._told = self._due()
                    self._teller.tell(told)

    def _await_news(self) -> bool:
        """Wait until something else is to be told than what is seen; False at the end."""
        with self._changed:
            while not self._closed and self._due() == self._told:
                self._changed.wait(self._next_s())
            return not self._closed

    def _due(self) -> Due:
        if self._held:
            return ()
        late = time.monotonic() - self._patience_s
        return tuple((step.words, step.detail) for step in self._steps if step.began_s <= late)

    def _next_s(self) -> float | None:
        """When the next step will have lasted."""
        now = time.monotonic()
        left = [step.began_s + self._patience_s - now for step in self._steps]
        return min((one for one in left if one > 0), default=None)  # None: when it is notified


@contextlib.contextmanager
def of(options: Mapping[str, Any]) -> Iterator[Progress]:
    """What tells the steps of one command.

    :param options: the verb's options, -q among them.
    """
    made = Progress(quiet=options["quiet"])
    try:
        yield made
    finally:
        made.close()


def can_draw(stream: TextIO) -> bool:
    """Whether it is a terminal on which a line can be taken away again."""
    return stream.isatty() and os.environ.get("TERM", "") not in _PLAIN


class _Printed:
    """Lines that stay: each thing is told once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told: set[str] = set()

    def load(self) -> None:
        """There is nothing to get ready."""

    def tell(self, due: Due) -> None:
        """Print what was not told yet."""
        for words, _ in due:
            if words not in self._told:
                self._told.add(words)
                self._stream.write(f"{short(words)}\n")
                self._stream.flush()

    def clear(self) -> None:
        """What is printed stays."""


class _Drawn:
    """A line that changes, and goes away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line: _Line | None = None

    def load(self) -> None:
        """Load what draws it: few runs need it."""
        if self._line is None:
            from kubectl_nodeport.cli import live

            self._line = live.Line(self._stream)

    def tell(self, due: Due) -> None:
        """Show the step that began last."""
        if self._line is None or not due:
            self.clear()
            return
        words, detail = due[-1]
        self._line.show(f"{words} ({detail})" if detail else words)

    def clear(self) -> None:
        """Take the line away."""
        if self._line is not None:
            self._line.clear()


class _Line(Protocol):
    def show(self, text: str) -> None:
        """Show a text in its place."""

    def clear(self) -> None:
        """Take it away."""
