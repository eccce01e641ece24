"""What is waited for, in words. Pure."""

from __future__ import annotations

from kubectl_nodeport.address.resolution import Progress, Verdict

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Nothing is behind the port yet, so somebody has to open it.
_CLOSED = frozenset(
    [Verdict.REFUSED, Verdict.CLOSED, Verdict.TIMED_OUT, Verdict.UNREACHABLE, Verdict.NOT_TRIED]
)


def for_address(news: Progress, port: int) -> str:
    """What a search for the address of a node port waits for, after these news."""
    address = news.candidate.address
    if news.outcome is not None and news.outcome.verdict not in _CLOSED:
        return f"waiting for the pod to answer at port {port} of {address}"
    if address in _LOOPBACK:
        return f"waiting for port {port} to be forwarded to {address}"
    return f"waiting for kube-proxy to open port {port} on {address}"
