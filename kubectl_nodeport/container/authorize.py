"""The script that puts a public key into somebody's authorized_keys, and its answer. Pure.

One exec: the line comes over stdin, nothing of it stands in a command line. The container is not
trusted: what it answers is checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubectl_nodeport.container.authorized_keys import HOME
from kubectl_nodeport.container.script import without_indent
from kubectl_nodeport.ssh.known_hosts import HostKey

END = b"end"
"""The last line of the answer."""

_UNPRINTABLE = re.compile("[^ -~]")
_MOST_WORDS_CHARS = 300

# POSIX sh. The file takes its new content by a rename, so that it is the old or the new one, on a
# full disk too. It is then the user's, and for him alone (0600), which is what sshd asks for.
#
# Root may do this for somebody who, meanwhile, changes what a path in his home leads to. So the
# shell goes into each folder and looks where it is then, and the files are held open: what was
# looked at is what is read, and what is given away is what was made here. A file of somebody else's
# is not read, as its words would become the user's; for hard links are files like any other.
_SCRIPT = r"""
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C
umask 077
set -f
who=$1 file=$2 tab='<tab>'
refuse() { echo "$*" >&2; exit 1; }
facts() {
  set -- "$1" $(ls -ndL "$1")
  mode=$2 owner=$4
}
strict() {
  facts .
  case $owner in 0 | "$id") ;; *) refuse "$(pwd -P) belongs to uid $owner, not to $who" ;; esac
  case $mode in ?????w* | ????????w*) echo "loose $(pwd -P)" ;; esac
}
enter() {
  [ ! -L "./$1" ] || refuse "$(pwd -P)/$1 is a symbolic link"
  made=
  [ -d "./$1" ] || { mkdir "./$1" && made=yes; } || exit 1
  there=$(pwd -P)
  there=${there%/}/$1
  cd -P "./$1" && [ "$(pwd -P)" = "$there" ] || refuse "$there cannot be entered"
  [ -z "$made" ] || [ "$me" = "$id" ] || chown "$id:$group" . || exit 1
  strict
}
write() {
  facts /proc/self/fd/4
  [ -n "$is_new" ] || [ "$owner" = "$id" ] ||
    refuse "$file belongs to uid $owner, not to $who ($id)"
  open=
  while IFS=" $tab" read -r word rest || { [ -n "$word" ] && open=yes; }; do
    case $word in
      \#* | *[Cc][Ee][Rr][Tt]-[Aa][Uu][Tt][Hh]*) ;;
      ssh-* | ecdsa-* | sk-*) case $rest in "$blob" | "$blob"[!A-Za-z0-9+/=]*) return 3 ;; esac ;;
      *) case $rest in *"$blob"*) return 3 ;; esac ;;
    esac
  done <&4
  cat /proc/self/fd/4 >&3 || return 1
  { [ -z "$open" ] || echo; } >&3 || return 1
  printf '%s\n' "$line" >&3 || return 1
  [ "$me" = "$id" ] || chown "$id:$group" /proc/self/fd/3
}
work() {
  me=$(id -u) id=
  while IFS=: read -r name _ uid gid _ at _; do
    [ "$name" = "$who" ] && [ -z "$id" ] && id=$uid group=$gid home=$at
  done < /etc/passwd
  [ -n "$id" ] || refuse "$who is not in /etc/passwd"
  [ "$me" = 0 ] || [ "$me" = "$id" ] || refuse "this runs as uid $me, not as $who ($id)"
  path=${file#"${home%/}"/}
  [ "$path" != "$file" ] || refuse "$file is not in the home folder of $who, $home"
  cd -P "$home" || exit 1
  strict
  while :; do
    part=${path%%/*}
    case $part in '' | . | ..) refuse "$file is no plain path" ;; esac
    [ "$part" != "$path" ] || break
    path=${path#*/}
    enter "$part"
  done
  [ ! -L "./$part" ] || refuse "$file is a symbolic link"
  is_new= old=./$part new=./.nodeport-$$
  if [ ! -e "$old" ]; then is_new=yes old=/dev/null
  elif [ ! -f "$old" ]; then refuse "$file is no file"; fi
  rm -f "$new"
  set -C
  (write) 3>"$new" 4<"$old"
  code=$?
  set +C
  if [ $code = 0 ] && mv -f "$new" "./$part"; then echo added; return; fi
  rm -f "$new"
  [ $code = 3 ] || exit 1
  echo present
}
IFS= read -r line || exit
blob=${line#* }
blob=${blob%% *}
if said=$( (work) 2>&1); then echo "$said"; else echo "failed $said"; fi
echo end
""".replace("<tab>", "\t")


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a key.

    :ivar added: whether it was not there before.
    :ivar loose: folders on the way to it that others may write, for which sshd, by StrictModes,
        does not read it.
    :ivar failure: why it could not be put there, in the container's words made safe; "" if it was.
    """

    added: bool
    loose: tuple[str, ...] = ()
    failure: str = ""


def command(user: str, file: str) -> tuple[str, ...]:
    """What to run in the container.

    :param user: whose the file is, by name.
    :param file: the file, by an absolute path in the user's home folder.
    """
    return ("sh", "-c", without_indent(_SCRIPT), "sh", user, file)


def line(key: HostKey) -> str:
    """What is written to its stdin: the line of the file, built from the decoded key."""
    return f"{key.openssh} kubectl-nodeport\n"


def read(output: bytes) -> Done:
    """Read the script's answer."""
    lines = output.decode("utf-8", "replace").splitlines()
    loose = [one.removeprefix("loose ") for one in lines if one.startswith("loose ")]
    for state in ("added", "present"):
        if lines[-2:] == [state, "end"]:
            return Done(state == "added", tuple(one for one in loose if HOME.fullmatch(one)))
    words = (one.removeprefix("failed ") for one in lines if one != "end")
    told = " ".join(one for one in words if one and not one.startswith("loose "))
    failure = _UNPRINTABLE.sub("?", told)[:_MOST_WORDS_CHARS]
    return Done(added=False, failure=failure or "it did not say")
