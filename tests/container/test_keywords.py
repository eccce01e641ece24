"""sshd's keywords in a script match in any case, as sshd itself reads them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from kubectl_nodeport.container import authorized_keys, examining, script
from kubectl_nodeport.container.keywords import any_case


def test_a_keyword_is_matched_in_any_case() -> None:
    pattern = any_case("*<tcpforwarding> *")
    for line in ("AllowTcpForwarding no", "allowtcpforwarding no", "ALLOWTCPFORWARDING no"):
        assert fnmatchcase(line, pattern)
    assert not fnmatchcase("AllowTcpForwardings", pattern)


def test_what_is_no_keyword_stays() -> None:
    assert any_case('"<$words>" <&3 < file > <A>') == '"<$words>" <&3 < file > <A>'


def test_every_keyword_of_the_scripts_is_filled_in() -> None:
    sent = ("\n".join(script.command(None, 22)), examining.SCRIPT, authorized_keys.SCRIPT)
    for shell in sent:
        assert any_case(shell) == shell
