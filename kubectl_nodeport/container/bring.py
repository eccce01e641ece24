"""The script that brings an ssh server into a container. Pure.

One exec: it looks around and tells what it found, then does what it is told, a line for each, until
its stdin ends. Programs and keys come over that stdin, nothing of them stands in a command line.
"""

from __future__ import annotations

from collections.abc import Collection

from kubectl_nodeport.container import editor_needs
from kubectl_nodeport.container.script import SOCKETS, without_indent

END = b"end"
"""The last line of each answer."""

# POSIX sh. No file of its own and no PATH of its own: what it exports would be seen in sessions,
# whose environment is that of `start` where the first process' cannot be read. `start` has the
# umask and the folder that exec has, as sessions have them from it.
#
# Whether a place may hold programs an empty file tells: a file system that is mounted noexec
# refuses it before anything looks into it, and elsewhere the shell takes it for an empty script.
#
# A folder that is a link, or somebody else's, is passed over: its programs would be run. Others can
# change what a path leads to between two looks at it, where they may write to the place too (an
# emptyDir that another container mounts). So the shell goes into the folder first: where it stands,
# and whose that is, nobody else can change.
#
# An image without /tmp has room in its root folder, which is no other container's. What is mounted
# may be, so it comes last.
_SCRIPT = r"""
mask=$(umask) there=$(pwd)
umask 077
cd /
set -f
name=$1 first=$2 dir= made= nl='
'
<sockets>
<equipment>
mounts() {
  while IFS=' ' read -r _ at _; do
    case $at in
      / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | *\\*) ;;
      *) [ -d "$at" ] && echo "$at" ;;
    esac
  done < /proc/mounts
}
at() {
  case $1 in /*) ;; *) return 1 ;; esac
  cd -P "$1" && dir=$(pwd -P) && dir=${dir%/}/$name
} 2>/dev/null
enter() {
  cd -P "./$name" && [ "$(pwd -P)" = "$dir" ] && [ -O . ] && return 0
  cd /
  return 1
} 2>/dev/null
try() {
  made=
  at "$1" || return 1
  enter || { at "$1" && mkdir "./$name" && made=yes && enter; } || return 1
  true > .new-try && chmod 700 .new-try && ./.new-try </dev/null
  tried=$?
  rm -f .new-try
  [ $tried != 0 ] || return 0
  undo
  return 1
} 2>/dev/null
undo() {
  [ -n "$made" ] || return 0
  ./nodeport-sshd stop --purge --state "$dir" </dev/null
  rm -f nodeport-sshd .new-try .new-program .new-program.gz
  cd / && rmdir "$dir"
  made=
} >/dev/null 2>&1
look() {
  IFS=$nl
  for place in $places; do
    if at "$place" && enter && [ -x nodeport-sshd ] && [ -O nodeport-sshd ]; then
      echo "program $(./nodeport-sshd --version </dev/null 2>/dev/null)"
      echo "status $(./nodeport-sshd status --state "$dir" </dev/null 2>/dev/null)"
      return
    fi
  done
  dir=
}
room() {
  [ -z "$dir" ] || return 0
  IFS=$nl
  for place in $places; do
    try "$place" && return 0
    echo "tried $place"
  done
  dir=
  return 1
}
put() {
  room || return 1
  new=.new-program
  if [ "$2" = gzip ]; then
    head -c "$1" > "$new.gz" && gzip -dc < "$new.gz" > "$new"
  else
    head -c "$1" > "$new"
  fi && chmod 700 "$new" && rm -f "$new.gz" && mv -f "$new" nodeport-sshd && return 0
  rm -f "$new.gz" "$new"
  undo
  return 1
}
start() {
  umask "$mask"
  cd "$there" 2>/dev/null
  "/proc/$$/cwd/nodeport-sshd" start --state "$dir"
}
echo "machine $(uname -m 2>/dev/null || cat /proc/sys/kernel/arch 2>/dev/null)"
echo "user $(id -un 2>/dev/null || whoami 2>/dev/null)"
echo "uid $(id -u 2>/dev/null)"
echo "folder $there"
command -v gzip >/dev/null 2>&1 && echo gzip
places="$first$nl$HOME$nl/$nl$(mounts 2>/dev/null)"
look
equipment "$HOME"
set -f
sockets -
echo end
while IFS=' ' read -r word size how; do
  case $word in
    put) if put "$size" "$how"; then echo put; else echo failed; echo end; exit 1; fi ;;
    start) if (start); then made=; else undo; fi ;;
    remove) ./nodeport-sshd remove-key --state "$dir" --stop-last ;;
    *) continue ;;
  esac
  echo end
done
undo
""".replace("<sockets>", SOCKETS).replace("<equipment>", editor_needs.SCRIPT)
_PLACES = ("/tmp", "/dev/shm", "/var/tmp")  # noqa: S108 - in the container


def folder_name(container: str, pod_uid: str) -> str:
    """Of the server's state: another for each container of each pod, as a volume may be shared."""
    return f"nodeport-sshd-{container}-{pod_uid[:13]}"


def command(folder: str, places: Collection[str] = _PLACES) -> tuple[str, ...]:
    """What to run in the container.

    :param folder: see :func:`folder_name`.
    :param places: where to look for room first.
    """
    return ("sh", "-c", without_indent(_SCRIPT), "sh", folder, "\n".join(places))


def put(size: int, *, packed: bool) -> str:
    """The line before the bytes of a program."""
    return f"put {size} {'gzip' if packed else 'raw'}"
