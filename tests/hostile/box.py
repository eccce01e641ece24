"""A container that says what it likes to the script of connect --with-sshd, by the real stream."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tests.commands.fake_api import FakeApi
from tests.commands.world import NODE
from tests.container.answers import said
from tests.kube import make
from tests.kube.faulty import Faulty, request_of
from tests.kube.server import Peer, Received, Talk

GROUND = b'machine x86_64\nuser dev\nuid 1000\nprogram {"version": "9.9.9"}\n'
TABLE = b"table /proc/net/tcp\nend\n"


@dataclass
class Box:
    """Behaves as tests.kube.server wants it; what is not a container's is a well-behaved API.

    :ivar ground: what the script tells at first.
    :ivar start: the answer to start; None to hang up instead.
    :ivar remove: the answer to remove.
    :ivar floods: the answer to start comes again and again, without an end.
    :ivar told: the commands and their input lines that came.
    :ivar seeds: the host keys' seeds that came along.
    """

    ground: bytes = GROUND + TABLE
    start: bytes | None = None
    remove: bytes = said({"state": "absent"})
    floods: bool = False
    api: FakeApi = field(default_factory=lambda: FakeApi(make.pod("dev"), NODE))
    told: list[tuple[str, str]] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._behaved = Faulty(self.api)

    def __call__(self, received: Received) -> object:
        """Serve one request."""
        if request_of(received).subresource == "exec":
            return Talk(self._talk)
        return self._behaved(received)

    @property
    def words(self) -> list[str]:
        """The commands alone."""
        return [word for word, _ in self.told]

    def _talk(self, peer: Peer) -> None:
        peer.send(1, self.ground)
        heard = b""
        while True:
            while heard.count(b"\n") < 2:
                opcode, data = peer.receive()
                if opcode == 8:
                    return
                heard += data[1:]
            word, line, heard = heard.split(b"\n", 2)
            self.told.append((word.decode(), line.decode()))
            if word == b"start":
                self.seeds.append(json.loads(line)["host_key"])
                if self.start is None:
                    return
                while self.floods:
                    peer.send(1, self.start)
            said = self.remove if word == b"remove" else self.start
            assert said is not None
            for begin in range(0, len(said), 1 << 15):
                peer.send(1, said[begin : begin + (1 << 15)])
