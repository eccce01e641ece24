"""The authorized_keys of whoever logs in: what the container tells of them. Pure.

Where sshd looks for them, and how a line is read, is said by sshd(8), AUTHORIZED_KEYS FILE FORMAT,
and sshd_config(5), AuthorizedKeysFile. What sshd may take beside them (a command, a CA's word, a
section for some users alone) is not found out here: then nothing is known, and nothing is said.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kubectl_nodeport.container.keywords import any_case
from kubectl_nodeport.ssh.known_hosts import HostKey, wire_fields

HOME = re.compile(r"/[A-Za-z0-9/_.@+-]{0,255}")
"""A path in the container that can be named again, in a command and to people."""

PREFIX = b"authorized "
"""Before each line of the files, whatever is in it."""

# As many characters and files as are looked at; a person's are fewer.
_MOST_CHARS = 65536
_MOST_FILES = 4
# OpenSSH reads base64 of any length; a 16384-bit RSA key has 2.8 kB.
_MOST_BLOB_CHARS = 8192
_TYPES = frozenset(
    [
        *("ssh-ed25519", "ssh-rsa", "ssh-dss"),
        *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)),
        *("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"),
    ]
)
# The options are one word: blanks stand in quotes, and a quote in there behind a backslash.
_OPTIONS = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')


# Told over stdin, as a line of HTTP has no room for it: one line, so each command ends in a
# semicolon. It goes on where the script of script.py has looked for servers: what `sshd -T` said is
# in $settings, the server's words are in $servers, its configuration in $conf.
#
# Sections (Match) `sshd -T` does not tell of, so the configuration is read for them; by anybody but
# root it is all that there is. Where one names files, sshd is asked again, for whoever logs in:
# what it says may depend on more, so that the keys are not known; but no other file is written to.
_LINES = (
    r"""
plain=yes given= section= apart= who=${login:-$self} id= dir= chars=0;
option() {
  case $1 in
    file) case $2 in *\"*) plain= ;; esac;
      [ -z "$section" ] || plain= apart=yes;
      [ -n "$given" ] || given=$2 ;;
    pubkey) [ "$2" = yes ] || plain= ;;
    *) [ "$2" = none ] || plain= ;;
  esac;
};
sections() {
  count=$((count + 1));
  [ -f "$1" ] || return 0;
  [ -r "$1" ] && [ $2 -lt 5 ] && [ $count -lt 64 ] || { plain=; return 0; };
  while IFS=" =$tab$cr" read -r word rest || [ -n "$word" ]; do
    rest=${rest%%[$cr#]*};
    case $word in
      <match>) section=yes ;;
      <authorizedkeysfile>) option file "$rest" ;;
      <pubkeyauthentication>) option pubkey "$rest" ;;
      <authorizedkeyscommand> | <trustedusercakeys>) option other "$rest" ;;
      <include>) set +f; IFS=" \"$tab$cr"; for each in $rest; do sections "$each" $(($2 + 1)); done;
        set -f ;;
    esac;
  done < "$1";
};
path() {
  rest=$1 path=;
  while :; do
    case $rest in *%*) ;; *) break ;; esac;
    path=$path${rest%%%*} rest=${rest#*%};
    case $rest in
      %*) path=$path% ;;
      h*) path=$path$dir ;;
      u*) path=$path$who ;;
      U*) path=$path$id ;;
      *) plain= ;;
    esac;
    rest=${rest#?};
  done;
  path=$path$rest;
  case $path in /*) ;; *) path=${dir%/}/$path ;; esac;
};
lines() {
  while IFS= read -r line || [ -n "$line" ]; do
    chars=$((chars + ${#line} + 1));
    [ $chars -le <most> ] || { plain=; return 0; };
    printf "authorized %s\n" "$line";
  done < "$1";
};
theirs() {
  sshd -T ${conf:+-f "$conf"} -C "user=$who,host=localhost,addr=127.0.0.1" | {
    while IFS=" " read -r word rest; do
      case $word in <authorizedkeysfile>) echo "$rest"; return 0 ;; esac;
    done;
    echo none; };
};
tell() {
  set -f;
  while IFS=: read -r name _ uid _ _ at _; do
    [ "$name" = "$who" ] && [ -z "$id" ] && id=$uid dir=$at;
  done < /etc/passwd;
  case $servers in "" | *"><"*) plain= ;; esac;
  case $servers in
    *[Kk]eys[FfCc]*) plain= ;;
    *dropbear*) given=.ssh/authorized_keys ;;
    *) IFS=$nl;
      for line in $settings; do
        case $line in
          <authorizedkeysfile>\ *) option file "${line#* }" ;;
          <pubkeyauthentication>\ *) option pubkey "${line#* }" ;;
          <authorizedkeyscommand>\ * | <trustedusercakeys>\ *) option other "${line#* }" ;;
        esac;
      done;
      count=0;
      if [ -n "$conf" ]; then sections "$conf" 0; else
        for file in /etc/ssh /usr/local/etc/ssh /usr/local/etc; do
          sections "$file/sshd_config" 0; done; fi;
      [ -z "$apart" ] || given=$(theirs) ;;
  esac;
  [ -n "$given" ] || given=".ssh/authorized_keys .ssh/authorized_keys2";
  [ -n "$dir" ] || plain=;
  [ "$who" = "$self" ] || [ "$(id -u)" = 0 ] || plain=;
  IFS=" $tab" count=0;
  for file in $given; do
    [ "$file" != none ] && [ -n "$dir" ] || continue;
    count=$((count + 1));
    [ $count -le <files> ] || { plain=; break; };
    path "$file";
    echo "keysfile $path";
    if [ -f "$path" ] && [ -r "$path" ]; then lines "$path";
    elif [ -e "$path" ]; then plain=;
    elif [ -d "${path%/*}" ] && ! [ -x "${path%/*}" ]; then plain=; fi;
  done;
  echo "keys ${plain:+known}";
};
tell 2>/dev/null
""".replace("<most>", str(_MOST_CHARS))
    .replace("<files>", str(_MOST_FILES))
    .strip()
)
SCRIPT = " ".join(line.strip() for line in any_case(_LINES).split("\n"))
"""What the container is told to find out, a line of shell."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """Who is let in by key, as whoever logs in.

    :ivar files: where sshd looks for keys, the first of them to add one to; none that could not be
        named again.
    :ivar is_known: whether these are all the keys; else sshd may take others, or was not seen.
    :ivar blobs: of each public key.
    """

    files: tuple[str, ...]
    is_known: bool
    blobs: frozenset[bytes]


def read(output: bytes) -> Authorized | None:
    """Read what SCRIPT prints, among other lines; None where it did not run."""
    lines = output.split(b"\n")
    keys = list(_keys(line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX)))
    words = [line.decode("utf-8", "replace").partition(" ") for line in lines]
    told = [rest for word, _, rest in words if word == "keys"]
    if not told:
        return None
    files = [rest for word, _, rest in words if word == "keysfile"]
    named = tuple(path for path in files[:_MOST_FILES] if HOME.fullmatch(path))
    return Authorized(
        files=named if named[:1] == tuple(files[:1]) else (),
        is_known=told == ["known"] and not any(is_authority for _, is_authority in keys),
        blobs=frozenset(key.blob for key, _ in keys),
    )


def others(output: bytes) -> bytes:
    """The answer without the lines of the files, in which anything may stand."""
    return b"\n".join(line for line in output.split(b"\n") if not line.startswith(PREFIX))


def parse_line(line: str) -> tuple[HostKey, str] | None:
    """A line's public key, and its options; None where sshd would pass it over."""
    line = line.strip(" \t\r")
    if not line or line.startswith("#"):
        return None
    key = _key(line)
    if key is not None:
        return key, ""
    options = _OPTIONS.match(line)
    key = _key(line[options.end() :]) if options else None
    return (key, options[0]) if key is not None and options else None


def _keys(lines: Iterable[bytes]) -> Iterator[tuple[HostKey, bool]]:
    """Each key, and whether it is a CA's."""
    for line in lines:
        parsed = parse_line(line.decode("utf-8", "replace"))
        if parsed is not None:
            key, options = parsed
            yield key, "cert-authority" in options.lower()


def _key(text: str) -> HostKey | None:
    words = text.split(maxsplit=2)
    if len(words) < 2 or words[0] not in _TYPES or len(words[1]) > _MOST_BLOB_CHARS:
        return None
    try:
        key = HostKey(words[0], base64.b64decode(words[1].encode("ascii"), validate=True))
        (name, *rest) = wire_fields(key.blob)
    except (UnicodeEncodeError, ValueError, binascii.Error):
        return None
    return key if rest and name == key.type.encode() else None
