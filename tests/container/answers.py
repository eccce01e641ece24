"""What nodeport-sshd answers through the script that brings it into a container."""

from __future__ import annotations

import json

from tests.ssh.make import key


def answer(state: str = "started", **server: object) -> dict[str, object]:
    """What the server's program says, with other values for some of its fields."""
    plain = {
        "port": 20022,
        "listen": "",
        "version": "0.1.0",
        "host_key": key(7).openssh,
        "user": "dev",
        "home": "/home/dev",
        **server,
    }
    keys = [{"line": f"{key(1).openssh} me", "fingerprint": "", "comment": "me"}]
    return {"state": state, "keys": keys, "server": plain}


def said(plain: object) -> bytes:
    """The same as the script passes it on."""
    return json.dumps(plain).encode() + b"\nend\n"
