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
    import websocket

    from kubectl_nodeport.kube.client import Api

_SUBPROTOCOL = "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _ERROR = 0, 1, 2, 3

# As kubectl sends them.
_FRAME_BYTES = 32 * 1024
# The slowest line on which something large is waited for.
_SLOWEST_BYTES_S = 16 * 1024
# Far above what is asked of a container; a hostile one must not fill the memory.
_LARGEST_OUTPUT = 1 << 20


@dataclass(frozen=True, slots=True)
class Output:
    """What a command in a container has written since it was last heard.

    ``exit_code`` is how it ended, 0 for success; None while it runs.
    """

    stdout: bytes
    stderr: bytes
    exit_code: int | None


class ExecError(NodeportError):
    """The command could not be run in the container, or broke off."""


class Exec:
    """Runs commands in containers.

    :param timeout_s: how long a command may take to answer.
    """

    def __init__(self, api: Api, *, timeout_s: float = 20.0) -> None:
        self._api = api
        self._timeout_s = timeout_s

    def start(self, namespace: str, pod: str, container: str, command: tuple[str, ...]) -> Session:
        """Start ``command`` in the container.

        :raises ApiError: exec is refused.
        :raises UnreachableError: the API server does not answer.
        """
        request = _request(namespace, pod, container, command)
        stream = self._api.open_websocket(request, _SUBPROTOCOL)
        return Session(stream, request, container, self._timeout_s)


class Session:
    """A command that runs in a container and is spoken to line by line.

    Closing it ends the command's stdin, and with it a command that reads to the end.
    """

    def __init__(
        self, stream: websocket.WebSocket, request: Request, container: str, timeout_s: float
    ) -> None:
        self._stream = stream
        self._request = request
        self._container = container
        self._timeout_s = timeout_s
        self._channels = {_STDOUT: bytearray(), _STDERR: bytearray(), _ERROR: bytearray()}

    def ask(self, line: str, *, until: bytes) -> Output:
        """Write a line to the command, "" for none, and hear what it says.

        :param until: the last line of an answer; a command that ends is not waited for longer.
        :raises ExecError: it broke off, or took too long.
        """
        return self.send(f"{line}\n".encode() if line else b"", until=until)

    def send(self, data: bytes, *, until: bytes) -> Output:
        """Write bytes to the command, as many as one likes, and hear what it says.

        :param until: as for :meth:`ask`.
        :raises ExecError: it broke off, or took too long for so many.
        """
        patience_s = self._timeout_s + len(data) / _SLOWEST_BYTES_S
        asking = background.start(lambda: self._ask(data, until, patience_s))
        try:
            return asking(timeout=patience_s)
        except TimeoutError as err:
            why = f"it did not answer in {patience_s:.0f} s"
            raise _broke_off(self._request, self._container, why) from err

    def close(self) -> None:
        """Let go of the command; it is not waited for."""
        self._stream.shutdown()

    def _ask(self, data: bytes, until: bytes, patience_s: float) -> Output:
        import websocket

        try:
            self._stream.settimeout(patience_s)
            self._write(data)
            self._listen(until)
        except websocket.WebSocketConnectionClosedException as err:
            raise _broke_off(self._request, self._container, "the stream broke off") from err
        except websocket.WebSocketTimeoutException as err:
            raise TimeoutError from err
        except (websocket.WebSocketException, OSError) as err:
            raise _broke_off(self._request, self._container, str(err)) from err
        status = bytes(self._channels[_ERROR])
        code = _exit_code(status, self._request, self._container) if status else None
        return Output(self._taken(_STDOUT), self._taken(_STDERR), code)

    def _write(self, data: bytes) -> None:
        """Send it; what cannot be sent any more, listening tells why."""
        import websocket

        try:
            for start in range(0, len(data), _FRAME_BYTES):
                self._stream.send_binary(bytes([_STDIN]) + data[start : start + _FRAME_BYTES])
        except websocket.WebSocketTimeoutException:
            raise
        except (websocket.WebSocketException, OSError):
            return

    def _listen(self, until: bytes) -> None:
        import websocket

        channels = self._channels
        while not (channels[_ERROR] or _has_line(channels[_STDOUT], until)):
            opcode, message = self._stream.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise websocket.WebSocketConnectionClosedException
            _sort(message, channels)

    def _taken(self, channel: int) -> bytes:
        taken = bytes(self._channels[channel])
        self._channels[channel].clear()
        return taken


def _has_line(output: bytearray, line: bytes) -> bool:
    return output.startswith(line + b"\n") or output.find(b"\n" + line + b"\n") >= 0


def _request(namespace: str, pod: str, container: str, command: tuple[str, ...]) -> Request:
    streams = [(name, "true") for name in ("stdin", "stdout", "stderr")]
    query = [("container", container), *streams]
    return Request(
        "get",
        "pods",
        "run a command in the container",
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
