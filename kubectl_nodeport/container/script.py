"""What is asked inside the container, in one exec, and how its answers are read. Pure.

The first answer waits for one line over stdin, by which more is asked than the request has room
for (:data:`MORE`). After it the script waits to be asked who is connected to a port, again and
again, until its stdin ends. The container is not trusted: each line of an answer is
checked, and what does not fit is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kubectl_nodeport.container import authorized_keys, editor_needs
from kubectl_nodeport.container.authorized_keys import HOME, Authorized
from kubectl_nodeport.container.editor_needs import Equipment
from kubectl_nodeport.container.keywords import any_case
from kubectl_nodeport.ssh.known_hosts import HostKey, parse_public_keys
from kubectl_nodeport.ssh.names import passes, validate_user

# Prints the table of TCP sockets: what listens, and who is connected to the port $1. Sockets have
# state 0A in /proc/net/tcp when they listen and 01 when they are connected (TCP_LISTEN and
# TCP_ESTABLISHED of include/net/tcp_states.h). The table comes through a pipe: in a file bash goes
# back after each line, for which the kernel makes the table anew.
SOCKETS = r"""sockets() {
  for table in /proc/net/tcp /proc/net/tcp6; do
    [ -r "$table" ] || continue
    echo "table $table"
    { cat "$table" 2>/dev/null || slowly "$table"; } | rows "$1"
  done
}
slowly() { while IFS= read -r row; do echo "$row"; done < "$1"; }
rows() {
  while IFS=' ' read -r _ local peer state _; do
    case $state in
      0A) echo "listen $local" ;;
      01) [ "${local##*:}" = "$1" ] && echo "peer $peer" ;;
    esac
  done
}"""

# POSIX sh, nothing but what a small image has, and any of that may be missing.
#
# Which ssh server runs, and with which files, its command line tells (sshd's title holds the words
# of it; that of a session begins with no path), if its owner is root or ourselves: anybody else
# could name keys of his own. No program is started because a command line names it. Of sshd,
# `sshd -T` tells the host keys that it really uses and its settings, but only to root and where the
# configuration is whole; else that is read as far as it names host keys. Before OpenSSH 10.5 it
# writes keywords in lower case alone. A server that is not seen, as in another container or behind
# a systemd socket, is taken for one with the usual files.
#
# The age of a key says whether it came with the image; that of one on a mounted volume, a Secret's
# say, tells nothing.
_SCRIPT = (
    r"""
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C
login=$1 peers=$2 tab='<tab>' cr='<cr>' nl='
'
<sockets>
<equipment>
made() {
  while IFS=' ' read -r _ at _; do
    case $at in
      /) ;;
      *) case $1 in "$at" | "$at"/*) echo made; return ;; esac ;;
    esac
  done < /proc/mounts
  echo "made $(stat -L -c %Y "$1" 2>/dev/null)"
}
public() {
  count=0
  while [ $count -lt 8 ] && { read -r line || [ -n "$line" ]; }; do
    case $line in ssh-* | ecdsa-*) echo "hostkey $line" ;; esac
    count=$((count + 1))
  done
}
key() {
  if [ -f "$1.pub" ] && [ -r "$1.pub" ]; then
    made "$1"
    public < "$1.pub"
  elif [ -f "$1" ] && [ -r "$1" ]; then
    made "$1"
    case $1 in
      *.pub) public < "$1" ;;
      *) { ssh-keygen -y -f "$1" || dropbearkey -y -f "$1"; } </dev/null 2>/dev/null | public ;;
    esac
  fi
}
keys() {
  IFS=$nl
  for file in $files; do key "$file"; done
}
config() {
  read=$((read + 1))
  [ -f "$1" ] && [ -r "$1" ] && [ $2 -lt 5 ] && [ $read -lt 64 ] || return
  while IFS=" =$tab" read -r word rest || [ -n "$word" ]; do
    case $word in
      <hostkey>)
        case $rest in
          \"*) rest=${rest#?} rest=${rest%%\"*} ;;
          *) rest=${rest%%[ $tab$cr#]*} ;;
        esac
        files=$files$nl$rest ;;
      <include>)
        IFS=" \"$tab$cr"
        for included in $rest; do config "$included" $(($2 + 1)); done ;;
    esac
  done < "$1"
}
sshd_keys() {
  OPTIND=1 conf= files= read=0
  while getopts :46C:DE:GQRTVb:c:def:g:h:ik:o:p:qrtu: word "$@"; do
    case $word=$OPTARG in
      f=*) conf=$OPTARG ;;
      h=*) files=$files$nl$OPTARG ;;
      o=[Hh]ost[Kk]ey=*) files=$files$nl${OPTARG#*=} ;;
    esac
  done
  given=$files
  if [ -n "$conf" ]; then set -- -f "$conf"; else set --; fi
  settings=$(sshd -T "$@" 2>/dev/null)
  IFS=$nl
  for line in $settings; do
    case $line in
      [Hh]ost[Kk]ey\ *) [ -n "$given" ] || files=$files$nl${line#* } ;;
      *[Aa]uthentication\ * | *[Ff]orwarding\ *) echo "sshd $line" ;;
    esac
  done
  if [ "$files" = "$given" ]; then
    set -- "${conf:-/etc/ssh/sshd_config}"
    [ -n "$conf" ] || set -- "$1" /usr/local/etc/ssh/sshd_config /usr/local/etc/sshd_config
    for place; do config "$place" 0; done
  fi
  [ -n "$files" ] || for place in /etc/ssh /usr/local/etc/ssh /usr/local/etc; do
    for file in "$place"/ssh_host_*_key; do files=$files$nl$file; done
  done
  keys
}
dropbear_keys() {
  [ "$1" != dropbear ] || shift
  OPTIND=1 files=
  while getopts :ABD:EFG:I:K:P:RT:VW:ab:c:d:egijkl:mp:r:stwz word "$@"; do
    [ "$word" != r ] || files=$files$nl$OPTARG
  done
  [ -n "$files" ] || for file in /etc/dropbear/dropbear_*_host_key; do files=$files$nl$file; done
  keys
}
process() {
  while IFS=" $tab" read -r word value _; do
    case $word in
      Name:) case $value in sshd | sshd.* | dropbear*) name=$value ;; *) return ;; esac ;;
      Uid:) uid=$value; return ;;
    esac
  done < "$1/status"
}
home=
self=$(id -un 2>/dev/null || whoami 2>/dev/null)
echo "user $self"
echo "folder $PWD"
while IFS=: read -r name _ _ _ _ dir _; do
  [ "$name" = "${login:-$self}" ] && home=$dir && echo "home $dir"
done < /etc/passwd
[ "${login:-$self}" = "$self" ] || home=
equipment "$home"
cd / && cd /etc/ssh 2>/dev/null
looked=0 servers=
for each in /proc/[0-9]*; do
  name=
  [ -r "$each/status" ] && process "$each" 2>/dev/null
  [ -n "$name" ] && [ $looked -lt 64 ] && { [ "$uid" = 0 ] || [ "$uid" = "$(id -u)" ]; } || continue
  looked=$((looked + 1))
  words=$({ tr '\000' '\n' < "$each/cmdline"; } 2>/dev/null)
  case $words in "$name: "[!/]*) continue ;; esac
  case $servers in *"<$words>"*) continue ;; esac
  servers="$servers<$words>"
  IFS=" $nl"
  set -f
  set -- $words
  set +f
  case $1 in *:) shift ;; esac
  [ $# = 0 ] || shift
  case $name in sshd*) sshd_keys "$@" ;; *) dropbear_keys "$@" ;; esac
done
[ -n "$servers" ] || { sshd_keys; dropbear_keys; }
sockets "$peers"
read -r more && eval "$more"
echo end
while read -r peers; do sockets "$peers"; echo end; done
""".replace("<tab>", "\t")
    .replace("<cr>", "\r")
    .replace("<sockets>", SOCKETS)
    .replace("<equipment>", editor_needs.SCRIPT)
)
END = b"end"
"""The last line of each answer."""

MORE = authorized_keys.SCRIPT
"""The first line to write: sent before anything is heard, it is there when it is read."""


def command(user: str | None, port: int) -> tuple[str, ...]:
    """What to run in the container.

    :param user: whom to log in as, if that is known already.
    :param port: whose connections the first answer tells.
    """
    return ("sh", "-c", without_indent(any_case(_SCRIPT)), "sh", user or "", peers_of(port))


def without_indent(shell: str) -> str:
    """A script as it is sent: its every letter counts in the request's line."""
    return "\n".join(line.lstrip(" ") for line in shell.split("\n"))


def peers_of(port: int) -> str:
    """The line that asks who is connected to a port now."""
    return f"{port:04X}"


# An sshd has one of each type, or a few; a container that tells more has made them up.
_MOST_KEYS = 32
_FOLDER = re.compile(r"/.{0,1023}")
_LISTEN = re.compile(r"listen ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})")
_PEER = re.compile(r"peer ((?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4})")
_MADE = re.compile(r"made ([0-9]{1,12})")
# The settings by which a password may let somebody in, by their former name too (before 8.7).
_PASSWORDS = re.compile(
    "sshd (?i:(?:password|kbdinteractive|challengeresponse)authentication) (yes|no)"
)


@dataclass(frozen=True, slots=True)
class Inside:
    """What a container says of itself.

    :ivar user: whom it runs as; "" where it did not say or said something that cannot be.
    :ivar home: the home folder of whoever logs in; "" likewise.
    :ivar listening: for each TCP port with a listener whether all of its listeners are bound to
        loopback, so that nothing outside the pod reaches it; None without a table to read.
    :ivar peers: who was connected to the port that was asked about.
    :ivar made_s: when the file of a host key was last changed, in seconds since 1970; keys of which
        that is not known are missing.
    :ivar passwords: whether sshd lets people in by password; None where it does not say.
    :ivar equipment: what of it VS Code's server needs; None where it did not say.
    :ivar folder: where commands start that are run in the container; "" as for ``user``.
    :ivar authorized: who is let in by key; None where it did not say.
    """

    user: str
    home: str
    host_keys: tuple[HostKey, ...]
    listening: dict[int, bool] | None
    peers: frozenset[str] = frozenset()
    made_s: Mapping[HostKey, int] = field(default_factory=dict, hash=False)
    passwords: bool | None = None
    equipment: Equipment | None = None
    folder: str = ""
    authorized: Authorized | None = None


def is_whole(output: bytes) -> bool:
    """Whether the script came to its end; a part of an answer would be misread."""
    return output.rstrip().endswith(b"\nend")


def parse(output: bytes) -> Inside:
    """Read the script's first answer."""
    authorized = authorized_keys.read(output)
    output = authorized_keys.others(output)
    lines = output.decode("utf-8", "replace").splitlines()
    user, home, folder = "", "", ""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "user" and passes(validate_user, rest):
            user = rest
        elif word == "home" and HOME.fullmatch(rest):
            home = rest
        elif word == "folder":
            folder = shown_folder(rest)
    keys = [line.removeprefix("hostkey ") for line in lines if line.startswith("hostkey ")]
    allowed = {match[1] for line in lines if (match := _PASSWORDS.fullmatch(line))}
    return Inside(
        user=user,
        home=home,
        host_keys=parse_public_keys("\n".join(keys))[:_MOST_KEYS],
        listening=listeners(lines),
        peers=parse_peers(output),
        made_s=dict(_ages(lines)),
        passwords="yes" in allowed if allowed else None,
        equipment=editor_needs.read(lines),
        folder=folder,
        authorized=authorized,
    )


def listeners(lines: Iterable[str]) -> dict[int, bool] | None:
    """Read what SOCKETS prints: see :attr:`Inside.listening`."""
    ports: dict[int, bool] = {}
    is_table = False
    for line in lines:
        is_table = is_table or line.startswith("table ")
        if match := _LISTEN.fullmatch(line):
            port = int(match[2], 16)
            ports[port] = ports.get(port, True) and _is_loopback(match[1])
    return ports if is_table else None


def parse_peers(output: bytes) -> frozenset[str]:
    """Read an answer to :func:`peers_of`: addresses and ports as the kernel writes them."""
    lines = output.decode("utf-8", "replace").splitlines()
    return frozenset(match[1] for line in lines if (match := _PEER.fullmatch(line)))


def _ages(lines: list[str]) -> Iterator[tuple[HostKey, int]]:
    """The keys whose file's age is told; of a key in two files that of the last."""
    made_s: int | None = None
    for line in lines:
        if line.startswith("made"):
            match = _MADE.fullmatch(line)
            made_s = int(match[1]) if match else None
        elif line.startswith("hostkey ") and made_s is not None:
            for key in parse_public_keys(line.removeprefix("hostkey ")):
                yield key, made_s


def shown_folder(path: str) -> str:
    """A folder that a container told; "" where it is none, or no UTF-8 that could be shown."""
    is_one = _FOLDER.fullmatch(path) and path.isprintable() and "\ufffd" not in path
    return path if is_one else ""


def _is_loopback(address: str) -> bool:
    """127.0.0.0/8, or ::1, as the kernel writes them: 32-bit words, little-endian on most hosts."""
    address = address.removeprefix("0" * 16 + "FFFF0000")  # IPv4 on an IPv6 socket
    if len(address) == 8:
        return address.endswith("7F") or address == "7F000001"
    return address in ("0" * 24 + "01000000", "0" * 31 + "1")
