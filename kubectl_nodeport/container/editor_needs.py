"""What VS Code's server needs of a container, and what of it is missing there. Pure.

What it needs is said by its documentation, https://code.visualstudio.com/docs/remote/linux: a
kernel, glibc and libstdc++ of some age (or musl), bash, tar, and curl or wget; and that it is built
for x86_64, aarch64 and 32-bit ARM. The server's own check, check-requirements-linux.sh of
https://github.com/microsoft/vscode/tree/main/resources/server/bin/helpers, asks for glibc 2.28, or
musl on x86_64 and aarch64, and for libstdc++.so.6.0.25.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Tells what is there, to somebody whose home folder is $1 if that is known, by what the shell has
# in itself: no program is started. The name of a loader tells libc and processor, of a 32-bit
# userland too.
#
# To busybox, root may write on a read-only file system as well: there a home is taken for good.
SCRIPT = r"""equipment() {
  echo equipment
  IFS=' ' read -r word _ < /proc/sys/kernel/osrelease && echo "kernel $word"
  for word in bash tar curl wget; do command -v $word >/dev/null && echo "has $word"; done
  set +f
  for word in /lib*/ld*.so.* /lib*/libc-2.*.so /lib/*-linux-*/libc-2.*.so \
    /usr/lib*/libstdc++.so.6* /usr/lib/*-linux-*/libstdc++.so.6*; do
    [ -e "$word" ] && echo "file ${word##*/}"
  done
  [ -z "$1" ] || [ -w "$1" ] || echo "unwritable $1"
} 2>/dev/null"""

_COMMANDS = frozenset(["bash", "tar", "curl", "wget"])
_LOADERS = {
    "ld-linux-x86-64.so.2": "glibc",
    "ld-linux-aarch64.so.1": "glibc",
    "ld-linux-armhf.so.3": "glibc",
    "ld-musl-x86_64.so.1": "musl",
    "ld-musl-aarch64.so.1": "musl",
}
_KERNEL, _GLIBC, _LIBSTDCXX = (4, 18), 28, 25
# Of any processor.
_LOADER = re.compile(r"ld[A-Za-z0-9_-]{0,40}\.so\.[0-9]")
_KERNEL_NAME = re.compile(r"([0-9]{1,3})\.([0-9]{1,4})(?:[^0-9].*)?")
_GLIBC_NAME = re.compile(r"libc-2\.([0-9]{1,3})\.so")
_LIBSTDCXX_NAME = re.compile(r"libstdc\+\+\.so\.6(?:\.0\.([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a container has of what VS Code's server needs.

    :ivar kernel: its version; None where it is not told.
    :ivar loaders: the file names of dynamic loaders.
    :ivar glibc: the minor version; None where no file tells it. From 2.34 on none does: its NEWS
        say that libraries are then no longer installed by their version, as libc-2.33.so was.
    :ivar has_libstdcxx: whether there is a libstdc++.so.6.
    :ivar libstdcxx: the last number of libstdc++.so.6.0.N; None where no file tells it.
    :ivar unwritable: the home folder, if it is missing or cannot be written; else "". As the
        container wrote it: to be compared, not printed.
    :ivar forwards: whether sshd opens connections for its clients, as Remote-SSH asks it to; None
        where it does not say.
    """

    kernel: tuple[int, int] | None
    loaders: frozenset[str]
    glibc: int | None
    has_libstdcxx: bool
    libstdcxx: int | None
    commands: frozenset[str]
    unwritable: str = ""
    forwards: bool | None = None


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that VS Code's server needs and does not have.

    :ivar need: a word for programs: ``processor``, ``libc``, ``libstdc++``, ``kernel``, ``bash``,
        ``tar``, ``download``, ``home`` or ``forwarding``.
    :ivar words: what is needed, and what is there instead, for people.
    """

    need: str
    words: str


def read(lines: Iterable[str]) -> Equipment | None:
    """Read what SCRIPT prints, among other lines; None where it did not run.

    Of sshd's settings, as ``sshd -T`` prints them, the lines begin with ``sshd``.
    """
    said: dict[str, set[str]] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        said.setdefault(word, set()).add(rest)
    if "equipment" not in said:
        return None
    files = said.get("file", set())
    kernels = _matches(_KERNEL_NAME, said.get("kernel", set()))
    glibc = [int(name[1]) for name in _matches(_GLIBC_NAME, files)]
    libstdcxx = [name[1] for name in _matches(_LIBSTDCXX_NAME, files)]
    return Equipment(
        kernel=(int(kernels[0][1]), int(kernels[0][2])) if kernels else None,
        loaders=frozenset(name[0] for name in _matches(_LOADER, files)),
        glibc=max(glibc, default=None),
        has_libstdcxx=bool(libstdcxx),
        libstdcxx=max((int(number) for number in libstdcxx if number), default=None),
        commands=_COMMANDS & said.get("has", set()),
        unwritable=max(said.get("unwritable", set()), default=""),
        forwards=_forwards({line.lower() for line in said.get("sshd", set())}),
    )


def lacks(equipment: Equipment, home: str) -> tuple[Lack, ...]:
    """What is missing, the worst first. What the container did not tell counts as there.

    :param home: of whoever logs in; "" where it is not known.
    """
    return tuple(_lacks(equipment, home))


def _lacks(equipment: Equipment, home: str) -> Iterator[Lack]:
    yield from _libraries(equipment)
    for command in ("bash", "tar"):
        if command not in equipment.commands:
            yield Lack(command, command)
    if not equipment.commands & {"curl", "wget"}:
        # Remote-SSH then downloads on the user's machine and sends it by scp:
        # https://github.com/microsoft/vscode-remote-release/issues/1921
        yield Lack("download", "curl or wget (without them VS Code sends its server from here)")
    if home and equipment.unwritable == home:
        yield Lack("home", f"a home that can be written, not {home} (remote.SSH.serverInstallPath)")
    if equipment.forwards is False:
        # https://code.visualstudio.com/docs/remote/troubleshooting, and Alpine's sshd_config
        yield Lack("forwarding", "an sshd that forwards (AllowTcpForwarding yes)")
    if equipment.kernel is not None and equipment.kernel < _KERNEL:
        yield Lack("kernel", f"Linux 4.18 (it has {equipment.kernel[0]}.{equipment.kernel[1]})")


def _libraries(equipment: Equipment) -> Iterator[Lack]:
    libcs = {_LOADERS[name] for name in equipment.loaders if name in _LOADERS}
    if not libcs:
        if equipment.loaders:
            yield Lack("processor", "a processor that it is built for: x86_64, aarch64 or armv7l")
        else:
            yield Lack("libc", "glibc or musl (it has neither in the usual places)")
        return
    if libcs == {"glibc"} and equipment.glibc is not None and equipment.glibc < _GLIBC:
        yield Lack("libc", f"glibc 2.{_GLIBC} (it has 2.{equipment.glibc})")
    if not equipment.has_libstdcxx:
        yield Lack("libstdc++", "libstdc++ (it has none in the usual places)")
    elif equipment.libstdcxx is not None and equipment.libstdcxx < _LIBSTDCXX:
        # Which symbols come with which file: https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html
        has = f"it has 6.0.{equipment.libstdcxx}"
        yield Lack("libstdc++", f"libstdc++.so.6.0.{_LIBSTDCXX} ({has})")


def _matches(pattern: re.Pattern[str], texts: Iterable[str]) -> list[re.Match[str]]:
    return [match for text in sorted(texts) if (match := pattern.fullmatch(text))]


def _forwards(settings: set[str]) -> bool | None:
    """By what `sshd -T` says; of several sshds it is enough if one does.

    ``local`` is what Remote-SSH needs, ``remote`` is the other direction (sshd_config(5)).
    """
    if "disableforwarding yes" in settings:
        return "disableforwarding no" in settings or False
    values = {line.partition(" ")[2] for line in settings if line.startswith("allowtcpforwarding ")}
    if not values <= {"yes", "all", "local", "no", "remote"}:
        return None
    return bool(values & {"yes", "all", "local"}) if values else None
