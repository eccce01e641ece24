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
# kube-proxy opens a new port within moments, and until then refuses.
_PAUSE_S = 0.05
# A forwarder on this machine finds within that time that the node refuses it.
_HANGS_UP_S = 0.2


def knock(candidates: Sequence[Candidate], port: int, timeout_s: float) -> Candidate | None:
    """The candidate that is the first to accept a TCP connection, or None.

    :param timeout_s: for all of them together; a refusal is asked again until then.
    """
    stop = Stop()
    answers: queue.SimpleQueue[Candidate] = queue.SimpleQueue()
    deadline = time.monotonic() + timeout_s

    def ask(candidate: Candidate) -> None:
        while time.monotonic() < deadline and not stop.is_set:
            if _accepts(candidate, port, stop):
                answers.put(candidate)
                return
            stop.wait([], 0, _PAUSE_S)

    threads = [
        threading.Thread(target=ask, args=(candidate,), daemon=True)
        for candidate in candidates[:_AT_ONCE]
    ]
    for thread in threads:
        thread.start()
    try:
        return answers.get(timeout=timeout_s) if threads else None
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
