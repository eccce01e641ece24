"""Something between clients in the laptop and the API server: it counts, delays and cuts.

Run as `python -m tests.cluster.relay PKI PLAN ADDRESS`, with the node's address: it listens on a
free port of 127.0.0.1, which is its first line of output, and prints a line for each request and a
line of JSON for each answer. TLS ends here, with the API server's own certificate, and begins anew
behind it.
HTTP/1.1 only, which is what clients speak where nothing else is offered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.profiles import API_PORT

if TYPE_CHECKING:
    from tests.cluster.laptop import Laptop

_BULK_BYTES = 1 << 20
"""What a stream may hold and pass on at once: a tunnel's bytes should not wait for the relay."""

_ASKED = "asked"
"""The line of output for a request, before that for its answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that passed, with its answer."""

    connection: int
    """Number of the client's connection, from 1."""
    method: str
    path: str
    """Path and query."""
    status: int
    """101 for a request that became a websocket or SPDY stream."""
    received_bytes: int
    """Of the answer's body; 0 for a stream."""
    warning: str = ""
    """What the API server says besides, such as that a version is deprecated."""


class Relay:
    """A relay that runs, as a test sees it."""

    def __init__(self, laptop: Laptop, output: Path) -> None:
        self._laptop = laptop
        self._output = output
        self._seen = 1
        self.server = f"https://127.0.0.1:{output.read_text().split()[0]}"

    def kubeconfig(self, original: Path | None = None) -> Path:
        """A copy of a kubeconfig that goes through the relay; both paths as seen inside.

        Without an original it is the profile's own.
        """
        laptop = self._laptop
        inside = original or laptop.inside(laptop.home / ".kube" / "config")
        config = json.loads(laptop.outside(inside).read_text())
        for row in config["clusters"]:
            row["cluster"]["server"] = self.server
        name = f"{inside.name}.{self._output.name}"
        return laptop.write(laptop.home / ".kube" / name, json.dumps(config, indent=2))

    def requests(self) -> list[Request]:
        """The requests answered since the start or the last reset(), in the answers' order.

        A client may have read its answer before the relay has noted it, so notes that are due are
        waited for; 1 s at most, as a watch has none.
        """
        deadline = time.monotonic() + 1
        while True:
            lines = self._output.read_text().splitlines()[self._seen :]
            answered = [line for line in lines if line != _ASKED]
            if 2 * len(answered) >= len(lines) or time.monotonic() > deadline:
                return [Request(**json.loads(line)) for line in answered]
            time.sleep(0.01)

    def reset(self) -> None:
        """Forget the requests so far."""
        self._seen = len(self._output.read_text().splitlines())


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the traffic; see Cluster.relay()."""

    delay_s: float
    cut_after_bytes: int | None
    cut_path: str


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the headers of a message, and their bytes."""

    first: list[str]
    headers: dict[str, str]
    """By lower-case name."""
    raw: bytes


class _CutError(Exception):
    """The connection has to break here, after so many bytes of the body."""


class Pipe:
    """One direction of a connection, message by message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def head(self) -> Head | None:
        """Read a message's head without passing it on; None at the end of the connection."""
        try:
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = raw.decode("latin-1").strip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return Head(first.split(" ", 2), headers, raw)

    async def send(self, data: bytes) -> None:
        """Pass bytes on."""
        self._writer.write(data)
        await self._writer.drain()

    async def body(self, head: Head, limit: int | None = None) -> int:
        """Pass a message's body on; returns its length. After `limit` bytes raises _CutError."""
        if head.headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunks(limit)
        return await self._bytes(int(head.headers.get("content-length", "0")), limit)

    async def everything(self) -> None:
        """Pass on whatever comes until the end, then the end."""
        while data := await self._reader.read(_BULK_BYTES):
            await self.send(data)
        self._writer.close()

    def close(self) -> None:
        """Close the end that is written to, after what was sent."""
        self._writer.close()

    async def _chunks(self, limit: int | None) -> int:
        total = 0
        while True:
            line = await self._reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            await self.send(line)
            total += await self._bytes(size, None if limit is None else limit - total)
            await self.send(await self._reader.readuntil(b"\r\n"))
            if size == 0:
                return total

    async def _bytes(self, length: int, limit: int | None) -> int:
        left = length if limit is None else min(length, limit)
        while left:
            data = await self._reader.read(min(left, _BULK_BYTES))
            if not data:
                raise EOFError
            left -= len(data)
            await self.send(data)
        if limit is not None and limit < length:
            raise _CutError
        return length


class Server:
    """The process: each client's connection gets one of its own to the API server."""

    def __init__(self, pki: Path, plan: Plan, address: str) -> None:
        self._upstream_tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._plan = plan
        self._address = address
        self._numbers = itertools.count(1)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        number = next(self._numbers)
        upstream_reader, upstream_writer = await asyncio.open_connection(
            self._address,
            API_PORT,
            limit=_BULK_BYTES,
            ssl=self._upstream_tls,
            server_hostname="kubernetes",
        )
        there = Pipe(reader, upstream_writer)
        back = Pipe(upstream_reader, writer)
        with suppress(OSError, EOFError, _CutError):
            while await self._exchange(number, there, back):
                pass
        there.close()
        back.close()

    async def _exchange(self, number: int, there: Pipe, back: Pipe) -> bool:
        """Pass on one request and its answer; False when the connection is of no more use."""
        asked = await there.head()
        if asked is None:
            return False
        print(_ASKED, flush=True)
        await there.send(asked.raw)
        await there.body(asked)
        answered = await back.head()
        if answered is None:
            return False
        await back.send(answered.raw)
        method, path, _ = asked.first
        warning = answered.headers.get("warning", "")
        note = Request(number, method, path, int(answered.first[1]), 0, warning)
        if note.status == 101:
            print(json.dumps(asdict(note)), flush=True)
            await asyncio.gather(there.everything(), back.everything())
            return False
        cut = self._plan.cut_after_bytes if self._plan.cut_path in path else None
        received = 0
        try:
            if method != "HEAD":
                received = await back.body(answered, cut)
        except _CutError:
            received = cut or 0
            raise
        finally:
            print(json.dumps(asdict(replace(note, received_bytes=received))), flush=True)
        return True


class Distance:
    """A listener that stands `delay_s` away from the port behind it, in both directions."""

    def __init__(self, port: int, delay_s: float) -> None:
        self._port = port
        self._delay_s = delay_s

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        await asyncio.sleep(2 * self._delay_s)  # TCP's own handshake, which came for nothing here
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._carry(reader, there_writer), self._carry(there_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read at once and write later, so that delay costs time but not throughput."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    writer.close()
                    return
                writer.write(data)

        arriving = asyncio.ensure_future(arrive())
        data = b"?"
        while data:
            try:
                data = await reader.read(1 << 16)
            except OSError:
                data = b""
            under_way.put_nowait((loop.time() + self._delay_s, data))
        await arriving


async def _main(pki: Path, plan: Plan, address: str) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pki / "server.crt", pki / "server.key")
    tls.set_alpn_protocols(["http/1.1"])
    server = Server(pki, plan, address)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, limit=_BULK_BYTES, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    if plan.delay_s:
        distance = Distance(port, plan.delay_s)
        outer = await asyncio.start_server(distance.handle, "127.0.0.1", 0)
        port = outer.sockets[0].getsockname()[1]
    print(port, flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), Plan(**json.loads(sys.argv[2])), sys.argv[3]))
