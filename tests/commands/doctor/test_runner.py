"""The order of checks, and what is skipped because of what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_nodeport.commands.doctor.checks import ALL, of
from kubectl_nodeport.commands.doctor.finding import (
    Check,
    Checked,
    Finding,
    Status,
    fail,
    ok,
    skipped,
    warning,
)
from kubectl_nodeport.commands.doctor.runner import run
from kubectl_nodeport.errors import NodeportError

Asked = list[str]


def check(name: str, finding: Finding | NodeportError, *needs: str) -> Check[Asked]:
    def judge(asked: Asked) -> Finding:
        asked.append(name)
        if isinstance(finding, NodeportError):
            raise finding
        return finding

    return Check(name, name.upper(), judge, f"why {name}", needs)


def outcome(checked: list[Checked]) -> list[tuple[str, str, str]]:
    return [(one.name, one.finding.status.value, one.finding.because) for one in checked]


def test_what_needs_a_fail_is_skipped_and_names_its_cause() -> None:
    asked: Asked = []
    checks = (
        check("a", ok("fine")),
        check("b", fail("broken", "it matters"), "a"),
        check("c", ok("fine"), "b"),
        check("d", ok("fine"), "c", "a"),
        check("e", ok("fine"), "a"),
    )
    assert outcome(list(run(checks, asked))) == [
        ("a", "ok", ""),
        ("b", "fail", ""),
        ("c", "skipped", "b"),
        ("d", "skipped", "b"),
        ("e", "ok", ""),
    ]
    assert asked == ["a", "b", "e"]


@pytest.mark.parametrize(
    ("finding", "then"),
    [
        (warning("so so", "why"), ("b", "ok", "")),
        (warning("so so", "why", blocks=True), ("b", "skipped", "a")),
        (fail("broken", "why", blocks=False), ("b", "ok", "")),
        (skipped("earlier"), ("b", "skipped", "earlier")),
    ],
)
def test_what_blocks(finding: Finding, then: tuple[str, str, str]) -> None:
    checks = (check("a", finding), check("b", ok("fine"), "a"))
    assert outcome(list(run(checks, [])))[1] == then


def test_an_error_is_a_fail_in_its_own_words() -> None:
    (one,) = run((check("a", NodeportError("it is gone", hint="look for it")),), [])
    assert one.finding == fail("it is gone", "why a", hint="look for it")


def test_a_need_that_comes_later_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="b needs a"):
        list(run((check("b", ok("fine"), "a"), check("a", ok("fine"))), []))


@given(st.lists(st.sampled_from(["ok", "warning", "fail"]), min_size=1, max_size=8), st.data())
def test_one_cause_explains_all_that_rest_on_it(ends: list[str], data: st.DataObject) -> None:
    make = {"ok": ok("x"), "warning": warning("x", "y"), "fail": fail("x", "y")}
    checks = [
        check(
            str(n),
            make[end],
            *data.draw(st.lists(st.sampled_from([str(m) for m in range(n)]), unique=True))
            if n
            else (),
        )
        for n, end in enumerate(ends)
    ]
    checked = list(run(checks, []))
    assert [one.name for one in checked] == [str(n) for n in range(len(ends))]
    by_name = {one.name: one.finding for one in checked}
    for one in checks:
        bad = [n for n in one.needs if by_name[n].blocks]
        assert (by_name[one.name].status is Status.SKIPPED) == bool(bad)
        if bad:
            assert by_name[by_name[one.name].because].status is Status.FAIL


def test_the_checks_themselves_are_in_order_and_have_names_of_their_own() -> None:
    for checks in (ALL, of(has_target=False)):
        before: set[str] = set()
        for one in checks:
            assert set(one.needs) <= before, one.name
            assert one.name not in before
            before.add(one.name)
