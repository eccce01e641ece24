"""Options of the user's own patterns that an entry takes back for itself. Pure.

A line stands in an entry only where something of it would be inherited, so that most entries stay
short. Every keyword is one of OpenSSH 7.6; why each is here stands in docs/shadowing.md.
"""

from __future__ import annotations

# By the keyword as `ssh -G` prints it: the line that an entry has instead, in the entry's order.
NEUTRAL: dict[str, tuple[str, str]] = {
    "addressfamily": ("AddressFamily", "any"),
    "canonicalizehostname": ("CanonicalizeHostname", "no"),
    "clearallforwardings": ("ClearAllForwardings", "no"),
    "exitonforwardfailure": ("ExitOnForwardFailure", "no"),
    "proxyusefdpass": ("ProxyUseFdpass", "no"),
    "pubkeyauthentication": ("PubkeyAuthentication", "yes"),
    "remotecommand": ("RemoteCommand", "none"),
    "requesttty": ("RequestTTY", "auto"),
    "updatehostkeys": ("UpdateHostKeys", "no"),
    "verifyhostkeydns": ("VerifyHostKeyDNS", "no"),
}
