"""What is asked inside the container, in one exec, and how its answer is read. Pure.

The container is not trusted: each line of its answer is checked, and what does not fit is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from kubectl_nodeport.ssh.names import passes, validate_user

# POSIX sh, nothing but what a small image has. `sshd -T` tells the host key files that sshd really
# uses, but only to root and where the configuration is whole; else the usual places are read.
# A listening socket has state 0A in /proc/net/tcp (include/net/tcp_states.h, TCP_LISTEN).
_SCRIPT = r"""
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C
self=$(id -un 2>/dev/null || whoami 2>/dev/null)
echo "user $self"
while IFS=: read -r name _ _ _ _ dir _; do
  [ "$name" = "${1:-$self}" ] && echo "home $dir"
done < /etc/passwd
files=$(sshd -T 2>/dev/null | sed -n 's/^hostkey //p')
[ -n "$files" ] || files=$(echo /etc/ssh/ssh_host_*_key)
for file in $files; do
  if [ -r "$file.pub" ]; then sed 's/^/hostkey /' "$file.pub"
  elif [ -r "$file" ]; then ssh-keygen -y -f "$file" </dev/null 2>/dev/null | sed 's/^/hostkey /'
  fi
done
for file in /etc/dropbear/dropbear_*_host_key; do
  [ -r "$file" ] || continue
  dropbearkey -y -f "$file" 2>/dev/null | sed -n '/^ssh-/s/^/hostkey /p;/^ecdsa-/s/^/hostkey /p'
done
for table in /proc/net/tcp /proc/net/tcp6; do
  [ -r "$table" ] && echo "table $table" && while read -r _ local _ state _; do
    [ "$state" = 0A ] && echo "listen $local"
  done < "$table"
done
echo end
"""


def command(user: str | None) -> tuple[str, ...]:
    """What to run in the container; ``user`` is whom to log in as, if that is known already."""
    return ("sh", "-c", _SCRIPT, "sh", user or "")


_HOME = re.compile(r"/[A-Za-z0-9/_.@+-]{0,255}")
_LISTEN = re.compile(r"listen ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})")


@dataclass(frozen=True, slots=True)
class Inside:
    """What a container says of itself.

    ``user`` is whom the container runs as, ``home`` the home folder of whoever logs in. They are
    empty where it did not say or said something that cannot be.
    ``listening`` maps each TCP port with a listener to whether all of its listeners are bound to
    loopback, so that nothing outside the pod reaches it; None where there was no table to read.
    """

    user: str
    home: str
    host_keys: tuple[HostKey, ...]
    listening: dict[int, bool] | None


def is_whole(output: bytes) -> bool:
    """Whether the script came to its end; a part of an answer would be misread."""
    return output.rstrip().endswith(b"\nend")


def parse(output: bytes) -> Inside:
    """Read the script's output."""
    lines = output.decode("utf-8", "replace").splitlines()
    user, home, table = "", "", False
    keys: list[str] = []
    ports: dict[int, bool] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "user" and passes(validate_user, rest):
            user = rest
        elif word == "home" and _HOME.fullmatch(rest):
            home = rest
        elif word == "hostkey":
            keys.append(rest)
        elif word == "table":
            table = True
        elif match := _LISTEN.fullmatch(line):
            port = int(match[2], 16)
            ports[port] = ports.get(port, True) and _is_loopback(match[1])
    return Inside(
        user=user,
        home=home,
        host_keys=parse_public_keys("\n".join(keys)),
        listening=ports if table else None,
    )


def _is_loopback(address: str) -> bool:
    """127.0.0.0/8, or ::1, as the kernel writes them: 32-bit words, little-endian on most hosts."""
    address = address.removeprefix("0" * 16 + "FFFF0000")  # IPv4 on an IPv6 socket
    if len(address) == 8:
        return address.endswith("7F") or address == "7F000001"
    return address in ("0" * 24 + "01000000", "0" * 31 + "1")
