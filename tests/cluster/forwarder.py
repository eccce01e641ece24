"""What Docker Desktop and its like do on the laptop.

Run as `python -m tests.cluster.forwarder STATE PLAN ADDRESS PID`; PLAN is a profiles.Forwarder.
Watches the cluster's Services and listens at every NodePort, and at the API server's port, for the
node's ADDRESS. A port that is taken it tells on stderr, and passes it over as the real ones do.
It accepts before it knows whether the node answers, and closes if it does not, as they do; and as
with them the other half of a connection begins inside the node, whose first process is PID. The
line "ready" on stdout says that it listens at all ports that there were at its start.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.cluster import profiles
from tests.cluster.api import Api, Object
from tests.cluster.namespaces import connected
from tests.cluster.process import ClusterError, ProcessId
from tests.cluster.profiles import API_PORT

_SERVICES = "/api/v1/services"


class Forwarder:
    """The listeners, one for each port that is wanted."""

    def __init__(self, plan: profiles.Forwarder, node: ProcessId, address: str) -> None:
        self.plan = plan
        self._node = node
        self._address = address
        self._wanted: set[int] = set()
        self._servers: dict[int, asyncio.Server] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    async def listen_at(self, ports: set[int], delay_s: float = 0) -> None:
        """Open and close listeners until these ports are open; connections that run stay.

        With a delay the new ones are opened so much later, if they are still wanted then.
        """
        self._wanted = ports
        for port in self._servers.keys() - ports:
            self._servers.pop(port).close()
        if delay_s:
            task = asyncio.create_task(self._open_later(ports - self._servers.keys(), delay_s))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        else:
            await self._open(ports)

    async def _open_later(self, ports: set[int], delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._open(ports & self._wanted)

    async def _open(self, ports: set[int]) -> None:
        for port in ports - self._servers.keys():
            try:
                relay = partial(self._relay, port)
                server = await asyncio.start_server(relay, self.plan.bind, port)
            except OSError as error:
                print(f"port {port}: {error}", file=sys.stderr, flush=True)
                continue
            self._servers[port] = server

    async def _relay(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self.plan.hollow and port != API_PORT:
            writer.close()
            return
        try:
            inside = await asyncio.to_thread(connected, self._node, (self._address, port))
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
            _apply(wanted, forwarder, loop, forwarder.plan.delay_s if announced else 0)
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
                _apply(wanted, forwarder, loop, forwarder.plan.delay_s)
        except (ClusterError, OSError) as error:
            print(error, file=sys.stderr, flush=True)
            time.sleep(0.5)


def _apply(
    wanted: dict[str, set[int]],
    forwarder: Forwarder,
    loop: asyncio.AbstractEventLoop,
    delay_s: float,
) -> None:
    ports = {API_PORT}.union(*(wanted.values() if forwarder.plan.node_ports else ()))
    asyncio.run_coroutine_threadsafe(forwarder.listen_at(ports, delay_s), loop).result()


async def _main(state: Path, plan: profiles.Forwarder, address: str, node: ProcessId) -> None:
    pki = state / "pki"
    api = Api(
        pki / "ca.crt",
        (pki / "token").read_text(),
        lambda: socket.create_connection((address, API_PORT), 5),
    )
    arguments = (api, Forwarder(plan, node, address), asyncio.get_running_loop())
    threading.Thread(target=_follow, args=arguments, daemon=True).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    chosen = profiles.Forwarder(**json.loads(sys.argv[2]))
    asyncio.run(_main(Path(sys.argv[1]), chosen, sys.argv[3], ProcessId.of(int(sys.argv[4]))))
