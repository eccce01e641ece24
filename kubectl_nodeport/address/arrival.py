"""Whether a connection to an address ends in the pod: seen from both ends.

A host key that came with an image is on every pod of that image, so the key alone does not tell
them apart. A connection that is held open here is seen in the pod, and gone there after.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from kubectl_nodeport.address.dial import DialError, Stop, connect, look_up
from kubectl_nodeport.address.resolution import Witness

# A forwarder accepts before it has reached the node, and closes there a moment later than here.
_ARRIVAL_S = 2.0
_ASK_AGAIN_S = 0.02


def arrives(
    address: str, port: int, witness: Witness, before: frozenset[str] | None = None
) -> bool:
    """Whether a connection to the port at this address arrives where the witness looks.

    Nobody else may be trying that port from here meanwhile. Sessions of other people that begin and
    last, or were there before, are told apart.

    :param before: who was connected before; asked for if None, as it has to be when connections to
        other addresses were open since.
    :raises NodeportError: the witness is not heard any more.
    """
    stop = Stop()
    before = witness.peers() if before is None else before
    try:
        with connect(look_up(address, port)[0], None, stop):
            arrived = _awaited(lambda: witness.peers() - before)
        return bool(arrived) and bool(_awaited(lambda: arrived - witness.peers()))
    except DialError:
        return False
    finally:
        stop.close()


def _awaited(look: Callable[[], frozenset[str]]) -> frozenset[str]:
    """What is seen, as soon as it is anything; nothing after a while."""
    ends_s = time.monotonic() + _ARRIVAL_S
    while not (seen := look()) and time.monotonic() < ends_s:
        time.sleep(_ASK_AGAIN_S)
    return seen
