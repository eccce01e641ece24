"""What VS Code's Remote-SSH runs on this machine and types on the other.

The extension's source is closed. Its command line and what its script does are known from logs in
the issues of microsoft/vscode-remote-release (such as 1921, 4474, 5564): without curl or wget over
there the server is sent by scp; the script unpacks it, checks what it needs, starts it with a
secret on a free port of 127.0.0.1, and tells the port. All else goes through the dynamic forwarding
of this one ssh.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.laptop import Laptop
from tests.workbench.shell import Shell, shell

_SOCKS_PORT = 11080
_TOKEN = "0b4f6a52-1f0e-4a55-9c11-3d3f3a8c7f10"  # of a server that only the test reaches
_SENT = "vscode-server.tar.gz"
_SCRIPT = f"""\
set -e
home=~/.vscode-server
server=$home/bin/1
mkdir -p $server $home/data/Machine
tar -xzf ~/{_SENT} -C $server
rm ~/{_SENT}
sh $server/bin/helpers/check-requirements.sh
cat >$home/data/Machine/settings.json <<'END'
{{"files.autoSave": "off", "terminal.integrated.gpuAcceleration": "off"}}
END
(umask 077; echo {_TOKEN} >$home/token)
nohup $server/bin/code-server-oss --start-server --host=127.0.0.1 --port=0 \\
  --connection-token-file=$home/token --accept-server-license-terms \\
  --enable-remote-auto-shutdown --telemetry-level=off --disable-workspace-trust \\
  --server-data-dir=$home >$home/log 2>&1 </dev/null &
until grep 'Extension host agent listening on' $home/log; do
  kill -0 $! || {{ cat $home/log; exit 1; }}
  sleep 0.1
done
"""
"""The settings let a test read the terminal, and save; the last flags keep questions away."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connected Remote-SSH."""

    shell: Shell
    proxy: str
    """Through which the server's ports are reached."""
    server: str
    """The server's URL, behind the proxy."""

    def url(self, folder: str) -> str:
        """Where the workbench opens this folder."""
        return f"{self.server}/?folder={folder}&tkn={_TOKEN}"


@contextmanager
def connected(laptop: Laptop, host: str, archive: Path) -> Iterator[Connection]:
    """Install the server on a host of ~/.ssh/config, start it, and keep its ssh for the block."""
    laptop.run(["scp", "-q", archive, f"{host}:{_SENT}"], timeout_s=120, check=True)
    argv = ["ssh", "-T", "-D", str(_SOCKS_PORT), "-o", "ConnectTimeout=15", host]
    with shell(laptop, argv) as session:
        session.type(_SCRIPT)
        port = session.wait_for(r"listening on (\d+)\n")[1]
        yield Connection(session, f"socks5://127.0.0.1:{_SOCKS_PORT}", f"http://127.0.0.1:{port}")
