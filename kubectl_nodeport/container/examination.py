"""What doctor asks inside the container, in one exec, and how the answer is read. Pure.

It is more than connect needs to know, of the ssh server and of whoever logs in. The container is
not trusted: each line is checked, and what does not fit is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kubectl_nodeport.container import editor_needs
from kubectl_nodeport.container.authorized_keys import HOME, parse_line
from kubectl_nodeport.container.editor_needs import Equipment
from kubectl_nodeport.container.script import SOCKETS, listeners, without_indent
from kubectl_nodeport.ssh.known_hosts import HostKey
from kubectl_nodeport.ssh.names import passes, validate_user

_SENT = "# sent"
"""The last line of the script, which comes over stdin: a line of HTTP has no room for it."""
_HEARD = f"""eval "$(while IFS= read -r line && [ "$line" != '{_SENT}' ]; do
printf '%s\\n' "$line"
done)"
"""

# POSIX sh and what a small image has; any of that may be missing. Nothing is changed.
#
# As in container.script the command line of a running sshd tells its configuration, if its owner is
# root or ourselves, and no program is started because a command line names it. `sshd -T` is asked
# with `-C`, so that Match blocks count for whoever logs in; and without what the command line adds,
# as its file alone has it, since that is where something can be changed. Where containers share
# their processes, those of another one have another root: what is in this one is none of theirs.
_SCRIPT = (
    r"""
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C
nl='
'
<sockets>
<equipment>
process() {
  while IFS=" <tab>" read -r word value _; do
    case $word in
      Name:) case $value in sshd | dropbear* | nodeport-sshd*) name=$value ;; *) return ;; esac ;;
      Uid:) owner=$value; return ;;
    esac
  done < "$1/status"
}
arguments() {
  OPTIND=1 given= conf=
  while getopts :46C:DE:GQRTVb:c:def:g:h:ik:o:p:qrtu: word "$@"; do
    case $word in [fhop]) given=$given$nl-$word$nl$OPTARG ;; esac
    [ "$word" != f ] || conf=$OPTARG
  done
}
settings() {
  IFS=$nl
  set -f
  set -- $given
  set +f
  sshd -T "$@" -C "user=$login,host=localhost,addr=127.0.0.1" </dev/null 2>/dev/null
}
telling() {
  while read -r line; do
    case $line in
      port\ * | allowtcpforwarding\ * | disableforwarding\ * | permitrootlogin\ * | \
        strictmodes\ * | pubkeyauthentication\ * | *keys*\ none) echo "$1 $line" ;;
    esac
  done
}
writers() {
  at=$1 deep=0
  while [ -n "$at" ] && [ $deep -lt 16 ]; do
    told=$(stat -L -c '%a %u' "$at" 2>/dev/null) && echo "mode $told $at"
    [ -w "$at" ] || echo "firm $at"
    [ "$at" != "$home" ] || return
    at=${at%/*} deep=$((deep + 1))
  done
}
keyfile() {
  file=$1
  for word in 1 2 3 4; do
    case $file in
      *%h*) file=${file%%\%h*}$home${file#*\%h} ;;
      *%u*) file=${file%%\%u*}$login${file#*\%u} ;;
      *) break ;;
    esac
  done
  case $file in none) return ;; /*) ;; *) file=$home/$file ;; esac
  echo "keyfile $file"
  [ -e "$file" ] || return
  echo "there $file"
  [ ! -L "$file" ] || echo "link $file"
  writers "$file"
  [ -f "$file" ] || { echo "odd $file"; return; }
  [ -r "$file" ] || { echo "unreadable $file"; return; }
  count=0
  while [ $count -lt 256 ] && { read -r line || [ -n "$line" ]; }; do
    count=$((count + 1))
    case $line in '' | \#*) ;; *) echo "authorized $line" ;; esac
  done < "$file"
}
place() {
  [ -d "$1" ] || return
  df -Pk "$1" 2>/dev/null | { read -r _; read -r _ _ _ free _ && echo "free $free $1"; }
  longest=0 options=
  while IFS=' ' read -r _ at _ flags _; do
    case $1/ in
      "${at%/}"/*) [ ${#at} -lt $longest ] || { longest=${#at} options=$flags; } ;;
    esac
  done < /proc/mounts
  case ,$options, in *,noexec,*) echo "noexec $1" ;; esac
}
self=$(id -un 2>/dev/null || whoami 2>/dev/null)
login=${1:-$self} home=
echo "user $self"
echo "uid $(id -u 2>/dev/null)"
for word in sshd dropbear apt-get apk dnf; do
  word=$(command -v $word) && echo "installed $word"
done
while IFS=: read -r name _ number _ _ dir shell; do
  [ "$name" = "$login" ] || continue
  home=${dir%/}
  echo "login $number"
  echo "home $home"
  [ -x "${shell:=/bin/sh}" ] || echo no-shell
  echo "shell $shell"
  break
done < /etc/passwd
[ ! -d "$home" ] || echo has-home
if [ "$login" = "$self" ]; then equipment "$home"; else equipment ""; fi
cd / && cd /etc/ssh 2>/dev/null
looked=0 given= conf= running=
for each in /proc/[0-9]*; do
  name=
  [ -r "$each/status" ] && process "$each" 2>/dev/null
  [ -n "$name" ] && [ $looked -lt 64 ] || continue
  [ "$owner" = 0 ] || [ "$owner" = "$(id -u)" ] || continue
  [ ! -e "$each/root/." ] || [ "$each/root/." -ef / ] || continue
  looked=$((looked + 1))
  words=$({ tr '\000' '\n' < "$each/cmdline"; } 2>/dev/null)
  case $words in "$name: "[!/]*) continue ;; esac
  echo "running ${each#/proc/} $name"
  [ -z "$running" ] && [ "$name" = sshd ] || continue
  running=$name
  IFS=" $nl"
  set -f
  set -- $words
  set +f
  case $1 in *:) shift ;; esac
  [ $# = 0 ] || shift
  arguments "$@"
done
files='.ssh/authorized_keys .ssh/authorized_keys2'
told=$(settings)
IFS=$nl
for line in $told; do
  case $line in authorizedkeysfile\ *) files=${line#* } ;; esac
done
echo "$told" | telling sshd
conf=${conf:-/etc/ssh/sshd_config}
[ -z "$running" ] || [ ! -f "$conf" ] || {
  echo "config $conf"
  sshd -T -f "$conf" </dev/null 2>/dev/null | telling plain
}
if [ -z "$running" ] && command -v sshd >/dev/null; then
  told=$(sshd -t </dev/null 2>&1)
  echo "complaint ${told%%"$nl"*}"
fi
IFS=' '
set -f
for one in $files; do keyfile "$one"; done
place "$home"
place /tmp
sockets 0000
echo end
while read -r _; do :; done
<sent>
""".replace("<tab>", "\t")
    .replace("<sockets>", SOCKETS)
    .replace("<equipment>", editor_needs.SCRIPT)
    .replace("<sent>", _SENT)
)
SCRIPT = without_indent(_SCRIPT).rstrip("\n")
"""What is to be written to the stdin of :func:`command`."""
END = b"end"
"""The last line of the answer."""

_PATH = r"/[A-Za-z0-9/_.@+-]{0,255}"
_PROGRAM = re.compile(_PATH)
_MODE = re.compile(rf"([0-7]{{3,4}}) ([0-9]{{1,10}}) ({_PATH})")
_FREE = re.compile(rf"([0-9]{{1,15}}) ({_PATH})")
_RUNNING = re.compile(r"([0-9]{1,10}) (sshd|dropbear[a-z]{0,10}|nodeport-sshd)")
_NUMBER = re.compile(r"[0-9]{1,10}")
_SETTING = re.compile(
    "(port|allowtcpforwarding|disableforwarding|permitrootlogin|strictmodes|pubkeyauthentication|"
    "authorizedkeysfile|authorizedkeyscommand|trustedusercakeys) ([a-z0-9-]{1,40})"
)


@dataclass(frozen=True, slots=True)
class Mode:
    """Who may write a file or folder: its permission bits, and its owner's uid."""

    path: str
    bits: int
    uid: int


@dataclass(frozen=True, slots=True)
class Examination:
    """What a container says of its ssh server and of whoever logs in.

    :ivar user: whom it runs as; "" where it did not say. ``uid`` likewise, None then.
    :ivar login_uid: the uid of whoever logs in; None where /etc/passwd does not have them.
    :ivar home: their home folder; "" where it is not known.
    :ivar shell: their login shell; "" likewise. ``has_shell`` is whether it can be run.
    :ivar installed: sshd, dropbear and package managers, each with its path.
    :ivar running: the ssh servers that run, each with its process id.
    :ivar settings: of sshd, as ``sshd -T`` tells them, for whoever logs in.
    :ivar config: the file of a running sshd; "" where it is not known.
    :ivar plain: settings as that file alone has them, outside of its Match blocks.
    :ivar complaint: why sshd would not start, where it does not run; "" where it would.
    :ivar key_files: the files in which sshd looks for keys, those that are there first.
    :ivar missing: those of them that are not there.
    :ivar unreadable: those that we may not read.
    :ivar odd: those that are no files.
    :ivar links: those that are symbolic links.
    :ivar firm: of those that are there, and of the folders up to the home, what the container's
        user cannot write, as it is mounted read-only perhaps.
    :ivar modes: of those that are there, and of the folders up to the home.
    :ivar authorized: the keys in them.
    :ivar free_kib: what is free in the home folder and in /tmp.
    :ivar noexec: those of them where no program may be run.
    """

    user: str = ""
    uid: int | None = None
    login_uid: int | None = None
    home: str = ""
    has_home: bool = False
    shell: str = ""
    has_shell: bool = True
    installed: Mapping[str, str] = field(default_factory=dict)
    running: tuple[tuple[int, str], ...] = ()
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    config: str = ""
    plain: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complaint: str = ""
    key_files: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    odd: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    firm: frozenset[str] = frozenset()
    modes: tuple[Mode, ...] = ()
    authorized: frozenset[HostKey] = frozenset()
    listening: Mapping[int, bool] | None = None
    free_kib: Mapping[str, int] = field(default_factory=dict)
    noexec: frozenset[str] = frozenset()
    equipment: Equipment | None = None

    @property
    def is_brought(self) -> bool:
        """Whether the ssh server that runs is one that connect brought along."""
        return any(name == "nodeport-sshd" for _, name in self.running)

    def says(self, setting: str, *values: str) -> bool:
        """Whether sshd tells one of these values of a setting."""
        return any(value in values for value in self.settings.get(setting, ()))


def command(user: str | None) -> tuple[str, ...]:
    """What to run in the container.

    :param user: whom to log in as; None for the container's own user.
    """
    return ("sh", "-c", _HEARD, "sh", user or "")


def is_whole(output: bytes) -> bool:
    """Whether the script came to its end; a part of an answer would be misread."""
    return output.rstrip().endswith(b"\nend")


def parse(output: bytes) -> Examination:
    """Read the script's answer."""
    # What ends a line for Python does not for sh: a file must not speak for the container.
    lines = output.decode("utf-8", "replace").split("\n")
    said: dict[str, list[str]] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        said.setdefault(word, []).append(rest)
    users = [name for name in said.get("user", []) if passes(validate_user, name)]
    homes = _matching(HOME, said.get("home", []))
    there = _matching(_PROGRAM, said.get("there", []))
    files = _matching(_PROGRAM, said.get("keyfile", []))
    programs = _matching(_PROGRAM, said.get("installed", []))
    return Examination(
        user=users[0] if users else "",
        uid=_number(said.get("uid", [])),
        login_uid=_number(said.get("login", [])),
        home=homes[0] if homes else "",
        has_home="has-home" in said,
        shell=next(iter(_matching(_PROGRAM, said.get("shell", []))), ""),
        has_shell="no-shell" not in said,
        installed={path.rpartition("/")[2]: path for path in programs},
        running=tuple((int(m[1]), m[2]) for m in _matches(_RUNNING, said.get("running", []))),
        settings=_settings(said.get("sshd", [])),
        config=next(iter(_matching(_PROGRAM, said.get("config", []))), ""),
        plain=_settings(said.get("plain", [])),
        complaint=next(iter(said.get("complaint", [])), "").strip(),
        key_files=tuple(dict.fromkeys([*there, *files])),
        missing=frozenset(files) - frozenset(there),
        unreadable=frozenset(_matching(_PROGRAM, said.get("unreadable", []))),
        odd=frozenset(_matching(_PROGRAM, said.get("odd", []))),
        links=frozenset(_matching(_PROGRAM, said.get("link", []))),
        firm=frozenset(_matching(_PROGRAM, said.get("firm", []))),
        modes=tuple(
            dict.fromkeys(
                Mode(m[3], int(m[1], 8), int(m[2])) for m in _matches(_MODE, said.get("mode", []))
            )
        ),
        authorized=frozenset(_keys(said.get("authorized", []))),
        listening=listeners(lines),
        free_kib={m[2]: int(m[1]) for m in _matches(_FREE, said.get("free", []))},
        noexec=frozenset(_matching(_PROGRAM, said.get("noexec", []))),
        equipment=editor_needs.read(lines),
    )


def _settings(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for match in _matches(_SETTING, lines):
        found[match[1]] = (*found.get(match[1], ()), match[2])
    return found


def _keys(lines: Iterable[str]) -> Iterable[HostKey]:
    for line in lines:
        found = parse_line(line)
        if found is not None and "cert-authority" not in found[1].lower():
            yield found[0]


def _number(texts: list[str]) -> int | None:
    found = _matching(_NUMBER, texts)
    return int(found[0]) if found else None


def _matching(pattern: re.Pattern[str], texts: Iterable[str]) -> list[str]:
    return [match[0] for match in _matches(pattern, texts)]


def _matches(pattern: re.Pattern[str], texts: Iterable[str]) -> list[re.Match[str]]:
    return [match for text in texts if (match := pattern.fullmatch(text))]
