"""An API server of a few lines on 127.0.0.1, plain or with TLS, that says what it is told to."""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: Message
    body: bytes
    certificate: str = ""

    def all(self, header: str) -> list[str]:
        return [str(value) for value in self.headers.get_all(header) or []]


@dataclass(frozen=True)
class Answer:
    """What to send. ``announced`` is the Content-Length where it is not the true one."""

    body: bytes | str | dict[str, Any] | list[Any] = field(default_factory=dict)
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    announced: int | None = None

    @property
    def raw(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(frozen=True)
class Raw:
    """These bytes, whatever they are, then the end; ``hang``: hold the connection instead."""

    data: bytes
    hang: bool = False


@dataclass(frozen=True)
class Chunks:
    """An answer of unknown length, chunk by chunk; ``then``: "end" it, "cut" or "hang".

    ``pause_s``: before each chunk.
    """

    parts: tuple[bytes, ...]
    then: str = "end"
    pause_s: float = 0.0


@dataclass(frozen=True)
class Frames:
    """A websocket: (channel, data) messages, then the end.

    ``endless``: the last message again and again; ``close``: a close frame's payload instead of
    just hanging up; ``tail``: bytes that are no whole frame; ``hang``: say nothing more and hold
    the connection.
    """

    messages: tuple[tuple[int, bytes], ...] = ()
    endless: bool = False
    close: bytes | None = None
    tail: bytes = b""
    hang: bool = False


class Peer:
    """A server's end of a websocket whose frames a test reads and writes one by one."""

    def __init__(self, rfile: BufferedIOBase, wfile: BufferedIOBase) -> None:
        self._rfile, self._wfile = rfile, wfile

    def begin(self, port: int = 22) -> None:
        """What portforward says first: the port, on both channels."""
        for channel in (0, 1):
            self.send(channel, port.to_bytes(2, "little"))

    def send(self, channel: int, data: bytes) -> None:
        """A message of a channel."""
        self.raw(frame(2, bytes([channel]) + data))

    def send_often(self, data: bytes, times: int) -> None:
        """The same message of the data's channel again and again."""
        for _ in range(times):
            self.send(0, data)

    def raw(self, data: bytes) -> None:
        """These bytes, at once."""
        self._wfile.write(data)
        self._wfile.flush()

    def receive(self) -> tuple[int, bytes]:
        """The next frame's opcode and data; raises EOFError at the end."""
        head = self._rfile.read(2)
        if len(head) < 2:
            raise EOFError
        assert head[1] & 0x80, "a client masks"
        size = head[1] & 0x7F
        if size > 125:
            size = int.from_bytes(self._rfile.read(2 if size == 126 else 8), "big")
        key, data = self._rfile.read(4), self._rfile.read(size)
        mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
        return head[0] & 0x0F, (int.from_bytes(data, "big") ^ mask).to_bytes(size, "big")


@dataclass(frozen=True)
class Talk:
    """A websocket on which ``talk`` says and hears what it likes; then the end."""

    talk: Callable[[Peer], None]


SILENCE = object()
"""Read the request and never answer it."""

DRIP = object()
"""Answer with one byte at a time, for ever."""

Behaviour = Callable[[Received], object]


def in_turn(*answers: object) -> Behaviour:
    """One answer for each request, the last one again and again."""
    left = list(answers)
    return lambda _received: left.pop(0) if len(left) > 1 else left[0]


class Server(ThreadingHTTPServer):
    """Answers by ``behaviour`` and keeps what it received."""

    daemon_threads = True
    # ThreadingHTTPServer would wait for handlers that hang on purpose.
    block_on_close = False

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour = behaviour
        self.received: list[Received] = []
        self.connections = 0
        self.ended = threading.Event()
        self.takes_first = False
        """Of the subprotocols that are offered; else the last."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection, and count it."""
        accepted = super().get_request()
        self.connections += 1
        return accepted

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of several tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    @property
    def api(self) -> Server:
        return cast(Server, self.server)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        peer = getattr(self.connection, "getpeercert", lambda: None)() or {}
        subject = {k: v for part in peer.get("subject", ()) for k, v in part}
        received = Received(
            self.command,
            self.path,
            self.headers,
            self.rfile.read(length),
            subject.get("commonName", ""),
        )
        self.api.received.append(received)
        answer = self.api.behaviour(received)
        if isinstance(answer, Answer):
            self._answer(answer)
        elif isinstance(answer, Frames):
            self._websocket(answer)
        elif isinstance(answer, Talk):
            self._upgrade()
            with contextlib.suppress(OSError, EOFError):  # a client that leaves ends the talk
                answer.talk(Peer(self.rfile, self.wfile))
            self.close_connection = True
        elif isinstance(answer, Raw):
            self._raw(answer.data, hang=answer.hang)
        elif isinstance(answer, Chunks):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in answer.parts:
                self.wfile.flush()
                self.api.ended.wait(answer.pause_s)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            end = b"0\r\n\r\n" if answer.then == "end" else b""
            self._raw(end, hang=answer.then == "hang")
        elif answer is SILENCE:
            self.api.ended.wait(30)
        elif answer is DRIP:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not self.api.ended.wait(0.05):
                self.wfile.write(b" ")
                self.wfile.flush()
        else:  # hang up
            self.close_connection = True
        self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the base class looks for these

    def _raw(self, data: bytes, *, hang: bool) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        if hang:
            self.api.ended.wait(30)
        self.close_connection = True

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        length = len(answer.raw) if answer.announced is None else answer.announced
        self.send_header("Content-Length", str(length))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.raw)
        self.close_connection = answer.announced is not None

    def _upgrade(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101, "Switching Protocols")
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        offered = self.headers["Sec-WebSocket-Protocol"].split(",")
        chosen = offered[0 if self.api.takes_first else -1]
        self.send_header("Sec-WebSocket-Protocol", chosen)
        self.end_headers()
        self.wfile.flush()

    def _websocket(self, frames: Frames) -> None:
        self._upgrade()
        for channel, data in frames.messages:
            self.wfile.write(frame(2, bytes([channel]) + data))
        self.wfile.flush()
        if frames.endless:
            channel, data = frames.messages[-1]
            while not self.api.ended.is_set():
                self.wfile.write(frame(2, bytes([channel]) + data))
        if frames.close is not None:
            self.wfile.write(frame(8, frames.close))
            self.wfile.flush()
        self._raw(frames.tail, hang=frames.hang)


def frame(opcode: int, data: bytes) -> bytes:
    """One unmasked frame of RFC 6455, section 5.2."""
    if len(data) < 126:
        return bytes([0x80 | opcode, len(data)]) + data
    if len(data) < 1 << 16:
        return bytes([0x80 | opcode, 126]) + len(data).to_bytes(2, "big") + data
    return bytes([0x80 | opcode, 127]) + len(data).to_bytes(8, "big") + data


@contextlib.contextmanager
def serving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(behaviour)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Pair:
    """A certificate, signed by itself, and its key, in files."""

    certificate: Path
    key: Path

    @property
    def certificate_data(self) -> str:
        return base64.b64encode(self.certificate.read_bytes()).decode()

    @property
    def key_data(self) -> str:
        return base64.b64encode(self.key.read_bytes()).decode()


def certificate(folder: Path, name: str) -> Pair:
    """A certificate for 127.0.0.1 and ``name``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pair


def tls_for(pair: Pair, *, clients: Pair | None = None) -> ssl.SSLContext:
    """A server's TLS; ``clients``: whose certificates it asks for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients is not None:
        context.load_verify_locations(clients.certificate)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
