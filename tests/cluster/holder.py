"""The first process of a node or a laptop: it holds their namespaces open.

Started by file name in namespaces of its own, so it imports nothing of ours. Its stdin brings a
line of JSON ({"setup": commands, "programs": [...], "exits": file}); its stdout answers with its
own process number as seen from outside; the line "go" starts the programs. End of stdin ends it,
so a killed test run takes its cluster along, unless the line "stay" came before.

In a node it is PID 1 of a pid namespace: when it ends, the kernel ends everything else there.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any


def main() -> None:
    """Set up, say the number, start the programs, then reap until the end."""
    spec = json.loads(sys.stdin.readline())
    outer_pid = Path("/proc/self").readlink()  # before setup mounts this namespace's own /proc
    for argv in spec["setup"]:
        subprocess.run(argv, check=True)
    print(outer_pid, flush=True)
    if sys.stdin.readline() != "go\n":
        return
    threading.Thread(target=_follow_owner, daemon=True).start()
    running: dict[int, str] = {}
    exits = Path(spec["exits"])
    for program in spec["programs"]:
        while program["after"] and not _answers(program["after"]):
            _reap(running, exits, os.WNOHANG)
            time.sleep(0.03)
        running[_start(program)] = program["name"]
    while True:
        _reap(running, exits, 0)


def _follow_owner() -> None:
    for line in sys.stdin:
        if line == "stay\n":
            return
    os._exit(0)


def _answers(url: str) -> bool:
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=anyone)
    )
    try:
        direct.open(url, timeout=5).close()
    except OSError:
        return False
    return True


def _start(program: dict[str, Any]) -> int:
    with Path(program["log"]).open("ab") as log:
        process = subprocess.Popen(
            program["argv"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=program["env"],
            cwd="/",
        )
    process.returncode = 0  # reaped below, not by subprocess
    return process.pid


def _reap(running: dict[int, str], exits: Path, flags: int) -> None:
    try:
        pid, status = os.waitpid(-1, flags)
    except ChildProcessError:
        signal.pause()
        return
    if pid in running:
        with exits.open("a") as file:
            print(running.pop(pid), os.waitstatus_to_exitcode(status), file=file)


if __name__ == "__main__":
    main()
