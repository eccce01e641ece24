"""Streams into a pod: exec over the websocket protocol ``v4.channel.k8s.io``.

Each message is one byte, the channel, and its data; the message on the error channel is the last
one and holds a Status. Source: k8s.io/apimachinery, pkg/util/httpstream/wsstream and
pkg/util/remotecommand/constants.go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubectl_nodeport import background
from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.kube.request import Request

if TYPE_CHECKING:
    from kubectl_nodeport.kube.client import Api

_SUBPROTOCOL = "v4.channel.k8s.io"
_STDOUT, _STDERR, _ERROR = 1, 2, 3

# Far above what is asked of a container; a hostile one must not fill the memory.
_LARGEST_OUTPUT = 1 << 20


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command in a container left: its output and how it ended (0 is success)."""

    stdout: bytes
    stderr: bytes
    exit_code: int


class ExecError(NodeportError):
    """The command could not be run in the container, or did not end."""


class Exec:
    """Runs commands in containers."""

    def __init__(self, api: Api, *, timeout_s: float = 20.0) -> None:
        self._api = api
        self._timeout_s = timeout_s

    def run(self, namespace: str, pod: str, container: str, command: tuple[str, ...]) -> Finished:
        """Run ``command`` in the container and wait for its end.

        :raises ApiError: exec is refused; :raises ExecError: it broke off or took too long.
        """
        request = _request(namespace, pod, container, command)
        running = background.start(lambda: self._run(request, container))
        try:
            return running(timeout=self._timeout_s)
        except TimeoutError as err:
            why = f"it did not end in {self._timeout_s:.0f} s"
            raise _broke_off(request, container, why) from err

    def _run(self, request: Request, container: str) -> Finished:
        import websocket

        stream = self._api.open_websocket(request, _SUBPROTOCOL)
        channels = {_STDOUT: bytearray(), _STDERR: bytearray(), _ERROR: bytearray()}
        stream.settimeout(self._timeout_s)
        try:
            while not channels[_ERROR]:
                opcode, message = stream.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    raise websocket.WebSocketConnectionClosedException
                _sort(message, channels)
        except websocket.WebSocketConnectionClosedException as err:
            raise _broke_off(request, container, "the stream broke off") from err
        except websocket.WebSocketTimeoutException as err:
            raise TimeoutError from err
        except (websocket.WebSocketException, OSError) as err:
            raise _broke_off(request, container, str(err)) from err
        finally:
            stream.shutdown()
        return Finished(
            bytes(channels[_STDOUT]),
            bytes(channels[_STDERR]),
            _exit_code(bytes(channels[_ERROR]), request, container),
        )


def _request(namespace: str, pod: str, container: str, command: tuple[str, ...]) -> Request:
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    return Request(
        "get",
        "pods",
        "read the host keys inside the container",
        name=pod,
        namespace=namespace,
        subresource="exec",
        query=tuple(query + [("command", word) for word in command]),
    )


def _sort(message: bytes | str, channels: dict[int, bytearray]) -> None:
    data = message.encode() if isinstance(message, str) else message
    if not data:
        return
    into = channels.get(data[0])
    if into is not None:
        room = _LARGEST_OUTPUT - len(into)
        into += data[1 : 1 + room]


def _exit_code(status: bytes, request: Request, container: str) -> int:
    try:
        outcome = json.loads(status)
        if outcome.get("status") == "Success":
            return 0
        causes = (outcome.get("details") or {}).get("causes") or []
        codes = [cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"]
        if codes:
            return int(codes[0])
        reason = str(outcome.get("message"))
    except (ValueError, AttributeError, TypeError, RecursionError):
        reason = "its end was not told"
    raise _broke_off(request, container, reason)


def _broke_off(request: Request, container: str, reason: str) -> ExecError:
    return ExecError(
        f"exec in container {container} of pod {request.name} failed: {' '.join(reason.split())}",
        hint="does this work? kubectl exec "
        f"{request.name} -n {request.namespace} -c {container} -- sh -c true",
    )
