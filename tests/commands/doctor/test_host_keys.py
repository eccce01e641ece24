"""The pinned host keys, and those of the pod that is there now."""

from __future__ import annotations

import dataclasses

from kubectl_nodeport.commands.doctor.finding import Finding, Status
from kubectl_nodeport.errors import NodeportError
from tests.commands.doctor.cases import HEALTHY, FakeShell, case, found, told
from tests.commands.test_connect import ALIAS
from tests.commands.world import World, inside
from tests.ssh.make import key

OLD, NEW, STRAY = key(1), key(2), key(3)


def connected(via: str = "auto") -> World:
    """A world in which connect has pinned the old key."""
    there = World()
    there.connect(via=via)
    assert there.hosts.known[ALIAS] == (OLD,)
    return there


def findings(there: World, *keys: int) -> dict[str, Finding]:
    """What is found where these keys are in the container's files."""
    return found(case(there, shell=FakeShell(told(HEALTHY), look=inside(*map(key, keys)))))


def assert_told(found: dict[str, Finding], *more: str) -> None:
    finding = found["host-keys"]
    assert finding.status is Status.FAIL
    assert finding.seen == f"none of those pinned for {ALIAS} is the pod's"
    assert finding.command == " ".join(["kubectl nodeport connect dev -n default", *more])


def test_none_is_pinned() -> None:
    assert found(case())["host-keys"].seen == "none is pinned yet, connect does it"


def test_one_of_several_is_enough() -> None:
    there = connected()
    there.tunnel.error = NodeportError("not to be asked", hint="")
    finding = findings(there, 2, 1)["host-keys"]
    assert (finding.status, finding.seen) == (Status.OK, f"those pinned for {ALIAS} are the pod's")


def test_pod_with_other_keys() -> None:
    """The address answers all the same: what is there is the pod."""
    there = connected()
    there.tunnel.key = there.resolve.shown = NEW
    of_pod = findings(there, 2)
    assert_told(of_pod)
    assert (of_pod["entry"].status, of_pod["address"].status) == (Status.OK, Status.OK)


def test_keys_in_files_are_believed_where_the_port_is_not_to_be_asked() -> None:
    there = connected()
    there.api.forbid("get", "pods/portforward")
    assert_told(findings(there, 2))


def test_files_of_another_server() -> None:
    there = connected()
    there.tunnel.key = there.resolve.shown = OLD
    of_pod = findings(there, 3)
    assert of_pod["host-keys"].seen == f"the one that the pod shows is pinned, {OLD.fingerprint}"
    assert of_pod["address"].status is Status.OK
    there.tunnel.key = there.resolve.shown = NEW
    of_pod = findings(there, 3)
    assert_told(of_pod)
    assert of_pod["address"].status is Status.OK


def test_without_a_look_inside() -> None:
    there = connected()
    there.api.forbid("get", "pods/exec")
    assert findings(there)["host-keys"].status is Status.OK
    there.tunnel.key = there.resolve.shown = NEW
    of_pod = findings(there)
    assert_told(of_pod)
    assert of_pod["address"].status is Status.OK


def test_through_the_api_server() -> None:
    there = connected(via="tunnel")
    assert findings(there, 1)["host-keys"].status is Status.OK
    there.tunnel.key = NEW
    assert_told(findings(there, 2), "--via tunnel")
    there.hosts.known.clear()
    assert findings(there, 2)["entry"].command.endswith(" --via tunnel")


def test_server_that_connect_brought() -> None:
    """Its host key stands in no file that a container tells."""
    there = connected()
    entry = there.hosts.written[ALIAS]
    origin = dataclasses.replace(entry.origin, sshd_port=2022, sshd_key=key(50).openssh)
    there.hosts.written[ALIAS] = dataclasses.replace(entry, origin=origin)
    says = {**HEALTHY, "listen": ("00000000:07E6",)}
    shell = FakeShell(told(says), look=inside(STRAY, port=2022))
    there.tunnel.key = OLD
    assert found(case(there, shell=shell))["host-keys"].status is Status.OK
    there.tunnel.key = NEW
    assert_told(found(case(there, shell=shell)))


def test_keys_that_are_not_told() -> None:
    there = connected()
    there.api.forbid("get", "pods/portforward")
    silent = inside().replace(b"hostkey", b"other")
    of_pod = found(case(there, shell=FakeShell(told(HEALTHY), look=silent)))
    finding = of_pod["host-keys"]
    assert (finding.status, "not told" in finding.seen) == (Status.OK, True)
