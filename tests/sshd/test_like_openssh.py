"""What a command sees and how it ends: the same client, on OpenSSH's own server and on ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ENDS_WITHIN_S = 90
"""Less than what commands leave behind, for which nobody is to wait."""

COMMANDS = {
    "status": "exit 42",
    "status of a failed program": "/no/such/program",
    "killed": "kill -KILL $$",
    "terminated": "kill -TERM $$",
    "both streams": "echo out; echo err >&2; echo more",
    "input": "cat; echo end",
    "input that is not read": "exec 0<&-; sleep 0.2; echo done",
    "a child that keeps the output": "(sleep 1; echo late) & echo first",
    "a child that has let go": "sleep 100 >/dev/null 2>&1 </dev/null & echo first",
    "a child that keeps only the errors": "(sleep 1; echo late >&2) >/dev/null & echo first",
    "much": "head -c 5000000 /dev/zero | tr '\\0' x",
    "many lines": "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done",
    "closed output": "exec >&-; sleep 0.2; echo nobody sees it; exit 5",
    "quotes": "printf '%s|' 'a b' \"c d\" e\\ f",
    "ignored signals": "grep -E 'SigIgn|SigBlk' /proc/self/status",
    "its own session": "test $(ps -o sid= -p $$) = $$ && echo leader",
    "umask": "umask",
    "limits": "ulimit -n",
    "variables": "env | sed 's/=.*//' | grep -E '^(SSH|LOG|USER|HOME|SHELL|TERM|PATH)' | sort",
    "no terminal": "tty; stty -a",
}

WITH_A_TERMINAL = {
    "status": "exit 42",
    "killed": "kill -KILL $$",
    "hung up": "kill -HUP $$",
    "both streams": "echo out; echo err >&2",
    "settings": "stty -a",
    "its terminal": "tty | sed 's/[0-9]*$//'; echo $TERM; test $SSH_TTY = $(tty) && echo same",
    "a child that keeps the terminal": "sleep 100 & echo first",
    "a child deaf to HUP": "(trap '' HUP; sleep 100) & sleep 0.2; echo first",
    "much": "head -c 2000000 /dev/zero | tr '\\0' x",
    "foreground": "test $(ps -o tpgid= -p $$) = $(ps -o pgid= -p $$) && echo foreground",
}


def run(
    config: Path, host: str, command: str, *options: str, said: bytes | None = None
) -> tuple[bytes, bytes, int]:
    done = subprocess.run(
        ("ssh", "-F", str(config), *options, host, command),
        input=said,
        stdin=subprocess.DEVNULL if said is None else None,
        capture_output=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    return done.stdout, done.stderr, done.returncode


def compare(config: Path, command: str, *options: str, said: bytes | None = None) -> None:
    theirs = run(config, "openssh", command, *options, said=said)
    ours = run(config, "pod", command, *options, said=said)
    assert ours == theirs


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(openssh: Path, name: str) -> None:
    compare(openssh, COMMANDS[name], said=b"line\n" * 10)


@pytest.mark.parametrize("name", WITH_A_TERMINAL)
def test_with_a_terminal(openssh: Path, name: str) -> None:
    compare(openssh, WITH_A_TERMINAL[name], "-tt")


def test_input_after_a_terminals_command(openssh: Path) -> None:
    """The end of the input is no end of the terminal."""
    compare(openssh, "read line; echo got $line", "-tt", said=b"typed\n")


@pytest.mark.parametrize("host", ["openssh", "pod"])
def test_output_that_nobody_reads(openssh: Path, host: str) -> None:
    command = f"ssh -F {openssh} {host} yes | head -n 1"
    done = subprocess.run(
        command, shell=True, capture_output=True, timeout=ENDS_WITHIN_S, check=True
    )
    assert done.stdout == b"y\n"


@pytest.mark.parametrize(
    "options",
    [
        ("-c", "chacha20-poly1305@openssh.com"),
        ("-c", "aes256-ctr", "-m", "hmac-sha2-256"),
        ("-c", "aes256-gcm@openssh.com"),
        ("-o", "KexAlgorithms=curve25519-sha256@libssh.org"),
        ("-o", "KexAlgorithms=ecdh-sha2-nistp521"),
        ("-o", "RekeyLimit=1M"),
    ],
)
def test_algorithms(openssh: Path, options: tuple[str, ...]) -> None:
    compare(openssh, "cat", *options, said=bytes(range(256)) * 16_000)
