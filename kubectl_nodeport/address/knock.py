"""Whether anything accepts connections at a node port, where it need not be an ssh server.

A connection that is accepted does not prove who accepted it. It is what can be known of a port
whose protocol is not. A forwarder accepts before it has reached anything, and hangs up if it
cannot: what is closed at once, without a word, was no answer.
"""

from __future__ import annotations

import queue
import selectors
import socket
import threading
import time
from collections.abc import Sequence

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.dial import DialError, Stop, StoppedError, connect, look_up

_AT_ONCE = 4
# Between the starts: the first is the most promising, and the last seldom needed.
_STAGGER_S = 0.25
# kube-proxy opens a new port within moments, and until then refuses. An ssh server behind it takes
# offence at many connections that say nothing, so the pause grows.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 2.0
# A forwarder on this machine finds within that time that the node refuses it.
_HANGS_UP_S = 0.2


def knock(candidates: Sequence[Candidate], port: int, timeout_s: float) -> Candidate | None:
    """The candidate that is the first to accept a TCP connection, or None.

    :param timeout_s: for all of them together; a refusal is asked again until then.
    """
    stop, asking = Stop(), threading.BoundedSemaphore(_AT_ONCE)
    answers: queue.SimpleQueue[Candidate] = queue.SimpleQueue()
    began = time.monotonic()

    def ask(candidate: Candidate, begins_s: float) -> None:
        pause_s = max(0.0, began + begins_s - time.monotonic())
        following_s = _FIRST_PAUSE_S
        while not stop.wait([], 0, pause_s) and time.monotonic() - began < timeout_s:
            with asking:
                if not stop.is_set and _accepts(candidate, port, stop):
                    answers.put(candidate)
                    return
            pause_s, following_s = following_s, min(2 * following_s, _LAST_PAUSE_S)

    for at, candidate in enumerate(candidates):
        threading.Thread(target=ask, args=(candidate, at * _STAGGER_S), daemon=True).start()
    try:
        return answers.get(timeout=timeout_s) if candidates else None
    except queue.Empty:
        return None
    finally:
        stop.set()


def _accepts(candidate: Candidate, port: int, stop: Stop) -> bool:
    try:
        with connect(look_up(candidate.address, port)[0], None, stop) as sock:
            stop.wait([sock], selectors.EVENT_READ, _HANGS_UP_S)
            return not _is_closed(sock)
    except (DialError, StoppedError):
        return False


def _is_closed(sock: socket.socket) -> bool:
    try:
        return not sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:  # open, and silent
        return False
    except OSError:
        return True
