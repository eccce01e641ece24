"""What Docker Desktop and its like do on the laptop.

Run as `python -m tests.cluster.forwarder STATE BIND PID`.
Watches the cluster's Services and listens on BIND at every NodePort, and at the API server's port.
It accepts before it knows whether the node answers, and closes if it does not, as they do; and as
with them the other half of a connection begins inside the node, whose first process is PID. The
line "ready" on stdout says that it listens at all ports that there were at its start.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.cluster.api import Api, Object
from tests.cluster.namespaces import connected
from tests.cluster.process import ClusterError, ProcessId
from tests.cluster.profiles import API_PORT, CABLE_NODE

_SERVICES = "/api/v1/services"


class Forwarder:
    """The listeners, one for each port that is wanted."""

    def __init__(self, bind: str, node: ProcessId) -> None:
        self._bind = bind
        self._node = node
        self._servers: dict[int, asyncio.Server] = {}

    async def listen_at(self, ports: set[int]) -> None:
        """Open and close listeners until these ports are open; connections that run stay."""
        for port in self._servers.keys() - ports:
            self._servers.pop(port).close()
        for port in ports - self._servers.keys():
            try:
                relay = partial(_relay, self._node, port)
                server = await asyncio.start_server(relay, self._bind, port)
            except OSError as error:
                print(f"port {port}: {error}", file=sys.stderr, flush=True)
                continue
            self._servers[port] = server


async def _relay(
    node: ProcessId, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        inside = await asyncio.to_thread(connected, node, (CABLE_NODE, port))
        node_reader, node_writer = await asyncio.open_connection(sock=inside)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, node_writer), _copy(node_reader, writer))
    for end in (writer, node_writer):
        end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 18):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        with suppress(OSError):
            writer.transport.abort()


def node_ports(service: Object) -> set[int]:
    """The TCP NodePorts of a Service."""
    ports = service["spec"].get("ports", [])
    return {
        port["nodePort"]
        for port in ports
        if port.get("nodePort") and port.get("protocol", "TCP") == "TCP"
    }


def _follow(api: Api, forwarder: Forwarder, loop: asyncio.AbstractEventLoop) -> None:
    """List, then watch, for ever; a broken watch starts over."""
    announced = False
    while True:
        try:
            listing = api.get(_SERVICES)
            wanted = {item["metadata"]["uid"]: node_ports(item) for item in listing["items"]}
            _apply(wanted, forwarder, loop)
            if not announced:
                announced = True
                print("ready", flush=True)
            version = listing["metadata"]["resourceVersion"]
            for event in api.watch(f"{_SERVICES}?watch=true&resourceVersion={version}"):
                if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
                    break
                service = event["object"]
                gone = event["type"] == "DELETED"
                wanted[service["metadata"]["uid"]] = set() if gone else node_ports(service)
                _apply(wanted, forwarder, loop)
        except (ClusterError, OSError) as error:
            print(error, file=sys.stderr, flush=True)
            time.sleep(0.5)


def _apply(
    wanted: dict[str, set[int]], forwarder: Forwarder, loop: asyncio.AbstractEventLoop
) -> None:
    ports = {API_PORT}.union(*wanted.values())
    asyncio.run_coroutine_threadsafe(forwarder.listen_at(ports), loop).result()


async def _main(state: Path, bind: str, node: ProcessId) -> None:
    pki = state / "pki"
    api = Api(
        pki / "ca.crt",
        (pki / "token").read_text(),
        lambda: socket.create_connection((CABLE_NODE, API_PORT), 5),
    )
    arguments = (api, Forwarder(bind, node), asyncio.get_running_loop())
    threading.Thread(target=_follow, args=arguments, daemon=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2], ProcessId.of(int(sys.argv[3]))))
