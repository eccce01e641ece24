"""What doctor asks inside the container, in one exec. Pure.

It is more than connect needs to know, of the ssh server and of whoever logs in. How the answer is
read: examination.py.
"""

from __future__ import annotations

from kubectl_nodeport.container import editor_needs
from kubectl_nodeport.container.keywords import any_case
from kubectl_nodeport.container.script import SOCKETS, without_indent

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
      <port>\ * | *<tcpforwarding>\ * | <disableforwarding>\ * | *<rootlogin>\ * | \
        <strictmodes>\ * | <pubkeyauth>*\ * | *<keys>*\ none) echo "$1 $line" ;;
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
  case $line in <authorizedkeysfile>\ *) files=${line#* } ;; esac
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
SCRIPT = without_indent(any_case(_SCRIPT)).rstrip("\n")
"""What is to be written to the stdin of :func:`command`."""


def command(user: str | None) -> tuple[str, ...]:
    """What to run in the container.

    :param user: whom to log in as; None for the container's own user.
    """
    return ("sh", "-c", _HEARD, "sh", user or "")
