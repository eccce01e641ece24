"""Where entries shall stand: in the config, or in a file of our own that it includes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from kubectl_nodeport.errors import NodeportError
from kubectl_nodeport.printable import typed
from kubectl_nodeport.ssh import block, include, layout, openssh, whole_file
from kubectl_nodeport.ssh.edit import Whereabouts
from kubectl_nodeport.ssh.layout import Place
from kubectl_nodeport.ssh.location import Location, State, home
from kubectl_nodeport.ssh.openssh import Question
from kubectl_nodeport.ssh.whole_file import ReadOnlyError


def place_of(location: Location, before: State, asked: bool | None) -> Place:
    """Where it is asked for, else where the entries stand already, else in the config.

    A line of the user's own that includes our file is as good as ours.

    :param asked: whether in a file of our own.
    :raises NodeportError: when the block is damaged or includes another file, or ssh refuses the
        config.
    """
    files = location.files(before)
    chosen = layout.chosen(files)  # asked of every text: it names the file that it refuses
    wanted = chosen if asked is None else asked
    if wanted is False:
        return Place(include=False)
    if block.include(files.text) is None and _is_included_by_hand(location, before):
        return Place(include=True)
    if wanted is None:
        return Place(include=False)
    lines = [include.line(word) for word in location.own_words]
    return Place(include=True, line=layout.include_line(files, lines))


def whereabouts(location: Location, asked: bool | None) -> Whereabouts:
    """The same for people, and whether ssh gets there.

    :param asked: as for :func:`place_of`.
    :raises NodeportError: as :func:`place_of`.
    """
    before = location.read()
    place = place_of(location, before, asked)
    if not place.include:
        return Whereabouts()
    is_included = place.line is None or block.include(before.config.text) is not None
    return Whereabouts(location.own_name, "" if is_included else place.line or "")


def _is_included_by_hand(location: Location, before: State) -> bool:
    """Whether the config includes the file of our own by a line that is not ours.

    Where that line is in a file that the config includes in its turn, ssh shows it by an entry
    that stands nowhere else.
    """
    files = location.files(before)
    names = {location.own.as_posix(), Path(os.path.realpath(location.own)).as_posix()}
    homes = {home().as_posix(), Path(os.environ.get("HOME", home())).as_posix()}
    if include.names(block.outside(files.text), names, homes):
        return True
    if before.config.data is None or block.has_entries(files.text):
        return False
    for entry in block.entries(files.own or "")[:1]:
        (found,) = openssh.effective([Question(before.config.path, entry.alias)])
        return found.get("hostkeyalias") == [entry.alias]
    return False


@contextlib.contextmanager
def locked(location: Location, asked: bool | None) -> Iterator[None]:
    """Keep other runs of ours out while the body runs.

    :param asked: as for :func:`place_of`.
    :raises NodeportError: when there can be no lock.
    """
    config = location.config
    if location.is_default:
        whole_file.make_folder(config.parent)
    target = whole_file.follow_links(config)
    if not target.parent.is_dir():
        raise NodeportError(
            f"there is no folder {target.parent}", hint=f"mkdir -m 700 {typed(target.parent)}"
        )
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(whole_file.locked(target))
        except ReadOnlyError:
            # A link into a read-only store: only the file of our own can change.
            if not place_of(location, location.read(), asked).include:
                raise
            whole_file.make_folder(location.folder)
            stack.enter_context(whole_file.locked(location.own))
        yield
