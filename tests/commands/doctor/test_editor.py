"""VS Code's needs in the container."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.commands.doctor.cases import case, found

IN = "kubectl exec dev -n default -c main -- sh -c "
APT, APK = "/usr/bin/apt-get", "/sbin/apk"


@pytest.mark.parametrize(
    ("says", "check", "result", "seen", "command"),
    [
        (
            {"file": ("ld-linux-x86-64.so.2",)},
            "vscode-libraries",
            "fail",
            "missing: libstdc++ (it has none in the usual places)",
            f"{IN}'apt-get update && apt-get install -y libstdc++6'",
        ),
        (
            {"file": ("ld-musl-x86_64.so.1",), "installed": (APK,)},
            "vscode-libraries",
            "fail",
            "missing: libstdc++ (it has none in the usual places)",
            f"{IN}'apk add libstdc++'",
        ),
        (
            {"file": ("ld-linux-x86-64.so.2",), "uid": ("1000",)},
            "vscode-libraries",
            "fail",
            "missing: libstdc++ (it has none in the usual places)",
            "",
        ),
        ({"file": ()}, "vscode-libraries", "fail", "missing: glibc or musl", ""),
        ({"kernel": ("3.10.0",)}, "vscode-libraries", "warning", "missing: Linux 4.18", ""),
        (
            {"has": ("curl",)},
            "vscode-tools",
            "fail",
            "missing: bash, tar",
            f"{IN}'apt-get update && apt-get install -y bash tar'",
        ),
        (
            {"has": ("bash", "tar")},
            "vscode-tools",
            "warning",
            "missing: curl or wget",
            f"{IN}'apt-get update && apt-get install -y curl'",
        ),
        ({"equipment": ()}, "vscode-tools", "ok", "the container does not tell", ""),
        (
            {"has-home": ()},
            "vscode-home",
            "fail",
            "the home folder /root is not there",
            f"{IN}'mkdir -p /root && chown 0 /root'",
        ),
        (
            {"unwritable": ("/root",)},
            "vscode-home",
            "fail",
            "the home folder /root cannot be written",
            "",
        ),
        (
            {"noexec": ("/root",)},
            "vscode-home",
            "fail",
            "no program may be run in /root (mounted noexec)",
            "",
        ),
        (
            {"noexec": ("/tmp",)},
            "vscode-home",
            "warning",
            "no program may be run in /tmp (mounted noexec)",
            "",
        ),
        (
            {"free": ("102400 /root",)},
            "vscode-home",
            "warning",
            "100 MiB are free in /root",
            f"{IN}'du -xk /root | sort -n | tail'",
        ),
        ({"free": ()}, "vscode-home", "ok", "/root can be written", ""),
        ({"home": ()}, "vscode-home", "ok", "the home folder is not told", ""),
    ],
)
def test_need(
    says: dict[str, Sequence[str]], check: str, result: str, seen: str, command: str
) -> None:
    finding = found(case(says=says))[check]
    assert (finding.status.value, finding.command) == (result, command)
    assert finding.seen.startswith(seen)
    assert bool(finding.why) == (result != "ok")
