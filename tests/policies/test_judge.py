"""The frame's own conditions: what is told once, what is named, what counts as used."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from policies.databases import PITR_RETENTION
from policies.evaluation import Judge, Kind, Verdict, crash_message, evaluate
from policies.exemptions import Exemption
from policies.inventory import Resource, Stack
from policies.rules import Context, Enforcement, Outcome, Phase, Rule, Unverified, Violation
from tests.policies.one_rule import NOTE, REFUSAL, made

THING = "aws:x/thing:Thing"
TODAY = datetime.date(2026, 1, 1)


def nothing(_resource: Resource, _context: Context) -> Iterator[Outcome]:
    return iter(())


def refuses(resource: Resource, _context: Context) -> Iterator[Outcome]:
    yield Violation(resource, "is bad", "be good")


def doubts(resource: Resource, _context: Context) -> Iterator[Outcome]:
    yield Unverified(resource, "goodness")


def rule(**parts: Any) -> Rule:
    whole = {"id": "thing-good", "types": (THING,), "controls": ("A",), "check_resource": None}
    return replace(PITR_RETENTION, **{**whole, **parts})


def names(verdicts: list[Verdict]) -> list[tuple[Kind, str]]:
    return [(one.kind, one.urn.rpartition("::")[2]) for one in verdicts]


def test_outside_ids_are_named_where_they_are_not_held() -> None:
    def joined(stack: Stack, _context: Context) -> Iterator[Outcome]:
        for one in stack.resources:
            yield Violation(one, "", "") if one.name == "bad" else Unverified(one, "")

    exact = {"HELD": nothing, "MISSED": refuses, "DOUBTED": doubts}
    controls = (*exact, "OTHER", "JOINED")
    judge = Judge(
        Context(),
        rules=[
            rule(
                check_resource=refuses,
                controls=controls,
                exact=exact,
                exact_joins={"JOINED": joined},
            )
        ],
    )
    bad, good = made(THING, "bad"), made(THING, "good")
    stack = Stack([bad, good])
    assert judge.resource(bad, stack)[0].controls == ("MISSED", "OTHER", "JOINED")
    assert judge.resource(good, stack)[0].controls == ("MISSED", "OTHER")
    # Without the neighbours all are named that may not be held.
    alone = Judge(Context(), rules=judge.rules)
    assert alone.resource(good)[0].controls == ("MISSED", "OTHER", "JOINED")


def joining(*outcomes: Outcome) -> Rule:
    """A rule whose stack check yields these."""

    def joined(_stack: Stack, _context: Context) -> tuple[Outcome, ...]:
        return outcomes

    return rule(check_resource=refuses, check_stack=joined)


@pytest.mark.parametrize("repeats", [False, True])
def test_what_the_cause_was_told_is_not_repeated(repeats: bool) -> None:
    cause, other = made(THING, "cause"), made(THING, "other")
    stack = Stack([cause, other])
    through = Violation(other, "is bad through cause", "", cause=cause)
    judge = Judge(Context(), rules=[joining(through)], repeats=repeats)
    assert names(judge.resource(cause)) == [(REFUSAL, "cause")]
    again = [(REFUSAL, "other")]
    assert names(judge.joins(stack)) == (again if repeats else [])
    # What was never said is.
    fresh = Judge(Context(), rules=[joining(through)], repeats=repeats)
    assert names(fresh.joins(stack)) == again


def test_doubt_after_a_violation_is_not_told_and_changes_nothing() -> None:
    cause, other = made(THING, "cause"), made(THING, "other")
    doubt = Unverified(other, "x", cause=cause)
    violation = Violation(other, "is bad", "", cause=cause)
    judge = Judge(Context(), rules=[joining(Unverified(cause, "y"), violation, doubt)])
    judge.resource(cause)
    assert names(judge.joins(Stack([cause, other]))) == [(NOTE, "cause")]
    # A violation after a doubt is news; a second doubt is not.
    for outcomes, told in (([violation], [(REFUSAL, "other")]), ([doubt], [])):
        later = replace(joining(*outcomes), check_resource=doubts)
        judge = Judge(Context(), rules=[later])
        assert names(judge.resource(cause)) == [(NOTE, "cause")]
        assert names(judge.joins(Stack([cause, other]))) == told


def test_the_same_outcome_is_told_once_and_different_ones_each() -> None:
    def check(one: Resource, _context: Context) -> Iterator[Outcome]:
        for found in ("is bad", "is bad", "is worse"):
            yield Violation(one, found, "be good")

    judge = Judge(Context(), rules=[rule(check_resource=check)])
    assert len(judge.resource(made(THING, "a"))) == 2


def test_a_rule_that_is_switched_off_says_nothing() -> None:
    off = {"thing-good": Enforcement.DISABLED}
    one = made(THING, "a")
    whole = rule(check_resource=refuses)
    assert Judge(Context(), rules=[whole], overrides=off).resource(one) == []
    assert Judge(Context(), rules=[whole], overrides={"other": Enforcement.DISABLED}).resource(one)


@pytest.mark.parametrize(
    ("phase", "kind", "words"),
    [
        (Phase.PREVIEW, NOTE, "could not be verified before apply: "),
        (Phase.STATE, NOTE, "could not be verified: "),
        (Phase.APPLY, REFUSAL, "has goodness still unknown at apply"),
    ],
)
def test_what_is_not_known_by_phase(phase: Phase, kind: Kind, words: str) -> None:
    (verdict,) = Judge(Context(phase=phase), rules=[rule(check_resource=doubts)]).resource(
        made(THING, "a")
    )
    assert verdict.kind is kind
    assert words in verdict.message
    assert ("--show-secrets" in verdict.message) == (phase is Phase.STATE)
    assert ("only after apply" in verdict.message) == (phase is Phase.PREVIEW)


def exemption(**changes: Any) -> dict[str, Any]:
    whole = {
        "rule": "thing-good",
        "resource": f"{THING}::name",
        "reason": "accepted until the migration has ended",
        "owner": "platform@example.com",
        "expires": "2026-03-01",
    }
    return {**whole, **changes}


def exempted(check: Any, name: str = "name", phase: Phase = Phase.PREVIEW) -> list[Kind]:
    context = Context(phase=phase, today=TODAY)
    whole = rule(check_resource=check)
    found = evaluate(Stack([made(THING, name)]), context, [exemption()], rules=[whole])
    return [one.kind for one in found]


def test_an_exemption_is_used_by_what_it_is_for() -> None:
    assert exempted(refuses) == [Kind.EXEMPTED]
    assert exempted(doubts) == [NOTE]
    assert exempted(doubts, phase=Phase.APPLY) == [Kind.EXEMPTED]
    # Unused, it is a violation itself.
    assert exempted(nothing) == [REFUSAL]
    assert exempted(refuses, name="other") == [REFUSAL, REFUSAL]
    assert exempted(doubts, name="other") == [NOTE, REFUSAL]


def test_an_exemption_may_name_the_type_as_the_program_does() -> None:
    kind = "aws:alb/listener:Listener"
    date = datetime.date(2026, 3, 1)

    def concerns(pattern: str, resource: Resource) -> bool:
        one = Exemption("thing-good", pattern, "", "", date)
        assert not one.concerns(rule(id="other"), resource)
        return one.concerns(rule(), resource)

    assert concerns(f"{kind}::l", made(kind, "l"))
    assert not concerns("aws:lb/listener:Listener::l", made(kind, "l"))
    bare = Resource(urn="urn:l", type=THING, name="l", properties={})
    assert concerns(f"{THING}::l", bare)
    assert concerns("urn:l", bare)
    assert not concerns("urn:m", bare)


def test_what_an_update_did_not_judge_may_still_need_an_exemption() -> None:
    judged: list[str] = []

    def watched(resource: Resource, context: Context) -> Iterator[Outcome]:
        judged.append(resource.name)
        yield from refuses(resource, context)

    context = Context(today=TODAY)
    stack = Stack([made(THING, "name"), made("aws:x/other:Other", "o")])
    rules = [rule(check_resource=watched), rule(id="idle", check_resource=watched)]
    judge = Judge(context, [exemption()], rules)
    assert judge.exemption_problems(stack) == []
    assert judged == ["name"]
    # A used one needs no second look.
    judge.exemption_problems(stack)
    assert judged == ["name"]
    assert judge.exemption_problems(Stack([])) == []
    unused = Judge(context, [exemption()], rules).exemption_problems(Stack([]))
    assert ["is not used: remove it" in one.message for one in unused] == [True]


def test_a_crash_names_its_place() -> None:
    assert crash_message(ValueError("secret")) == "ValueError"
    try:
        raise ValueError("secret")
    except ValueError as error:
        assert crash_message(error).startswith("ValueError at test_judge.py:")
