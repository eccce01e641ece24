"""Configs made at random, in which a value tells the line that it stands in."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from tests.ssh.installed import version

ALIAS = "dev.default.kind"

# Options of one value, in a form that `ssh -G` prints as it was written. {n} is another number in
# every line, so that a value tells its line.
SINGLE = {
    "User": "u{n}",
    "Port": "10{n}",
    "HostName": "10.0.0.{n}",
    "HostKeyAlias": "k{n}",
    "ControlPath": "/s/{n}",
    "ServerAliveInterval": "{n}",
    "PreferredAuthentications": "publickey,{n}",
    "BindAddress": "127.0.0.{n}",
    "UserKnownHostsFile": "/k/{n}",
    "RemoteCommand": "date {n}",
    "ProxyCommand": "nc {n}",
}
ADDING = {
    "IdentityFile": "/i/{n}",
    "SendEnv": "E{n}",
    "LocalForward": "70{n} [localhost]:80",
}
HOSTS = (
    *("*", "dev*", "dev.default.kin?", "*.kind !other", "* !dev*"),
    *("DEV*", "other", ALIAS, '"dev*"'),
)
MATCHES: tuple[str, ...] = (
    "all",
    "host 10.*",
    "host 10.0.0.1?,10.0.0.3?",
    "originalhost dev*",
    'originalhost "dev*,other"',
    "!originalhost other",
    "user u1?,u30",
    "!user u*",
    "final all",
    "!final originalhost dev*",
    "canonical",
    'exec "true"',
    'exec "false"',
    '!exec "false"',
    'originalhost other exec "true"',
    'exec "echo debug >&2; printf unfinished >&2"',
    "host 10.* user u*",
)
if version() < (8, 0):
    MATCHES = tuple(one for one in MATCHES if "final" not in one)


def spelled(keyword: str) -> st.SearchStrategy[str]:
    forms = ["{k} {v}", "{k}={v}", "{k} = {v}", '"{k}" {v}', "{k}\t{v}  ", "\t {k} {v}\r"]
    if not keyword.endswith(("Command", "Forward")):
        forms += ['{k} "{v}"', '{k}="{v}"']
    cases = st.sampled_from((keyword, keyword.lower(), keyword.upper()))
    return st.tuples(cases, st.sampled_from(forms)).map(
        lambda pair: pair[1].replace("{k}", pair[0]).replace("{v}", "{value}")
    )


def option_lines() -> st.SearchStrategy[str]:
    pairs = [*SINGLE.items(), ("ServerAliveInterval", "none"), *ADDING.items()]
    return st.sampled_from(pairs).flatmap(
        lambda pair: spelled(pair[0]).map(lambda form: form.replace("{value}", pair[1]))
    )


def includes() -> st.SearchStrategy[str]:
    return st.sampled_from(
        ("Include {here}/a", 'Include "{here}/[ab]"', "include={here}/none {here}/b # b")
    )


def headers() -> st.SearchStrategy[str]:
    hosts = st.sampled_from(HOSTS).map("Host {}".format)
    matches = st.sampled_from(MATCHES).map("Match {}".format)
    return st.one_of(hosts, matches)


def configs() -> st.SearchStrategy[list[str]]:
    """Sections with something in each, for what has no line in it shows no mistake."""
    line = st.one_of(option_lines(), option_lines(), includes(), st.sampled_from(["", "# Port 9"]))
    section = st.tuples(headers(), option_lines(), st.lists(line, max_size=2))
    return st.tuples(st.lists(line, max_size=1), st.lists(section, max_size=3)).map(
        lambda parts: [*parts[0], *(x for one in parts[1] for x in (one[0], *one[2], one[1]))]
    )


def write(folder: Path, name: str, lines: list[str], first: int) -> Path:
    """
    :param first: the number that tells the first line.
    """
    numbered = (line.replace("{n}", str(first + index)) for index, line in enumerate(lines))
    path = folder / name
    path.write_text("\n".join(numbered).replace("{here}", str(folder)))
    path.chmod(0o600)
    return path


def write_all(folder: Path, config: list[str], a: list[str], b: list[str]) -> Path:
    """The config, and what it may include; b includes a, a nothing, for ssh refuses a circle."""
    write(folder, "a", [line for line in a if not line.lower().startswith("include")], 40)
    write(folder, "b", [line.replace("[ab]", "a").replace("/b", "/a") for line in b], 70)
    return write(folder, "config", config, 10)
