"""Many processes that write one config at the same time."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from kubectl_nodeport.ssh import block
from kubectl_nodeport.ssh.config_file import ConfigFile
from tests.ssh.forked import at_once
from tests.ssh.make import entry_for, key, origin

USERS = "Host *\n  User x\n"
pytestmark = pytest.mark.linux


def put(config: Path, name: str, include: bool | None) -> str:
    store = ConfigFile(config, include=include)
    one = entry_for(store, name, origin=origin(target=f"pod/{name}"))
    return store.put(one, [key()])


def test_sixty_four_processes_add_sixty_four_entries(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(USERS)
    names = [f"dev{number}" for number in range(64)]
    found = at_once([partial(put, config, name, None) for name in names])
    assert [(one.code, one.text) for one in found] == [(0, "created")] * 64
    assert {entry.alias for entry in ConfigFile(config).entries()} == set(names)
    assert block.without(config.read_text()) == USERS
    assert all(ConfigFile(config).keys(name) == (key(),) for name in names)


def test_no_entry_is_lost_between_those_that_move_them(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(USERS)
    names = [f"dev{number}" for number in range(16)]
    found = at_once(
        [partial(put, config, name, (None, True, False)[n % 3]) for n, name in enumerate(names)]
    )
    assert [(one.code, one.text) for one in found] == [(0, "created")] * 16
    assert {entry.alias for entry in ConfigFile(config).entries()} == set(names)
    assert block.without(config.read_text()) == USERS


@pytest.mark.parametrize("last", ["maker", "user"])
def test_two_runs_for_one_host_leave_its_rule_to_it(tmp_path: Path, last: str) -> None:
    """One of them has made the rule and the other found it, before either wrote the entry."""
    store = ConfigFile(tmp_path / "config")
    runs = {"maker": origin(made_rule=True), "user": origin(made_rule=False, noted="u1")}
    for who in sorted(runs, key=lambda one: one == last):
        store.put(entry_for(store, origin=runs[who]), [key()])
    (entry,) = store.entries()
    assert (entry.origin.made_rule, entry.origin.noted) == (True, "u1")
    store.put(entry_for(store, origin=origin(made_rule=False, creation="another")), [key()])
    assert not store.entries()[0].origin.made_rule, "which nobody has told of another creation"
