"""Whether a connection to an address ends in the pod: seen from both ends.

A host key that came with an image is on every pod of that image, so the key alone does not tell
them apart. A connection that is held open here is seen in the pod, and gone there after. That tells
pods apart; it does not unmask somebody who relays the connection, and who has the host key too.
"""

from __future__ import annotations

import enum
import socket
import time
from collections.abc import Callable

from kubectl_nodeport.address.dial import (
    SSHD_TURNS_AWAY,
    DialError,
    Stop,
    connect,
    look_up,
)
from kubectl_nodeport.address.resolution import Witness

# A forwarder accepts before it has reached the node, and closes there a moment later than here.
_ARRIVAL_S = 2.0
_ASK_AGAIN_S = 0.02
# What arrives so soon, and alone, is ours. Later a stranger's short connection is as likely.
_AT_ONCE_S = 0.3
_ROUNDS = 3
# OpenSSH drops connections at random when there are many (MaxStartups).
_PAUSE_S = 1.0


class Arrival(enum.Enum):
    """Where a connection ended; a closed set."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"
    """It was not made, was closed by the other end meanwhile, or did not go when it was let go."""
    UNCLEAR = "unclear"
    """Something arrived that may have been another's connection."""


def arrives(
    address: str, port: int, witness: Witness, before: frozenset[str] | None = None
) -> Arrival:
    """Where connections to the port at this address arrive: where the witness looks, or elsewhere.

    Nobody else may be trying that port from here meanwhile.

    :param address: an IP literal or a name.
    :param before: who was connected before; asked for if None, as it has to be when connections to
        other addresses were open since.
    :returns: never UNCLEAR.
    :raises NodeportError: the witness is not heard any more.
    """
    found = Arrival.UNKNOWN
    for _ in range(_ROUNDS):
        round_before = witness.peers() if before is None else before
        was, found = found, _one(address, port, witness, round_before)
        if found is Arrival.UNCLEAR and was is Arrival.UNCLEAR:
            return Arrival.HERE  # twice in a row it came and went with ours
        if found in (Arrival.HERE, Arrival.ELSEWHERE):
            return found
        before = None
        if found is Arrival.UNKNOWN:
            time.sleep(_PAUSE_S)
    return Arrival.UNKNOWN


def _one(address: str, port: int, witness: Witness, before: frozenset[str]) -> Arrival:
    """One connection, held, looked for and let go."""
    stop = Stop()
    try:
        with connect(look_up(address, port)[0], None, stop) as sock:
            began = time.monotonic()
            arrived = _awaited(lambda: witness.peers() - before)
            took_s = time.monotonic() - began
            if not arrived:
                return Arrival.UNKNOWN if _is_closed(sock) else Arrival.ELSEWHERE
    except DialError:
        return Arrival.UNKNOWN
    finally:
        stop.close()
    if not _awaited(lambda: arrived - witness.peers()):
        return Arrival.UNKNOWN
    is_ours = len(arrived) == 1 and took_s < _AT_ONCE_S
    return Arrival.HERE if is_ours else Arrival.UNCLEAR


def _awaited(look: Callable[[], frozenset[str]]) -> frozenset[str]:
    """What is seen, as soon as it is anything; nothing after a while."""
    ends_s = time.monotonic() + _ARRIVAL_S
    while not (seen := look()) and time.monotonic() < ends_s:
        time.sleep(_ASK_AGAIN_S)
    return seen


def _is_closed(sock: socket.socket) -> bool:
    """Whether the other end has closed it, or sshd is about to, having no room."""
    said = b""
    try:
        while data := sock.recv(4096):
            said += data[: 4096 - len(said)]
    except BlockingIOError:
        return said.startswith(SSHD_TURNS_AWAY)
    except OSError:
        return True
    return True
