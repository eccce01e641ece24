"""Whether anything accepts connections at a node port, where it need not be an ssh server.

A connection that is accepted does not prove who accepted it: only a witness in the pod does. A
forwarder accepts before it has reached anything, and hangs up if it cannot: what is closed at once,
without a word, was no answer.
"""

from __future__ import annotations

import selectors
import socket

from kubectl_nodeport.address import dial
from kubectl_nodeport.address.pace import Course
from kubectl_nodeport.address.probe import resolve
from kubectl_nodeport.address.resolution import Budget, OnProgress, Resolution, Sought, Verdict
from kubectl_nodeport.address.search import Shown

# A forwarder on this machine finds within that time that the node refuses it.
_HANGS_UP_S = 0.2
_GREETING_BYTES = 255


def knock(
    sought: Sought, timeout_s: float, progress: OnProgress = lambda _news: None
) -> Resolution:
    """The candidate that accepts a TCP connection, and how each one fared.

    :param timeout_s: for all of them together; a refusal is asked again until then.
    :param progress: as for :func:`probe.resolve`.
    """
    return resolve(sought, Budget(timeout_s), progress, greeting)


def greeting(sock: socket.socket, _course: Course, _sought: Sought, stop: dial.Stop) -> Shown:
    """Wait whether the other end says something, stays open, or hangs up.

    :raises DialError: it hangs up without a word.
    :raises StoppedError: the search is over.
    """
    if stop.wait([sock], selectors.EVENT_READ, _HANGS_UP_S):
        raise dial.StoppedError
    try:
        said = sock.recv(_GREETING_BYTES, socket.MSG_PEEK)
        is_closed = not said
    except BlockingIOError:  # open, and silent
        said, is_closed = b"", False
    except OSError:
        said, is_closed = b"", True
    if is_closed:
        text = "the connection was accepted and closed without a word"
        raise dial.DialError(Verdict.CLOSED, text)
    says = f", says: {dial.printable(said.splitlines()[0])}" if said.strip() else ""
    return Shown(None, f"accepts connections{says}")
